-- Each column is named: ClickHouse would call one by its table, too, where several tables have it. It also has 0 for a count
-- that is joined to nothing, as all engines have here.
SELECT
  asked.instance_id AS instance_id, launched.launch_principal_arn AS launch_principal_arn,
  launched.root_principal_arn AS root_principal_arn, launch.event_name AS launched_by, launch.invoked_by AS invoked_by,
  launch.user_agent AS user_agent, launch.source_ip_address AS source_ip_address, launched.launched_at AS launched_at,
  launched.launch_event_id AS launch_event_id, used.key_arn AS key_arn, used.caller_instance_id AS caller_instance_id,
  coalesce(used.calls, 0) AS calls, coalesce(used.failed_calls, 0) AS failed_calls,
  used.first_call_at AS first_call_at, used.last_call_at AS last_call_at
FROM (
  -- Its launch may be older than the lake.
  SELECT DISTINCT instance_id
  FROM (
    SELECT instance_id FROM instances WHERE instance_id = $instance
    UNION ALL
    SELECT instance_id FROM correlated WHERE instance_id = $instance
    UNION ALL
    SELECT caller_instance_id AS instance_id FROM correlated WHERE caller_instance_id = $instance
  ) AS seen
) AS asked
LEFT JOIN instances AS launched ON launched.instance_id = asked.instance_id
LEFT JOIN (
  SELECT
    event_id, event_name, invoked_by, user_agent, source_ip_address,
    -- The first records do not say in whose trail they are.
    coalesce(recipient_account_id, principal_account_id) AS account_id
  FROM events
  UNION ALL
  -- Those of pruned days.
  SELECT
    event_id, event_name, invoked_by, user_agent, source_ip_address,
    coalesce(recipient_account_id, principal_account_id) AS account_id
  FROM remembered
) AS launch ON launch.event_id = launched.launch_event_id AND launch.account_id = launched.recipient_account_id
LEFT JOIN (
  -- By its volumes and grants, and by software on it, with its role.
  SELECT
    $instance AS instance_id, caller_instance_id, key_arn, count(*) AS calls,
    sum(CASE WHEN kms_error_code IS NULL THEN 0 ELSE 1 END) AS failed_calls,
    min(kms_event_time) AS first_call_at, max(kms_event_time) AS last_call_at
  FROM (
    SELECT
      *, $nth_call
    FROM correlated
    WHERE instance_id = $instance OR caller_instance_id = $instance
  ) AS logged
  WHERE nth = 1 AND key_arn IS NOT NULL
  GROUP BY caller_instance_id, key_arn
) AS used ON used.instance_id = asked.instance_id
