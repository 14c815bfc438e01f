SELECT
  volume_id, recipient_account_id, aws_region, key_arn, split_part(key_arn, ':', 5) AS key_account_id, snapshot_id,
  created_event_id, created_at, created_by_arn
FROM volumes
WHERE split_part(key_arn, ':', 5) <> recipient_account_id
