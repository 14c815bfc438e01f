SELECT
  issued_access_key_id, event_time, event_name, event_id, recipient_account_id, aws_region, source_ip_address,
  user_identity_type, principal_arn, principal_id, access_key_id, invoked_by, source_object
FROM sessions
UNION ALL
SELECT
  issued_access_key_id, event_time, event_name, event_id, recipient_account_id, aws_region, source_ip_address,
  user_identity_type, principal_arn, principal_id, access_key_id, invoked_by, source_object
FROM events
WHERE event_source LIKE 'sts.%' AND issued_access_key_id IS NOT NULL AND error_code IS NULL
