-- The same job for DuckDB: read, filter, extract, join by request and by instance in time, write Parquet. In braces
-- stands what peers.py puts there: places, and what is read and written besides where it is like for like.
SET threads = 2;
CREATE TEMP TABLE calls AS
SELECT
  r ->> 'eventID' AS event_id,
  CAST(r ->> 'eventTime' AS TIMESTAMP) AS event_time,
  r ->> 'eventSource' AS event_source,
  r ->> 'eventName' AS event_name,
  r ->> 'requestID' AS request_id,
  r ->> 'recipientAccountId' AS account,
  r ->> 'errorCode' AS error_code,
  r ->> '$.userIdentity.arn' AS principal_arn,
  r ->> '$.resources[0].ARN' AS key_arn,
  coalesce(
    r ->> '$.requestParameters.encryptionContext."aws:ebs:id"',
    r ->> '$.requestParameters.constraints.encryptionContextSubset."aws:ebs:id"'
  ) AS volume_id,
  coalesce(r ->> '$.responseElements.grantId', r ->> '$.additionalEventData.grantId') AS grant_id,
  coalesce(
    nullif(regexp_extract(r ->> '$.userIdentity.principalId', 'aws:ec2-infrastructure:(i-[0-9a-f]+)', 1), ''),
    nullif(regexp_extract(r ->> '$.requestParameters.granteePrincipal', 'aws:ec2-infrastructure[:/](i-[0-9a-f]+)', 1), ''),
    r ->> '$.responseElements.instancesSet.items[0].instanceId',
    r ->> '$.requestParameters.instancesSet.items[0].instanceId'
  ) AS instance_id{more}
FROM (
  SELECT unnest(CAST(json -> '$.Records' AS JSON[])) AS r
  FROM read_json_objects('{objects}', format = 'unstructured', maximum_object_size = 1073741824)
)
WHERE r ->> 'eventSource' IN ({services}) AND NOT starts_with(r ->> 'eventName', 'Describe');
COPY (
  SELECT k.*, coalesce(q.event_id, a.event_id) AS ec2_event_id, coalesce(q.event_name, a.event_name) AS ec2_event_name
  FROM (
    SELECT * FROM calls
    WHERE event_source = 'kms.amazonaws.com' AND (volume_id IS NOT NULL OR instance_id IS NOT NULL OR grant_id IS NOT NULL)
  ) k
  LEFT JOIN (
    SELECT account, request_id, min(event_id) AS event_id, min(event_name) AS event_name
    FROM calls WHERE event_source = 'ec2.amazonaws.com' GROUP BY ALL
  ) q ON q.account = k.account AND q.request_id = k.request_id
  ASOF LEFT JOIN (
    SELECT instance_id, event_time, event_id, event_name FROM calls
    WHERE event_name IN ('RunInstances', 'StartInstances') AND error_code IS NULL
  ) a ON a.instance_id = k.instance_id AND a.event_time <= k.event_time
) TO '{out}' (FORMAT parquet, COMPRESSION zstd);
{copy}
