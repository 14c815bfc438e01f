-- Table `grants`: of the copies of a CreateGrant the first, an owner's last; and of what ended the grant alike.
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
  e.event_id AS end_event_id,
  e.event_time AS ended_at,
  e.principal_arn AS ended_by_arn,
  r.rid
FROM (
  SELECT
    grant_id,
    substr(min(CASE WHEN creates_grant THEN place END), 2) AS created,
    substr(min(CASE WHEN ends_grant THEN place END), 2) AS ended
  FROM (
    SELECT grant_id, creates_grant, ends_grant, CASE WHEN of_another_account THEN '1' ELSE '0' END || at AS place
    FROM rows
    WHERE (creates_grant OR ends_grant) AND error_code IS NULL AND grant_id IS NOT NULL
  )
  GROUP BY grant_id
) f
JOIN rows r ON r.at = f.created
LEFT JOIN rows e ON e.at = f.ended
