-- One row per key under which a KMS event looks for a cause (slots request, launch, volume, snapshot, taken) or for the
-- CreateGrant that allowed it (slot grant).
SELECT key, t, rid
FROM (
  SELECT
    t,
    rid,
    explode(array(
      '1|request|' || requested_in || '|' || region || '|' || request_id,
      '2|request|' || requested_in || '|' || request_id,
      -- Rules 3 and 5.
      CASE WHEN linkable THEN '1|launch|' || account || '|' || region || '|' || at_instance END,
      CASE WHEN linkable THEN '2|launch|' || at_instance END,
      CASE WHEN linkable THEN '1|launch|' || account || '|' || region || '|' || at_instance || '|' || volume END,
      CASE WHEN linkable THEN '2|launch|' || at_instance || '|' || volume END,
      -- Rule 4.
      CASE WHEN by_resource THEN '1|volume|' || account || '|' || region || '|' || volume END,
      CASE WHEN by_resource AND NOT external THEN '2|volume|' || volume END,
      CASE WHEN by_snapshot THEN '1|snapshot|' || account || '|' || region || '|' || snapshot END,
      CASE WHEN by_snapshot AND NOT external THEN '2|snapshot|' || snapshot END,
      CASE WHEN by_snapshot AND NOT external THEN '1|taken|' || account || '|' || region || '|' || snapshot END,
      CASE WHEN by_snapshot AND NOT external THEN '2|taken|' || snapshot END,
      '1|grant|' || account || '|' || region || '|' || allowed_by,
      '2|grant|' || allowed_by
    )) AS key
  FROM (
    SELECT
      r.*,
      coalesce(r.own_instance, l.instance) AS at_instance,
      r.teaches AND NOT r.ends_grant AS linkable,
      r.trusted AND NOT r.apart AND NOT r.ends_grant AND r.own_instance IS NULL AS by_resource,
      r.trusted AND NOT r.apart AND NOT r.ends_grant AND r.own_instance IS NULL AND r.volume IS NULL AS by_snapshot,
      CASE
        WHEN r.creates_grant OR r.grant_id IS NOT NULL THEN NULL
        WHEN r.own_instance IS NOT NULL THEN r.own_instance || '|' || r.own_volume
        WHEN r.by_service AND NOT r.ends_grant AND NOT r.external THEN coalesce(r.own_volume, r.own_snapshot)
      END AS allowed_by
    FROM rows r
    LEFT JOIN learned l ON l.rid = r.rid
  )
)
WHERE key IS NOT NULL
