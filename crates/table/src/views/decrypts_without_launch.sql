SELECT
  instance_id, recipient_account_id, aws_region, count(*) AS decrypts, count(DISTINCT volume_id) AS volumes,
  min(kms_event_time) AS first_decrypt_at, max(kms_event_time) AS last_decrypt_at
FROM (
  SELECT
    *, $nth_call
  FROM correlated
  WHERE kms_event_name = 'Decrypt'
) AS logged
WHERE nth = 1 AND kms_error_code IS NULL AND instance_id IS NOT NULL AND volume_id IS NOT NULL AND launch_event_id IS NULL
GROUP BY instance_id, recipient_account_id, aws_region
