-- One row per event that shows a volume at an instance.
SELECT rid, at, t, account, region, event_id, event_time, volume, instance, event_name AS source
FROM (
  SELECT *, get(volume_ids, 0) AS volume, get(instance_ids, 0) AS instance
  FROM ec2
  WHERE candidate AND event_name IN ('AttachVolume', 'DetachVolume')
)
WHERE volume IS NOT NULL AND instance IS NOT NULL
UNION ALL
SELECT rid, at, t, account, region, event_id, event_time, own_volume, own_instance, event_name
FROM rows
WHERE teaches
  AND (event_name = 'Decrypt' OR creates_grant AND error_code IS NULL)
  AND own_volume IS NOT NULL
  AND own_instance IS NOT NULL
