-- One row per key under which an event may be found.
-- EC2 events by their request, failed ones too; of several at one time the first row id stands for all.
SELECT key, t, min(at) AS offer
FROM (
  SELECT
    explode(array(
      '1|request|' || e.account || '|' || e.region || '|' || e.request_id,
      '2|request|' || e.account || '|' || e.request_id
    )) AS key,
    e.t,
    e.at
  FROM ec2 e
  JOIN (
    SELECT DISTINCT requested_in AS account, request_id FROM rows WHERE requested_in IS NOT NULL
  ) r ON r.account = e.account AND r.request_id = e.request_id
)
GROUP BY key, t
UNION ALL
-- Candidates by what they name.
SELECT
  explode(array('1|' || slot || '|' || account || '|' || region || '|' || id, '2|' || slot || '|' || id)) AS key,
  t,
  at AS offer
FROM (
  SELECT 'launch' AS slot, account, region, instance AS id, t, at FROM launches
  UNION ALL
  SELECT 'launch', account, region, explode(instance_ids), t, at
  FROM ec2
  WHERE candidate AND event_name IN ('StartInstances', 'CreateReplaceRootVolumeTask')
  UNION ALL
  SELECT 'launch', account, region, instance || '|' || volume, t, at
  FROM ec2
  LATERAL VIEW explode(instance_ids) AS instance
  LATERAL VIEW explode(volume_ids) AS volume
  WHERE candidate AND event_name = 'AttachVolume'
  UNION ALL
  SELECT 'volume', account, region, volume, t, at FROM created
  UNION ALL
  SELECT 'volume', account, region, explode(volume_ids), t, at
  FROM ec2
  WHERE candidate AND event_name = 'AttachVolume'
  UNION ALL
  SELECT 'snapshot', account, region, explode(snapshot_ids), t, at FROM created
  UNION ALL
  SELECT 'snapshot', account, region, explode(snapshot_ids), t, at
  FROM ec2
  WHERE candidate AND event_name IN ('CopySnapshot', 'ImportSnapshot')
  UNION ALL
  -- An event that took a snapshot calls no KMS itself.
  SELECT 'taken', account, region, explode(snapshot_ids), t, at
  FROM ec2
  WHERE candidate AND event_name IN ('CreateSnapshot', 'CreateSnapshots')
)
WHERE id IS NOT NULL
UNION ALL
-- CreateGrants by the instance and volume that they serve; those to a service by the volume and the snapshot that they
-- are limited to.
SELECT explode(array('1|grant|' || account || '|' || region || '|' || id, '2|grant|' || id)), t, at
FROM (
  SELECT account, region, own_instance || '|' || own_volume AS id, t, at
  FROM rows
  WHERE creates_grant AND error_code IS NULL AND trusted
  UNION ALL
  SELECT account, region, explode(array(own_volume, own_snapshot)), t, at
  FROM rows
  WHERE creates_grant AND error_code IS NULL AND teaches AND own_instance IS NULL
)
WHERE id IS NOT NULL
