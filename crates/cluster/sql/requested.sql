-- One row per KMS event whose request id an EC2 event of its account has.
SELECT
  k.rid,
  k.at,
  k.shared_event_id,
  k.user_identity_type
FROM kms_calls k
JOIN (
  SELECT DISTINCT account, request_id FROM ec2 WHERE request_id IS NOT NULL
) q ON q.account = k.account AND q.request_id = k.request_id
