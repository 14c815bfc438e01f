-- One row per EC2 event, with the row id of its canonical copy and whether it may be a cause of rules 3 to 5. What EC2
-- itself says of a call may share the id of the call, and is no copy of it.
SELECT
  c.*,
  coalesce(f.canonical, c.rid) AS canonical,
  coalesce(f.canonical, c.rid) = c.rid AND c.error_code IS NULL AS candidate
FROM ec2_calls c
LEFT JOIN (
  -- One row per event that has copies, or might have: the first copy, an owner's copy last.
  SELECT
    shared_event_id,
    event_name,
    substr(min(CASE WHEN user_identity_type = 'AWSAccount' THEN '1' ELSE '0' END || at), 18) AS canonical
  FROM ec2_calls
  WHERE shared_event_id IS NOT NULL
  GROUP BY shared_event_id, event_name
) f ON f.shared_event_id = c.shared_event_id AND f.event_name = c.event_name
