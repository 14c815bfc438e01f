-- One row per account, region and instance: the first RunInstances that launched it.
SELECT
  f.account,
  f.region,
  f.instance,
  f.at,
  e.t,
  e.event_id,
  e.event_time,
  e.principal_arn,
  e.image_id,
  e.instance_type,
  e.reservation_id,
  e.client_token
FROM (
  SELECT account, region, instance, min(at) AS at
  FROM (
    SELECT account, region, explode(instance_ids) AS instance, at
    FROM ec2
    WHERE candidate AND event_name = 'RunInstances'
  )
  WHERE instance IS NOT NULL
  GROUP BY account, region, instance
) f
JOIN ec2 e ON e.at = f.at
