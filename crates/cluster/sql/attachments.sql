-- Table `attachments`.
SELECT
  volume AS volume_id,
  instance AS instance_id,
  nullif(account, '') AS recipient_account_id,
  nullif(region, '') AS aws_region,
  event_time AS attached_at,
  event_id AS source_event_id,
  source,
  rid
FROM evidence
