-- One row per volume: the first event anywhere that made its data key, an owner's copy last.
SELECT d.volume, d.event_id, d.key_arn
FROM data_keys d
JOIN (
  SELECT volume, min(place) AS place FROM data_keys GROUP BY volume
) f ON f.volume = d.volume AND f.place = d.place
