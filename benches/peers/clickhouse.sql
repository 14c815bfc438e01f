-- The same job for ClickHouse: read, filter, extract, join by request and by instance in time, write Parquet. In braces
-- stands what peers.py puts there: places, and what is read and written besides where it is like for like.
CREATE TABLE calls ENGINE = Memory AS
WITH arrayJoin(JSONExtractArrayRaw(json, 'Records')) AS r
SELECT
  JSONExtractString(r, 'eventID') AS event_id,
  parseDateTimeBestEffort(JSONExtractString(r, 'eventTime')) AS event_time,
  JSONExtractString(r, 'eventSource') AS event_source,
  JSONExtractString(r, 'eventName') AS event_name,
  JSONExtractString(r, 'requestID') AS request_id,
  JSONExtractString(r, 'recipientAccountId') AS account,
  JSONExtractString(r, 'errorCode') AS error_code,
  JSONExtractString(r, 'userIdentity', 'arn') AS principal_arn,
  JSONExtractString(r, 'resources', 1, 'ARN') AS key_arn,
  if(
    JSONExtractString(r, 'requestParameters', 'encryptionContext', 'aws:ebs:id') != '',
    JSONExtractString(r, 'requestParameters', 'encryptionContext', 'aws:ebs:id'),
    JSONExtractString(r, 'requestParameters', 'constraints', 'encryptionContextSubset', 'aws:ebs:id')
  ) AS volume_id,
  if(
    JSONExtractString(r, 'responseElements', 'grantId') != '',
    JSONExtractString(r, 'responseElements', 'grantId'),
    JSONExtractString(r, 'additionalEventData', 'grantId')
  ) AS grant_id,
  extract(
    concat(
      JSONExtractString(r, 'userIdentity', 'principalId'), ' ',
      JSONExtractString(r, 'requestParameters', 'granteePrincipal'), ' ',
      JSONExtractString(r, 'responseElements', 'instancesSet', 'items', 1, 'instanceId'), ' ',
      JSONExtractString(r, 'requestParameters', 'instancesSet', 'items', 1, 'instanceId')
    ),
    '\\bi-[0-9a-f]{8,17}'
  ) AS instance_id{more}
FROM file('{objects}', 'JSONAsString')
WHERE JSONExtractString(r, 'eventSource') IN ({services})
  AND NOT startsWith(JSONExtractString(r, 'eventName'), 'Describe');
INSERT INTO FUNCTION file('{out}', 'Parquet')
SELECT k.*, if(q.event_id != '', q.event_id, a.event_id) AS ec2_event_id, if(q.event_id != '', q.event_name, a.event_name) AS ec2_event_name
FROM (
  SELECT * FROM calls
  WHERE event_source = 'kms.amazonaws.com' AND (volume_id != '' OR instance_id != '' OR grant_id != '')
) AS k
LEFT JOIN (
  SELECT account, request_id, min(event_id) AS event_id, min(event_name) AS event_name
  FROM calls WHERE event_source = 'ec2.amazonaws.com' GROUP BY account, request_id
) AS q ON q.account = k.account AND q.request_id = k.request_id
ASOF LEFT JOIN (
  SELECT instance_id, event_time, event_id, event_name FROM calls
  WHERE event_name IN ('RunInstances', 'StartInstances') AND error_code = ''
) AS a ON a.instance_id = k.instance_id AND a.event_time <= k.event_time;
{copy}
