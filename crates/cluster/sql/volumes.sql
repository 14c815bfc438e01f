-- Table `volumes`: those that were created, then those of which only the data key tells. Copies of what other accounts
-- did make none.
SELECT
  c.volume AS volume_id,
  nullif(c.account, '') AS recipient_account_id,
  nullif(c.region, '') AS aws_region,
  c.event_id AS created_event_id,
  c.event_time AS created_at,
  c.principal_arn AS created_by_arn,
  get(c.snapshot_ids, 0) AS snapshot_id,
  CASE WHEN d.volume IS NOT NULL THEN true ELSE c.encrypted END AS encrypted,
  coalesce(d.key_arn, c.key_arn) AS key_arn,
  d.made_by AS data_key_event_id,
  c.account || '/' || c.region AS rid
FROM created c
LEFT JOIN volume_keys d ON d.volume = c.volume
WHERE NOT c.of_another_account
UNION ALL
SELECT
  d.volume,
  nullif(d.account, ''),
  nullif(d.region, ''),
  CASE WHEN k.made_by_cause THEN k.ec2_event_id END,
  CASE WHEN k.made_by_cause THEN k.ec2_event_time ELSE k.event_time END,
  CASE WHEN k.made_by_cause THEN k.ec2_principal_arn END,
  CAST(NULL AS STRING),
  true,
  d.key_arn,
  d.made_by,
  d.account || '/' || d.region
FROM data_keys d
JOIN (
  -- A launch of long ago did not make the volume.
  SELECT
    *,
    ec2_event_name IN ('RunInstances', 'CreateReplaceRootVolumeTask')
      AND (link = 'request_id' OR delta_ms BETWEEN -10000 AND 600000) AS made_by_cause
  FROM caused
) k ON k.rid = d.rid
LEFT JOIN (
  SELECT DISTINCT volume FROM created WHERE NOT of_another_account
) c ON c.volume = d.volume
WHERE c.volume IS NULL AND NOT d.of_another_account
