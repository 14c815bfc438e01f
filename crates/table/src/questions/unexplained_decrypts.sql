SELECT
  kms_event_time, kms_event_id, volume_id, instance_id, key_arn, kms_principal_arn, kms_invoked_by, kms_error_code,
  unmatched_reason, recipient_account_id, aws_region, kms_source_object
FROM (
  SELECT
    *, $nth_call
  FROM correlated
  WHERE kms_event_name = 'Decrypt'$limits
) AS logged
WHERE nth = 1 AND link = 'none' AND launch_event_id IS NULL
