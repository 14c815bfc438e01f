-- One row per account and grant: its first CreateGrant there. `touches`: a CreateGrant of it there is a row.
SELECT
  f.account,
  f.grant_id,
  f.at,
  f.touches,
  k.rid,
  k.event_id,
  k.instance,
  k.volume,
  k.snapshot,
  k.key_arn,
  k.trusted,
  k.external,
  k.apart
FROM (
  SELECT account, grant_id, min(at) AS at, bool_or(touches) AS touches
  FROM kms
  WHERE creates_grant AND grant_id IS NOT NULL
  GROUP BY account, grant_id
) f
JOIN kms k ON k.at = f.at
