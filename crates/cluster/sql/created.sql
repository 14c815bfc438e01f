-- One row per account, region and volume: the first CreateVolume that made it.
SELECT
  f.account,
  f.region,
  f.volume,
  f.at,
  e.t,
  e.event_id,
  e.event_time,
  e.principal_arn,
  e.snapshot_ids,
  e.encrypted,
  e.key_arn,
  coalesce(e.user_identity_type = 'AWSAccount', false) AS of_another_account
FROM (
  SELECT account, region, volume, min(at) AS at
  FROM (
    SELECT account, region, explode(volume_ids) AS volume, at
    FROM ec2
    WHERE candidate AND event_name = 'CreateVolume'
  )
  WHERE volume IS NOT NULL
  GROUP BY account, region, volume
) f
JOIN ec2 e ON e.at = f.at
