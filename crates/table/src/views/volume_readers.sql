SELECT
  volume_id, snapshot_id, instance_id, grantee_principal, operations, key_arn, grant_id, recipient_account_id,
  aws_region, create_event_id, created_at, ended_at
FROM grants
WHERE volume_id IS NOT NULL OR snapshot_id IS NOT NULL
