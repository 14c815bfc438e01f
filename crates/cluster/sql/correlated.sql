-- Table `correlated`.
SELECT
  r.event_id AS kms_event_id,
  r.event_time AS kms_event_time,
  r.event_name AS kms_event_name,
  r.error_code AS kms_error_code,
  r.principal_arn AS kms_principal_arn,
  r.principal_account_id AS kms_principal_account_id,
  r.invoked_by AS kms_invoked_by,
  r.request_id AS kms_request_id,
  r.shared_event_id,
  nullif(r.account, '') AS recipient_account_id,
  nullif(r.region, '') AS aws_region,
  r.key_arn,
  nullif(split_part(r.key_arn, ':', 5), '') AS key_account_id,
  r.source_key_arn,
  r.grant_id,
  r.instance_id,
  r.volume_id,
  r.snapshot_id,
  r.caller_instance AS caller_instance_id,
  r.ec2_event_id,
  r.ec2_event_time,
  r.ec2_event_name,
  r.ec2_principal_arn,
  r.ec2_source_ip_address,
  r.ec2_request_id,
  r.ec2_error_code,
  r.link,
  CASE
    WHEN r.link IN ('request_id', 'grant') THEN 'exact'
    -- An event that took a snapshot calls no KMS itself.
    WHEN r.link = 'resource' AND r.ec2_event_name IN ('CreateSnapshot', 'CreateSnapshots') THEN 'inferred'
    WHEN r.link = 'resource' AND r.delta_ms BETWEEN -10000 AND 600000 THEN 'exact'
    WHEN r.link = 'instance' AND r.delta_ms BETWEEN -10000 AND 600000 THEN 'strong'
    WHEN r.link IN ('instance', 'resource', 'volume') THEN 'inferred'
  END AS confidence,
  CASE
    WHEN r.link <> 'none' THEN NULL
    WHEN r.external THEN 'external_service'
    WHEN r.caller_instance IS NOT NULL AND (
      NOT r.trusted
        OR NOT r.forwarded AND r.instance IS NULL AND r.volume IS NULL AND r.snapshot IS NULL
    ) THEN 'instance_role'
    WHEN r.error_code IS NOT NULL THEN 'denied'
    WHEN r.ends_grant AND r.create_rid IS NULL THEN 'outside_lookback'
    ELSE 'no_ec2_event'
  END AS unmatched_reason,
  r.delta_ms,
  l.event_id AS launch_event_id,
  l.event_time AS launch_event_time,
  l.principal_arn AS launch_principal_arn,
  o.root AS root_principal_arn,
  o.root_source,
  r.grant_event_id,
  d.made_by AS data_key_event_id,
  r.source_object AS kms_source_object,
  r.ec2_source_object,
  r.rid
FROM caused r
LEFT JOIN launched l ON l.rid = r.rid
LEFT JOIN roots o ON o.rid = coalesce(r.cause_rid, l.launch_rid)
LEFT JOIN volume_keys d ON d.volume = CASE WHEN r.teaches THEN r.volume END
