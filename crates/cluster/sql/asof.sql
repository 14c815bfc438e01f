-- One row per asking key that found an offer: `before`, the latest offer of the key at or before the ask, and `after`, the
-- earliest later one. A key is `scope|slot|..`; the answers of a slot compete, scope 1 first. An extreme that runs over
-- the asks and offers of a key in the order of time is linear in the rows. It runs over those of one day: a key may have
-- so many events that no task should get them all. What other days offer stands in `borders`, a row for each key and day.
WITH
asks_and_offers AS (
  SELECT key, t div 86400000 AS day, t, 1 AS asks, rid, CAST(NULL AS STRING) AS offer FROM IDENTIFIER(:asks)
  UNION ALL
  SELECT key, t div 86400000, t, 0, CAST(NULL AS STRING), offer FROM IDENTIFIER(:offers)
),
borders AS (
  SELECT
    key,
    day,
    max(latest) OVER (PARTITION BY key ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before,
    min(earliest) OVER (PARTITION BY key ORDER BY day DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS after
  FROM (
    SELECT key, day, max(offer) AS latest, min(offer) AS earliest FROM asks_and_offers GROUP BY key, day
  )
)
SELECT rid, t, substr(key, 1, 1) AS scope, split_part(key, '|', 2) AS slot, before, after
FROM (
  SELECT
    d.key,
    d.t,
    d.rid,
    coalesce(d.before, b.before) AS before,
    coalesce(d.after, b.after) AS after
  FROM (
    SELECT
      *,
      -- At one time the offers come first: they count as before.
      max(offer) OVER (
        PARTITION BY key, day ORDER BY t, asks ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS before,
      -- In the reverse order the asks come first: an offer of the same time is none.
      min(offer) OVER (
        PARTITION BY key, day ORDER BY t DESC, asks DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS after
    FROM asks_and_offers
  ) d
  JOIN borders b ON b.key = d.key AND b.day = d.day
  WHERE d.asks = 1
)
WHERE before IS NOT NULL OR after IS NOT NULL
