-- Table `grants`: of the copies of a CreateGrant in one account the first.
SELECT
  r.grant_id,
  r.own_key_arn AS key_arn,
  nullif(r.account, '') AS recipient_account_id,
  nullif(r.region, '') AS aws_region,
  r.event_id AS create_event_id,
  r.event_time AS created_at,
  r.grantee_principal,
  r.own_instance AS instance_id,
  r.own_volume AS volume_id,
  r.own_snapshot AS snapshot_id,
  r.operations,
  r.retiring_principal,
  r.rid
FROM rows r
JOIN (
  SELECT account, grant_id, min(at) AS at
  FROM rows
  WHERE creates_grant AND error_code IS NULL AND grant_id IS NOT NULL
  GROUP BY account, grant_id
) f ON f.at = r.at
