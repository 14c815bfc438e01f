SELECT
  kms_event_time, kms_event_name, kms_principal_arn, kms_error_code, ec2_event_name, ec2_event_time, ec2_principal_arn,
  root_principal_arn, link, confidence, unmatched_reason, instance_id, volume_id, snapshot_id, key_arn, grant_id,
  ec2_event_id, kms_source_object, ec2_source_object
FROM correlated
WHERE kms_event_id = $event
