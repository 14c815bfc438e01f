-- One row per KMS event, alone: its own identifiers, and what it is. `touches_alone`: it touches EC2 or EBS whatever
-- other events say. For `at` see ec2_calls.
SELECT
  rid,
  lpad(CAST(t + 100000000000000 AS STRING), 16, '0') || rid AS at,
  t,
  account,
  caller_account,
  principal_account_id,
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
  source_key_arn,
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
      OR source_ip_address = 'AWS Internal' AND (of_old OR user_identity_type = 'AWSAccount')
      OR user_agent IN ('AWS Internal', '&AWS; Internal') AND of_old,
    false
  ) AS trusted,
  coalesce(
    direct OR of_others OR NOT (service IN ('AWS Internal', 'Amazon Internal') OR get(in_family, 0)),
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
      OR get(in_family, 1),
    false
  ) AS touches_alone,
  coalesce(forwarded, false) AS forwarded
FROM (
  SELECT
    *,
    account || '/' || coalesce(event_id, object || '#' || CAST(object_index AS STRING)) AS rid,
    CASE WHEN principal_account_id <> account THEN principal_account_id END AS caller_account,
    service IN ('ebs.amazonaws.com', 'ebs.amazonaws.com.cn') AND NOT by_service AS direct,
    -- Services that are EC2, EBS, or launch instances. A text may end with a line break, before which `$` would match.
    transform(
      array(service, grantee_service),
      name -> regexp_like(
        name,
        r'^(ec2-frontend-api|ec2(\.[a-z0-9-]+)?|ebs|autoscaling|spot|spotfleet|ec2fleet|prod\.kms-caller\.ebs\.[a-z0-9-]+)\.amazonaws\.com(\.cn)?\z'
      )
    ) AS in_family,
    CASE
      WHEN assumed_role AND NOT infrastructure AND regexp_like(session, r'^i-([0-9a-f]{8}|[0-9a-f]{17})\z')
      THEN session
    END AS caller_instance
  FROM (
    SELECT
      coalesce(recipient_account_id, principal_account_id, '') AS account,
      principal_account_id,
      coalesce(aws_region, '') AS region,
      unix_millis(event_time) AS t,
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
      user_agent,
      source_ip_address,
      source_object,
      key_arn,
      source_key_arn,
      grant_id,
      grantee_principal,
      operations,
      retiring_principal,
      get(instance_ids, 0) AS instance,
      get(volume_ids, 0) AS volume,
      get(snapshot_ids, 0) AS snapshot,
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
      coalesce(event_version, '1.0') IN ('1.0', '1.01', '1.02') AS of_old,
      -- The resource of an ARN stands after the fifth colon. The path in it, of a user or role, may be any text.
      coalesce(
        regexp_like(principal_id, '^[^:]*:aws:ec2-infrastructure:')
          OR regexp_like(principal_arn, '^([^:]*:){5}(assumed-)?role/aws:ec2-infrastructure/')
          OR regexp_like(session_issuer_arn, r'^([^:]*:){5}role/aws:ec2-infrastructure\z'),
        false
      ) AS infrastructure,
      coalesce(array_contains(map_keys(encryption_context), 'aws:ebs:id'), false) AS names_ebs,
      -- EC2 and EBS give no other key. A principal gives S3 and other services a context of its own choice.
      exists(
        map_keys(encryption_context),
        key -> regexp_like(key, '^aws:(ecs|rds|workspaces):')
          OR key NOT LIKE 'aws:ebs:%' AND array_contains(map_keys(encryption_context), 'aws:ebs:id')
      ) AS of_others,
      -- The service whose role a grant is for.
      regexp_extract(grantee_principal, '^([^:]*:){5}role/aws-service-role/([^/]*)', 2) AS grantee_service
    FROM events
    WHERE event_source IN ('kms.amazonaws.com', 'kms.amazonaws.com.cn') AND event_time IS NOT NULL
      -- What a VPC endpoint saw of a call that went through: the call has an event of its own.
      AND NOT (coalesce(event_category, '') = 'NetworkActivity' AND error_code IS NULL)
  )
)
