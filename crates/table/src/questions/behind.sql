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
LEFT JOIN events AS launch
  ON launch.event_id = launched.launch_event_id
  -- The first records do not say in whose trail they are.
  AND coalesce(launch.recipient_account_id, launch.principal_account_id) = launched.recipient_account_id
LEFT JOIN (
  SELECT instance_id, caller_instance_id, key_arn, calls, failed_calls, first_call_at, last_call_at
  FROM keys_by_instance
  WHERE instance_id = $instance
  UNION ALL
  -- By software on it, with its role. ClickHouse takes a bare `instance_id` for the one that is selected.
  SELECT caller_instance_id AS instance_id, caller_instance_id, key_arn, calls, failed_calls, first_call_at, last_call_at
  FROM keys_by_instance AS by_key
  WHERE by_key.caller_instance_id = $instance
    AND (by_key.instance_id IS NULL OR by_key.instance_id <> by_key.caller_instance_id)
) AS used ON used.instance_id = asked.instance_id
