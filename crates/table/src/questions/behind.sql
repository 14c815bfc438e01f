SELECT
  asked.instance_id, launched.launch_principal_arn, launched.root_principal_arn, launch.event_name AS launched_by,
  launch.invoked_by, launch.user_agent, launch.source_ip_address, launched.launched_at, launched.launch_event_id,
  used.key_arn, used.calls, used.failed_calls, used.first_call_at, used.last_call_at
FROM (
  -- Its launch may be older than the lake.
  SELECT DISTINCT instance_id
  FROM (
    SELECT instance_id FROM instances WHERE instance_id = $instance
    UNION ALL
    SELECT instance_id FROM correlated WHERE instance_id = $instance
  ) AS seen
) AS asked
LEFT JOIN instances AS launched ON launched.instance_id = asked.instance_id
LEFT JOIN events AS launch
  ON launch.event_id = launched.launch_event_id AND launch.recipient_account_id = launched.recipient_account_id
LEFT JOIN keys_by_instance AS used ON used.instance_id = asked.instance_id
