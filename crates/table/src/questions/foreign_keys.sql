SELECT
  key_arn, key_account_id, recipient_account_id, aws_region, kms_principal_arn, instance_id, count(*) AS calls,
  sum(CASE WHEN kms_error_code IS NULL THEN 0 ELSE 1 END) AS failed_calls, count(DISTINCT volume_id) AS volumes,
  min(kms_event_time) AS first_call_at, max(kms_event_time) AS last_call_at
FROM correlated
WHERE key_account_id <> recipient_account_id$limits
GROUP BY key_arn, key_account_id, recipient_account_id, aws_region, kms_principal_arn, instance_id
