SELECT
  used.used_key_arn AS key_arn, used.principal_arn, used.caller_id AS principal_id, used.principal_account_id, used.invoked_by,
  joined.instance_id, joined.root_principal_arn, used.event_name, count(*) AS calls,
  sum(CASE WHEN used.error_code IS NULL THEN 0 ELSE 1 END) AS failed_calls, min(used.event_time) AS first_call_at,
  max(used.event_time) AS last_call_at
FROM (
  SELECT
    event_id, event_time, event_name, error_code, principal_arn, principal_account_id, invoked_by,
    -- The copy of a key's owner names its caller by an id alone.
    CASE WHEN principal_arn IS NULL THEN principal_id END AS caller_id,
    -- The first records do not say in whose trail they are.
    coalesce(recipient_account_id, principal_account_id) AS account_id,
    -- The source of a ReEncrypt is used, too.
    CASE WHEN key_arn = $key OR substr(key_arn, position(':key/' IN key_arn) + 5) = $key THEN key_arn ELSE source_key_arn END
      AS used_key_arn,
    $nth_event
  FROM events
  WHERE event_source LIKE 'kms.%'
    AND (key_arn = $key OR substr(key_arn, position(':key/' IN key_arn) + 5) = $key
      OR source_key_arn = $key OR substr(source_key_arn, position(':key/' IN source_key_arn) + 5) = $key)$limits
) AS used
LEFT JOIN correlated AS joined
  ON joined.kms_event_id = used.event_id AND joined.recipient_account_id = used.account_id
WHERE used.nth = 1
GROUP BY
  used.used_key_arn, used.principal_arn, used.caller_id, used.principal_account_id, used.invoked_by, joined.instance_id,
  joined.root_principal_arn, used.event_name
