-- One row per KMS event, alone: its own identifiers, and what it is. `touches_alone`: it touches EC2 or EBS whatever
-- other events say. For `at` see ec2_calls.
SELECT
  rid,
  lpad(CAST(t + 100000000000000 AS VARCHAR), 16, '0') || rid AS at,
  t,
  account,
  caller_account,
  region,
  event_id,
  event_time,
  event_name,
  error_code,
  principal_arn,
  invoked_by,
  request_id,
  shared_event_id,
  user_identity_type,
  source_object,
  key_arn,
  grant_id,
  grantee_principal,
  operations,
  retiring_principal,
  instance,
  volume,
  snapshot,
  event_name = 'CreateGrant' AS creates_grant,
  event_name IN ('RetireGrant', 'RevokeGrant') AS ends_grant,
  by_service,
  coalesce(
    infrastructure
      OR by_service
      OR service IS NOT NULL
      OR source_ip_address = 'AWS Internal'
      OR user_agent IN ('AWS Internal', '&AWS; Internal') AND coalesce(event_version, '1.0') IN ('1.0', '1.01', '1.02'),
    false
  ) AS trusted,
  coalesce(
    direct OR of_others OR NOT (service IN ('AWS Internal', 'Amazon Internal') OR regexp_like(service, {family})),
    false
  ) AS external,
  coalesce(direct OR of_others, false) AS apart,
  caller_instance,
  coalesce(
    infrastructure
      OR names_ebs
      OR instance IS NOT NULL
      OR volume IS NOT NULL
      OR snapshot IS NOT NULL
      OR caller_instance IS NOT NULL
      OR forwarded
      OR regexp_like(grantee_service, {family}),
    false
  ) AS touches_alone,
  coalesce(forwarded, false) AS forwarded
FROM (
  SELECT
    *,
    account || '/' || coalesce(event_id, object || '#' || CAST(object_index AS VARCHAR)) AS rid,
    CASE WHEN principal_account_id <> account THEN principal_account_id END AS caller_account,
    service IN ('ebs.amazonaws.com', 'ebs.amazonaws.com.cn') AND NOT by_service AS direct,
    regexp_like(context_keys, '(^|\x1f)aws:(ecs|rds|workspaces):') AS of_others,
    -- The service whose role a grant is for.
    split_part(split_part(grantee_principal, ':role/aws-service-role/', 2), '/', 1) AS grantee_service,
    CASE
      WHEN assumed_role AND NOT infrastructure AND regexp_like(session, '^i-([0-9a-f]{8}|[0-9a-f]{17})$')
      THEN session
    END AS caller_instance
  FROM (
    SELECT
      coalesce(recipient_account_id, principal_account_id, '') AS account,
      principal_account_id,
      coalesce(aws_region, '') AS region,
      CAST(event_time AS BIGINT) / 1000 AS t,
      coalesce(source_object, '') AS object,
      coalesce(source_index, 0) AS object_index,
      event_id,
      event_time,
      coalesce(event_name, '') AS event_name,
      request_id,
      shared_event_id,
      user_identity_type,
      error_code,
      principal_arn,
      invoked_by,
      event_version,
      user_agent,
      source_ip_address,
      source_object,
      key_arn,
      grant_id,
      grantee_principal,
      operations,
      retiring_principal,
      instance_ids[1] AS instance,
      volume_ids[1] AS volume,
      snapshot_ids[1] AS snapshot,
      coalesce(
        invoked_by,
        CASE
          WHEN source_ip_address LIKE '%.amazonaws.com' OR source_ip_address LIKE '%.amazonaws.com.cn'
          THEN source_ip_address
        END
      ) AS service,
      lower(session_name) AS session,
      invoked_by IN ('ec2-frontend-api.amazonaws.com', 'ec2-frontend-api.amazonaws.com.cn')
        OR user_agent IN ('ec2-frontend-api.amazonaws.com', 'ec2-frontend-api.amazonaws.com.cn')
        OR source_ip_address IN ('ec2-frontend-api.amazonaws.com', 'ec2-frontend-api.amazonaws.com.cn') AS forwarded,
      coalesce(user_identity_type = 'AWSService', false) AS by_service,
      coalesce(user_identity_type = 'AssumedRole', false) AS assumed_role,
      coalesce(
        principal_id LIKE '%:aws:ec2-infrastructure:%'
          OR principal_arn LIKE '%/aws:ec2-infrastructure/%'
          OR session_issuer_arn LIKE '%:role/aws:ec2-infrastructure',
        false
      ) AS infrastructure,
      coalesce(array_has(map_keys(encryption_context), 'aws:ebs:id'), false) AS names_ebs,
      array_to_string(map_keys(encryption_context), chr(31)) AS context_keys
    FROM events
    WHERE event_source IN ('kms.amazonaws.com', 'kms.amazonaws.com.cn') AND event_time IS NOT NULL
  )
)
