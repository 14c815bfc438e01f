SELECT
  granted.grant_id, granted.key_arn, granted.recipient_account_id, granted.aws_region, granted.create_event_id,
  granted.created_at, granted.grantee_principal, granted.instance_id, granted.volume_id, granted.snapshot_id
FROM grants AS granted
LEFT JOIN (
  SELECT DISTINCT grant_id
  FROM events
  WHERE event_name IN ('RetireGrant', 'RevokeGrant') AND event_source LIKE 'kms.%' AND error_code IS NULL
) AS ended ON ended.grant_id = granted.grant_id
WHERE ended.grant_id IS NULL
