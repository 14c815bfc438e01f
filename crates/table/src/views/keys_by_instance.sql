SELECT
  instance_id, caller_instance_id, key_arn, count(*) AS calls,
  sum(CASE WHEN kms_error_code IS NULL THEN 0 ELSE 1 END) AS failed_calls, count(DISTINCT volume_id) AS volumes,
  min(kms_event_time) AS first_call_at, max(kms_event_time) AS last_call_at
FROM (
  SELECT
    *, $nth_call
  FROM correlated
) AS logged
WHERE nth = 1 AND (instance_id IS NOT NULL OR caller_instance_id IS NOT NULL) AND key_arn IS NOT NULL
GROUP BY instance_id, caller_instance_id, key_arn
