-- One row per account, region and volume: the first event there that made the volume's data key, an owner's copy last,
-- and after all others one that made it of a snapshot's, as `place` orders them. `made_by`: the event, if it is no such.
SELECT
  f.account,
  f.region,
  f.volume,
  f.place,
  r.at,
  r.rid,
  CASE WHEN r.event_name <> 'ReEncrypt' THEN r.event_id END AS made_by,
  r.own_key_arn AS key_arn,
  r.of_another_account
FROM (
  SELECT
    account,
    region,
    own_volume AS volume,
    min(
      CASE WHEN event_name = 'ReEncrypt' THEN '1' ELSE '0' END || CASE WHEN of_another_account THEN '1' ELSE '0' END || at
    ) AS place
  FROM rows
  WHERE teaches
    AND error_code IS NULL
    AND (event_name LIKE 'GenerateDataKey%' OR event_name = 'ReEncrypt')
    AND own_volume IS NOT NULL
  GROUP BY account, region, own_volume
) f
JOIN rows r ON r.at = substr(f.place, 3)
