-- One row per row of `correlated`: the row id of its cause, the rule that found it, and what else it learned.
SELECT
  r.rid,
  l.instance AS learned_instance,
  coalesce(r.create_event_id, g.event_id) AS grant_event_id,
  coalesce(c.requested_by, p.requested_by, p.named_by, c.named_by) AS cause_rid,
  CASE
    WHEN c.requested_by IS NOT NULL THEN 'request_id'
    WHEN coalesce(p.requested_by, p.named_by) IS NOT NULL THEN 'grant'
    ELSE coalesce(c.named_link, 'none')
  END AS link
FROM (
  SELECT rid, create_rid, create_event_id FROM rows
) r
LEFT JOIN learned l ON l.rid = r.rid
LEFT JOIN causes c ON c.rid = r.rid
-- The cause of its grant.
LEFT JOIN causes p ON p.rid = r.create_rid
-- The CreateGrant that allowed it.
LEFT JOIN (
  SELECT rid, event_id FROM rows WHERE creates_grant
) g ON g.rid = c.granted
