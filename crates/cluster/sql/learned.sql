-- One row per KMS event that learns its instance: from the evidence nearest in time, of two equally near the earlier.
-- After a DetachVolume the volume is there no more, nor where it was before.
SELECT
  rid,
  trim(TRAILING '-' FROM regexp_replace(min(scope || nearest), '(?s)^.* ', '')) AS instance
FROM (
  SELECT
    rid,
    scope,
    CASE
      WHEN before IS NULL THEN after
      WHEN after IS NULL THEN before
      WHEN t - before_t <= after_t - t THEN before
      ELSE after
    END AS nearest
  FROM (
    SELECT
      *,
      CAST(substr(before, 1, 16) AS BIGINT) - 100000000000000 AS before_t,
      CAST(substr(after, 1, 16) AS BIGINT) - 100000000000000 AS after_t
    FROM (
      SELECT
        rid,
        t,
        scope,
        CASE WHEN max(before) NOT LIKE '%-' THEN max(before) END AS before,
        min(after) AS after
      FROM learn_asof
      GROUP BY rid, t, scope
    )
  )
)
GROUP BY rid
