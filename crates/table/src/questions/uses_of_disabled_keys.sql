SELECT
  key_arn, disabled_by, disabled_at, disabling_principal_arn, kms_event_id, kms_event_time, kms_event_name,
  kms_error_code, instance_id, volume_id, ec2_event_id, recipient_account_id, aws_region
FROM key_use_after_disabling
WHERE true$limits
