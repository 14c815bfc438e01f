-- One row per KMS event that has a cause of its own: by its request or a copy's (rule 1), else by what it names
-- (rules 3 to 5). `granted` is the CreateGrant that allowed it where it names no grant.
SELECT
  r.rid,
  coalesce(c.canonical, r.request) AS requested_by,
  coalesce(r.volume, r.snapshot, r.launch) AS named_by,
  CASE
    WHEN coalesce(r.volume, r.snapshot) IS NOT NULL THEN 'resource'
    WHEN r.launch IS NULL THEN NULL
    WHEN r.own_instance IS NOT NULL THEN 'instance'
    ELSE 'volume'
  END AS named_link,
  r.granted
FROM (
  SELECT
    r.rid,
    r.own_instance,
    coalesce(f.request, h.request) AS request,
    f.volume,
    f.snapshot,
    f.launch,
    f.granted
  FROM rows r
  LEFT JOIN found f ON f.rid = r.rid
  LEFT JOIN (
    SELECT rid, request FROM found WHERE request IS NOT NULL
  ) h ON h.rid = r.requested_copy
  WHERE f.rid IS NOT NULL OR h.rid IS NOT NULL
) r
LEFT JOIN (
  SELECT rid, canonical FROM ec2 WHERE canonical <> rid
) c ON c.rid = r.request
