SELECT
  granted.grant_id, granted.key_arn, granted.grantee_principal, granted.instance_id, granted.volume_id,
  granted.snapshot_id, granted.recipient_account_id, granted.aws_region, granted.create_event_id, granted.created_at,
  ended.ended_at
FROM (
  SELECT
    grant_id, key_arn, grantee_principal, instance_id, volume_id, snapshot_id, recipient_account_id, aws_region,
    create_event_id, created_at,
    -- The copy of the key's owner comes last.
    row_number() OVER (
      PARTITION BY grant_id
      ORDER BY
        CASE WHEN substr(key_arn, position(':key/' IN key_arn) - 12, 12) = recipient_account_id THEN 1 ELSE 0 END,
        created_at, create_event_id
    ) AS nth
  FROM grants
) AS granted
LEFT JOIN (
  SELECT grant_id, min(event_time) AS ended_at
  FROM events
  WHERE event_name IN ('RetireGrant', 'RevokeGrant') AND event_source LIKE 'kms.%' AND error_code IS NULL
  GROUP BY grant_id
) AS ended ON ended.grant_id = granted.grant_id
WHERE granted.nth = 1 AND granted.created_at <= $at AND (ended.ended_at IS NULL OR ended.ended_at > $at)
