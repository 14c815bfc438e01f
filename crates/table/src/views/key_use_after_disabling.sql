SELECT
  disabled.key_arn, disabled.event_name AS disabled_by, disabled.event_id AS disabling_event_id, disabled.disabled_at,
  disabled.principal_arn AS disabling_principal_arn, used.kms_event_id, used.kms_event_time, used.kms_event_name,
  used.kms_error_code, used.instance_id, used.volume_id, used.ec2_event_id, used.recipient_account_id, used.aws_region
FROM (
  SELECT
    disabling.key_arn, disabling.event_name, disabling.event_id, disabling.principal_arn, disabling.event_time AS disabled_at,
    min(again.event_time) AS enabled_at
  FROM events AS disabling
  LEFT JOIN (
    SELECT key_arn, event_time
    FROM events
    WHERE event_name = 'EnableKey' AND event_source LIKE 'kms.%' AND error_code IS NULL
  ) AS again ON again.key_arn = disabling.key_arn AND again.event_time > disabling.event_time
  WHERE disabling.event_name IN ('ScheduleKeyDeletion', 'DisableKey') AND disabling.event_source LIKE 'kms.%'
    AND disabling.error_code IS NULL AND disabling.key_arn IS NOT NULL
  GROUP BY disabling.key_arn, disabling.event_name, disabling.event_id, disabling.principal_arn, disabling.event_time
) AS disabled
JOIN correlated AS used ON used.key_arn = disabled.key_arn
WHERE used.kms_event_time > disabled.disabled_at
  AND (disabled.enabled_at IS NULL OR used.kms_event_time < disabled.enabled_at)
