WITH disabling AS (
  SELECT key_arn FROM events
  WHERE event_name IN ('DisableKey', 'ScheduleKeyDeletion') AND event_source LIKE 'kms.%' AND error_code IS NULL
  UNION ALL
  SELECT key_arn FROM remembered
  WHERE event_name IN ('DisableKey', 'ScheduleKeyDeletion') AND event_source LIKE 'kms.%' AND error_code IS NULL
), calls AS (
  -- Those of other keys are left out before copies are told apart, for which they would be sorted.
  SELECT
    key_arn, source_key_arn, event_id, event_time, event_name, error_code, principal_arn, principal_account_id, aws_region,
    coalesce(recipient_account_id, principal_account_id) AS account_id,
    $nth_event
  FROM events
  WHERE event_source LIKE 'kms.%' AND event_name IN (
    'CreateGrant', 'Decrypt', 'DeriveSharedSecret', 'Encrypt', 'GenerateDataKey', 'GenerateDataKeyPair',
    'GenerateDataKeyPairWithoutPlaintext', 'GenerateDataKeyWithoutPlaintext', 'GenerateMac', 'ReEncrypt', 'Sign', 'Verify',
    'VerifyMac'
  ) AND (key_arn IN (SELECT key_arn FROM disabling) OR source_key_arn IN (SELECT key_arn FROM disabling))$limits
)
SELECT
  disabled.key_arn AS key_arn, disabled.event_name AS disabled_by, disabled.event_id AS disabling_event_id,
  disabled.event_time AS disabled_at, disabled.principal_arn AS disabling_principal_arn, used.event_id AS kms_event_id,
  used.event_time AS kms_event_time, used.event_name AS kms_event_name, used.error_code AS kms_error_code,
  used.principal_arn AS kms_principal_arn, used.principal_account_id AS kms_principal_account_id,
  joined.instance_id AS instance_id, joined.volume_id AS volume_id, joined.ec2_event_id AS ec2_event_id,
  used.account_id AS recipient_account_id, used.aws_region AS aws_region
FROM (
  -- Each change of a key's state with the one after it. Those of one second have no known order: the key is taken to be enabled
  -- last.
  SELECT
    key_arn, event_name, event_id, event_time, principal_arn,
    lead(event_time) OVER (
      PARTITION BY key_arn ORDER BY event_time, CASE event_name WHEN 'EnableKey' THEN 1 ELSE 0 END, event_id
    ) AS changed_at,
    lead(event_name) OVER (
      PARTITION BY key_arn ORDER BY event_time, CASE event_name WHEN 'EnableKey' THEN 1 ELSE 0 END, event_id
    ) AS changed_by
  FROM (
    SELECT key_arn, event_name, event_id, event_time, principal_arn, event_source, error_code FROM events
    UNION ALL
    -- Those of pruned days.
    SELECT key_arn, event_name, event_id, event_time, principal_arn, event_source, error_code FROM remembered
  ) AS changing
  WHERE event_name IN ('DisableKey', 'EnableKey', 'ScheduleKeyDeletion') AND event_source LIKE 'kms.%' AND error_code IS NULL
    AND key_arn IS NOT NULL
) AS disabled
JOIN (
  SELECT key_arn, event_id, event_time, event_name, error_code, principal_arn, principal_account_id, aws_region, account_id
  FROM calls
  WHERE nth = 1
  UNION ALL
  -- A ReEncrypt uses its source key, too. ClickHouse takes a bare `key_arn` for the one that is selected.
  SELECT
    again.source_key_arn AS key_arn, event_id, event_time, event_name, error_code, principal_arn, principal_account_id, aws_region,
    account_id
  FROM calls AS again
  WHERE nth = 1 AND again.source_key_arn IS NOT NULL AND (again.key_arn IS NULL OR again.source_key_arn <> again.key_arn)
) AS used ON used.key_arn = disabled.key_arn
LEFT JOIN correlated AS joined ON joined.kms_event_id = used.event_id AND joined.recipient_account_id = used.account_id
WHERE disabled.event_name <> 'EnableKey' AND used.event_time > disabled.event_time
  AND (disabled.changed_at IS NULL OR used.event_time < disabled.changed_at
    OR used.event_time = disabled.changed_at AND disabled.changed_by <> 'EnableKey')
