-- One row per KMS event that found anything: the row id found in each slot, a near one before any other, then the first
-- scope's. No request is nearer than another. A find by what the event names is `1` where it is near, else `2`, then the
-- scope, then its `at`: time and row id.
SELECT
  rid,
  substr(min(CASE WHEN slot = 'request' THEN found END), 19) AS request,
  min(CASE WHEN slot = 'launch' THEN found END) AS launch,
  min(CASE WHEN slot = 'volume' THEN found END) AS volume,
  coalesce(
    min(CASE WHEN slot = 'snapshot' THEN found END),
    min(CASE WHEN slot = 'taken' THEN found END)
  ) AS snapshot,
  substr(min(CASE WHEN slot = 'grant' THEN found END), 19) AS granted
FROM (
  SELECT
    rid,
    slot,
    CASE
      WHEN slot = 'request' THEN '1' || scope || coalesce(before, after)
      WHEN t - before_t <= 600000 THEN '1' || scope || before
      WHEN after_t - t <= 10000 THEN '1' || scope || after
      ELSE '2' || scope || before
    END AS found
  FROM (
    SELECT
      *,
      CAST(substr(before, 1, 16) AS BIGINT) - 100000000000000 AS before_t,
      CAST(substr(after, 1, 16) AS BIGINT) - 100000000000000 AS after_t
    FROM (
      SELECT rid, t, slot, scope, max(before) AS before, min(after) AS after FROM asof GROUP BY rid, t, slot, scope
    )
  )
)
GROUP BY rid
