-- Table `instances`.
SELECT
  instance AS instance_id,
  nullif(account, '') AS recipient_account_id,
  nullif(region, '') AS aws_region,
  event_id AS launch_event_id,
  event_time AS launched_at,
  principal_arn AS launch_principal_arn,
  root AS root_principal_arn,
  root_source,
  image_id,
  instance_type,
  reservation_id,
  client_token,
  at AS rid
FROM launches l
LEFT JOIN roots o ON o.rid = substr(l.at, 17)
