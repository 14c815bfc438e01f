-- One row per asking key and direction that found an offer: `before`, the latest offer of the key at or before the
-- ask, or `after`, the earliest later one. A key is `scope|slot|..`; the answers of a slot compete, scope 1 first.
-- Each half is a running extreme over the asks and offers of a key in the order of time, so it is linear in the rows.
SELECT rid, t, substr(key, 1, 1) AS scope, split_part(key, '|', 2) AS slot, before, CAST(NULL AS STRING) AS after
FROM (
  SELECT
    *,
    -- At one time the offers come first: they count as before.
    max(offer) OVER (PARTITION BY key ORDER BY t, asks ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
  FROM (
    SELECT key, t, 1 AS asks, rid, CAST(NULL AS STRING) AS offer FROM IDENTIFIER(:asks)
    UNION ALL
    SELECT key, t, 0, CAST(NULL AS STRING), offer FROM IDENTIFIER(:offers)
  )
)
WHERE asks = 1 AND before IS NOT NULL
UNION ALL
SELECT rid, t, substr(key, 1, 1), split_part(key, '|', 2), CAST(NULL AS STRING), after
FROM (
  SELECT
    *,
    -- In the reverse order the asks come first: an offer of the same time is none.
    min(offer) OVER (
      PARTITION BY key ORDER BY t DESC, asks DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS after
  FROM (
    SELECT key, t, 1 AS asks, rid, CAST(NULL AS STRING) AS offer FROM IDENTIFIER(:asks)
    UNION ALL
    SELECT key, t, 0, CAST(NULL AS STRING), offer FROM IDENTIFIER(:offers)
  )
)
WHERE asks = 1 AND after IS NOT NULL
