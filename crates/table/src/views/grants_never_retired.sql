SELECT
  grant_id, key_arn, recipient_account_id, aws_region, create_event_id, created_at, grantee_principal, instance_id,
  volume_id, snapshot_id
FROM grants
WHERE ended_at IS NULL
