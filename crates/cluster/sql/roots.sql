-- One row per EC2 event: who stands behind it, and how that is known.
SELECT
  rid,
  CASE root_source WHEN 'service' THEN service WHEN 'source_identity' THEN source_identity ELSE actor END AS root,
  root_source
FROM (
  SELECT
    *,
    CASE
      WHEN service IS NOT NULL THEN 'service'
      WHEN in_session AND source_identity IS NOT NULL THEN 'source_identity'
      WHEN actor IS NULL THEN NULL
      WHEN in_session THEN 'session'
      WHEN is_followed THEN 'assume_role'
      ELSE 'direct'
    END AS root_source
  FROM (
    SELECT
      e.rid,
      e.source_identity,
      f.last IS NOT NULL AS is_followed,
      CASE WHEN f.last IS NULL THEN e.actor ELSE l.actor END AS actor,
      CASE WHEN f.last IS NULL THEN e.service ELSE l.service END AS service,
      CASE WHEN f.last IS NULL THEN e.in_session ELSE l.in_session END AS in_session
    FROM actors e
    LEFT JOIN followed_8 f ON f.issued = e.access_key_id
    LEFT JOIN issued l ON l.issued = f.last
    WHERE e.issued IS NULL
  )
)
