SELECT
  volume_id, recipient_account_id, aws_region, key_arn,
  substr(key_arn, position(':key/' IN key_arn) - 12, 12) AS key_account_id, snapshot_id, created_event_id, created_at,
  created_by_arn
FROM volumes
WHERE substr(key_arn, position(':key/' IN key_arn) - 12, 12) <> recipient_account_id
