-- One row per EC2 event, and per STS event that issued an access key: who made the call. `actor` is the caller,
-- `service` the AWS service that it is, `in_session` whether somebody stands behind it. For `at` see ec2_calls.
SELECT
  lpad(CAST(t + 100000000000000 AS STRING), 16, '0') || rid AS at,
  *
FROM (
  SELECT
    coalesce(recipient_account_id, principal_account_id, '') || '/'
      || coalesce(event_id, coalesce(source_object, '') || '#' || CAST(coalesce(source_index, 0) AS STRING)) AS rid,
    unix_millis(event_time) AS t,
    access_key_id,
    CASE WHEN event_source IN ('sts.amazonaws.com', 'sts.amazonaws.com.cn') THEN issued_access_key_id END AS issued,
    coalesce(nullif(principal_arn, ''), nullif(principal_id, '')) AS actor,
    nullif(
      CASE
        WHEN user_identity_type = 'AWSService' THEN invoked_by
        ELSE regexp_extract(session_issuer_arn, '^([^:]*:){5}role/aws-service-role/([^/]*)', 2)
      END,
      ''
    ) AS service,
    coalesce(user_identity_type IN ('AssumedRole', 'AWSAccount'), false) AS in_session,
    coalesce(user_identity_type = 'AWSAccount', false) AS of_another_account,
    nullif(source_identity, '') AS source_identity
  FROM (
    SELECT
      event_time, event_source, error_code, recipient_account_id, principal_account_id, event_id, source_object,
      source_index, access_key_id, issued_access_key_id, principal_arn, principal_id, user_identity_type, invoked_by,
      session_issuer_arn, source_identity
    FROM events
    -- What a VPC endpoint saw of a call that went through: the call has an event of its own.
    WHERE NOT (coalesce(event_category, '') = 'NetworkActivity' AND error_code IS NULL)
    UNION ALL
    SELECT
      event_time, 'sts.amazonaws.com', NULL, recipient_account_id, principal_account_id, event_id, source_object,
      source_index, access_key_id, issued_access_key_id, principal_arn, principal_id, user_identity_type, invoked_by,
      session_issuer_arn, NULL
    FROM sessions
  )
  WHERE
    event_time IS NOT NULL
    AND (
      event_source IN ('ec2.amazonaws.com', 'ec2.amazonaws.com.cn')
      OR (
        event_source IN ('sts.amazonaws.com', 'sts.amazonaws.com.cn')
        AND issued_access_key_id IS NOT NULL
        AND error_code IS NULL
      )
    )
)
