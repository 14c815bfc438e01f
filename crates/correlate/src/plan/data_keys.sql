-- One row per account, region and volume: the first event there that made the volume's data key.
SELECT f.account, f.region, f.volume, f.at, r.rid, r.event_id, r.own_key_arn AS key_arn
FROM (
  SELECT account, region, own_volume AS volume, min(at) AS at
  FROM rows
  WHERE teaches AND error_code IS NULL AND event_name LIKE 'GenerateDataKey%' AND own_volume IS NOT NULL
  GROUP BY account, region, own_volume
) f
JOIN rows r ON r.at = f.at
