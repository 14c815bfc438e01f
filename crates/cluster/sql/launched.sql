-- One row per row of `correlated` whose instance was launched: the launch, the first of the same account and region,
-- else the first of any.
SELECT
  r.rid,
  substr(l.at, 17) AS launch_rid,
  l.event_id,
  l.event_time,
  l.principal_arn
FROM (
  SELECT rid, account, region, serves FROM caused WHERE serves IS NOT NULL
) r
LEFT JOIN launches s ON s.instance = r.serves AND s.account = r.account AND s.region = r.region
JOIN (
  SELECT instance, min(at) AS at FROM launches GROUP BY instance
) a ON a.instance = r.serves
JOIN launches l ON l.instance = r.serves AND l.at = coalesce(s.at, a.at)
