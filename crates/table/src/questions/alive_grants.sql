SELECT
  grant_id, key_arn, grantee_principal, instance_id, volume_id, snapshot_id, recipient_account_id, aws_region,
  create_event_id, created_at, ended_at
FROM grants
WHERE created_at <= $at AND (ended_at IS NULL OR ended_at > $at)$limits
