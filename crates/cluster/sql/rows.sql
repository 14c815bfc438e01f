-- One row per row of `correlated`: a KMS event with what it takes from its grant. `own_..`: without the grant's.
-- `teaches`: it is trusted and not external, so that its context links and teaches.
SELECT
  k.rid,
  k.at,
  k.t,
  k.account,
  k.region,
  k.event_id,
  k.event_time,
  k.event_name,
  k.error_code,
  k.principal_arn,
  k.principal_account_id,
  k.invoked_by,
  k.request_id,
  k.shared_event_id,
  k.source_object,
  k.grant_id,
  k.grantee_principal,
  k.operations,
  k.retiring_principal,
  k.creates_grant,
  k.ends_grant,
  k.requested_in,
  k.requested_copy,
  k.by_service,
  k.forwarded,
  coalesce(k.user_identity_type = 'AWSAccount', false) AS of_another_account,
  k.external OR coalesce(c.external, false) AS external,
  k.apart OR coalesce(c.apart, false) AS apart,
  k.caller_instance,
  k.instance AS own_instance,
  k.volume AS own_volume,
  k.snapshot AS own_snapshot,
  coalesce(k.instance, c.instance) AS instance,
  coalesce(k.volume, c.volume) AS volume,
  coalesce(k.snapshot, c.snapshot) AS snapshot,
  k.key_arn AS own_key_arn,
  coalesce(k.key_arn, c.key_arn) AS key_arn,
  k.source_key_arn,
  k.trusted OR coalesce(c.trusted, false) AS trusted,
  (k.trusted OR coalesce(c.trusted, false)) AND NOT (k.external OR coalesce(c.external, false)) AS teaches,
  c.rid AS create_rid,
  c.event_id AS create_event_id
FROM kms k
-- The CreateGrant of its grant: the first of the same account, else the first of any.
LEFT JOIN creates s ON s.grant_id = k.grant_id AND s.account = k.account
LEFT JOIN (
  SELECT grant_id, min(at) AS at, bool_or(touches) AS touches FROM creates GROUP BY grant_id
) a ON a.grant_id = k.grant_id
LEFT JOIN creates c ON c.at = CASE WHEN NOT k.creates_grant THEN coalesce(s.at, a.at) END
WHERE k.touches OR a.touches
