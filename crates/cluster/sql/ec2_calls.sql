-- One row per EC2 event: what the join reads of it. `t` is its time in milliseconds, `at` the orderable text
-- (time, rid) that stands for it wherever a first, a latest or a nearest event is looked for: 16 digits of
-- milliseconds since 100 trillion before the epoch, so that earlier times sort too, then the row id.
SELECT
  lpad(CAST(t + 100000000000000 AS STRING), 16, '0') || rid AS at,
  *
FROM (
  SELECT
    account || '/' || coalesce(event_id, object || '#' || CAST(object_index AS STRING)) AS rid,
    *
  FROM (
    SELECT
      coalesce(recipient_account_id, principal_account_id, '') AS account,
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
      source_ip_address,
      source_object,
      key_arn,
      instance_ids,
      volume_ids,
      snapshot_ids,
      get(image_ids, 0) AS image_id,
      instance_type,
      reservation_id,
      client_token,
      encrypted
    FROM events
    WHERE event_source IN ('ec2.amazonaws.com', 'ec2.amazonaws.com.cn') AND event_time IS NOT NULL
      -- What a VPC endpoint saw of a call that went through: the call has an event of its own.
      AND NOT (coalesce(event_category, '') = 'NetworkActivity' AND error_code IS NULL)
  )
)
