-- One row per KMS event that touches EC2 or EBS, or may by its grant. `requested`: an EC2 event of its account has its
-- request id. `touches`: it is a row of `correlated` whatever its grant.
SELECT *, touches_alone OR requested AS touches
FROM (
  SELECT
    k.*,
    q.request_id IS NOT NULL AS requested
  FROM kms_calls k
  LEFT JOIN (
    SELECT DISTINCT account, request_id FROM ec2 WHERE request_id IS NOT NULL
  ) q ON q.account = k.account AND q.request_id = k.request_id
)
WHERE touches_alone OR requested OR grant_id IS NOT NULL
