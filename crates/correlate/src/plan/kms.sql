-- One row per KMS event that touches EC2 or EBS, or may by its grant. `requested`: an EC2 event of its account has its
-- request id. `requested_copy`: of an event that was logged in several accounts, the first copy of which that is so, an
-- owner's copy last. `touches`: it is a row of `correlated` whatever its grant.
SELECT *
FROM (
  SELECT
    k.*,
    q.rid IS NOT NULL AS requested,
    c.requested_copy,
    k.touches_alone OR q.rid IS NOT NULL OR c.requested_copy IS NOT NULL AS touches
  FROM kms_calls k
  LEFT JOIN requested q ON q.rid = k.rid
  LEFT JOIN (
    SELECT
      shared_event_id,
      substr(min(CASE WHEN user_identity_type = 'AWSAccount' THEN '1' ELSE '0' END || at), 18) AS requested_copy
    FROM requested
    WHERE shared_event_id IS NOT NULL
    GROUP BY shared_event_id
  ) c ON c.shared_event_id = k.shared_event_id
)
WHERE touches OR grant_id IS NOT NULL
