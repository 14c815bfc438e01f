SELECT
  key_arn, instance_id, launch_principal_arn, min(launch_event_time) AS launched_at, max(kms_event_time) AS last_decrypt_at
FROM (
  SELECT
    *, $nth_call
  FROM correlated
  WHERE kms_event_name = 'Decrypt'
    AND (key_arn = $key OR substr(key_arn, position(':key/' IN key_arn) + 5) = $key)$limits
) AS logged
WHERE nth = 1 AND kms_error_code IS NULL AND instance_id IS NOT NULL
GROUP BY key_arn, instance_id, launch_principal_arn
