-- One row per row of `correlated`, with the row id of its cause and the rule that found it.
SELECT
  r.*,
  l.instance AS learned_instance,
  coalesce(r.create_event_id, g.event_id) AS grant_event_id,
  coalesce(c.requested_by, coalesce(p.requested_by, p.named_by), c.named_by) AS cause_rid,
  CASE
    WHEN c.requested_by IS NOT NULL THEN 'request_id'
    WHEN coalesce(p.requested_by, p.named_by) IS NOT NULL THEN 'grant'
    ELSE coalesce(c.named_link, 'none')
  END AS link
FROM rows r
LEFT JOIN learned l ON l.rid = r.rid
LEFT JOIN causes c ON c.rid = r.rid
LEFT JOIN causes p ON p.rid = r.create_rid
LEFT JOIN (
  SELECT rid, event_id FROM rows WHERE creates_grant
) g ON g.rid = c.granted
