WITH calls AS (
  SELECT
    *, coalesce(kms_principal_account_id, recipient_account_id) AS caller_account_id,
    $nth_call
  FROM correlated
  WHERE true$limits
)
SELECT
  used.key_arn AS key_arn, used.key_account_id AS key_account_id, used.caller_account_id AS caller_account_id,
  used.aws_region AS aws_region, used.kms_principal_arn AS kms_principal_arn, used.instance_id AS instance_id, count(*) AS calls,
  sum(CASE WHEN used.kms_error_code IS NULL THEN 0 ELSE 1 END) AS failed_calls, count(DISTINCT used.volume_id) AS volumes,
  min(used.kms_event_time) AS first_call_at, max(used.kms_event_time) AS last_call_at
FROM (
  SELECT
    key_arn, key_account_id, caller_account_id, aws_region, kms_principal_arn, instance_id, volume_id, kms_error_code,
    kms_event_time
  FROM calls
  WHERE nth = 1
  UNION ALL
  -- A ReEncrypt uses its source key, too. ClickHouse takes a bare `key_arn` for the one that is selected.
  SELECT
    again.source_key_arn AS key_arn,
    substr(again.source_key_arn, position(':key/' IN again.source_key_arn) - 12, 12) AS key_account_id,
    caller_account_id, aws_region, kms_principal_arn, instance_id, volume_id, kms_error_code, kms_event_time
  FROM calls AS again
  WHERE nth = 1 AND again.source_key_arn IS NOT NULL AND (again.key_arn IS NULL OR again.source_key_arn <> again.key_arn)
) AS used
WHERE used.key_account_id <> used.caller_account_id
GROUP BY
  used.key_arn, used.key_account_id, used.caller_account_id, used.aws_region, used.kms_principal_arn, used.instance_id
