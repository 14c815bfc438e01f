SELECT
  launch_principal_arn, key_arn, count(*) AS calls, count(DISTINCT coalesce(instance_id, caller_instance_id)) AS instances,
  min(kms_event_time) AS first_call_at, max(kms_event_time) AS last_call_at
FROM (
  SELECT
    *, $nth_call
  FROM correlated
) AS logged
WHERE nth = 1 AND launch_principal_arn IS NOT NULL AND key_arn IS NOT NULL
GROUP BY launch_principal_arn, key_arn
