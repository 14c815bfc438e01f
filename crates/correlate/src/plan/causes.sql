-- One row per KMS event that has a cause of its own: by its request (rule 1), else by what it names (rules 3 to 5).
-- `granted` is the CreateGrant that allowed it where it names no grant.
SELECT
  r.rid,
  coalesce(c.canonical, f.request) AS requested_by,
  coalesce(f.volume, f.snapshot, f.launch) AS named_by,
  CASE
    WHEN coalesce(f.volume, f.snapshot) IS NOT NULL THEN 'resource'
    WHEN f.launch IS NULL THEN NULL
    WHEN r.own_instance IS NOT NULL THEN 'instance'
    ELSE 'volume'
  END AS named_link,
  f.granted
FROM rows r
JOIN found f ON f.rid = r.rid
LEFT JOIN (
  SELECT rid, canonical FROM ec2 WHERE canonical <> rid
) c ON c.rid = f.request
