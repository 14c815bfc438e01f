-- Table `instances`.
SELECT
  instance AS instance_id,
  nullif(account, '') AS recipient_account_id,
  nullif(region, '') AS aws_region,
  event_id AS launch_event_id,
  event_time AS launched_at,
  principal_arn AS launch_principal_arn,
  image_id,
  instance_type,
  reservation_id,
  client_token,
  at AS rid
FROM launches
