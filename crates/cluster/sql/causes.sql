-- One row per KMS event that has a cause of its own: by its request or a copy's (rule 1), else by what it names
-- (rules 3 to 5). `granted` is the CreateGrant that allowed it where it names no grant.
SELECT
  rid,
  requested_by,
  substr(CASE WHEN is_made THEN made ELSE launch END, 19) AS named_by,
  CASE
    WHEN is_made THEN 'resource'
    WHEN launch IS NULL THEN NULL
    WHEN own_instance IS NOT NULL THEN 'instance'
    ELSE 'volume'
  END AS named_link,
  granted
FROM (
  SELECT
    *,
    -- The near one goes first, then the later of both.
    coalesce(made LIKE '1%' OR launch IS NULL AND made IS NOT NULL OR substr(made, 3) > substr(launch, 3), false) AS is_made
  FROM (
    SELECT
      r.rid,
      r.own_instance,
      coalesce(c.canonical, r.request) AS requested_by,
      -- The creation of a volume is not a cause once it was attached. A call that serves other services has a cause
      -- nearby.
      CASE WHEN a.rid IS NULL AND (NOT r.external OR r.made LIKE '1%') THEN r.made END AS made,
      r.launch,
      r.granted
    FROM (
      SELECT
        r.rid,
        r.own_instance,
        r.external,
        coalesce(f.request, h.request) AS request,
        coalesce(f.volume, f.snapshot) AS made,
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
    LEFT JOIN (
      SELECT rid FROM ec2 WHERE event_name = 'AttachVolume'
    ) a ON a.rid = substr(r.made, 19)
  )
)
