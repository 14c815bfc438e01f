-- One row per KMS event that touches EC2 or EBS, or may by its grant. `requested_copy`: of an event that was logged in
-- several accounts, the first copy whose request id an EC2 event of its account has, an owner's copy last.
-- `requested_in`: the account that has an EC2 event of its own request id: its own, or where no copy knows better the
-- caller's. `touches`: it is a row of `correlated` whatever its grant.
SELECT *
FROM (
  SELECT
    k.*,
    CASE WHEN q.rid IS NOT NULL THEN k.account WHEN c.requested_copy IS NULL THEN b.account END AS requested_in,
    c.requested_copy,
    k.touches_alone OR coalesce(q.rid, c.requested_copy, b.account) IS NOT NULL AS touches
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
  LEFT JOIN (
    SELECT DISTINCT account, request_id FROM ec2 WHERE request_id IS NOT NULL
  ) b ON b.account = k.caller_account AND b.request_id = k.request_id
)
WHERE touches OR grant_id IS NOT NULL
