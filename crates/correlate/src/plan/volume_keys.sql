-- One row per volume: the first event anywhere that made its data key.
SELECT d.volume, d.event_id, d.key_arn
FROM data_keys d
JOIN (
  SELECT volume, min(at) AS at FROM data_keys GROUP BY volume
) f ON f.volume = d.volume AND f.at = d.at
