-- One row per access key that STS issued: to whom. Of copies the caller's goes before the role's owner's.
SELECT
  f.issued,
  e.access_key_id,
  e.actor,
  e.service,
  e.in_session
FROM (
  SELECT issued, substr(min(CASE WHEN of_another_account THEN '1' ELSE '0' END || at), 2) AS at
  FROM actors
  WHERE issued IS NOT NULL
  GROUP BY issued
) f
JOIN actors e ON e.at = f.at AND e.issued = f.issued
