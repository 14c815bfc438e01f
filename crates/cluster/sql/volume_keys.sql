-- One row per volume: the first event anywhere that made its data key, in the same order.
SELECT d.volume, d.made_by, d.key_arn
FROM data_keys d
JOIN (
  SELECT volume, min(place) AS place FROM data_keys GROUP BY volume
) f ON f.volume = d.volume AND f.place = d.place
