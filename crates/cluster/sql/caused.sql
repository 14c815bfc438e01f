-- One row per row of `correlated`, with its cause. `serves` is the instance whose launch is told.
SELECT
  *,
  coalesce(instance_id, caller_instance) AS serves
FROM (
  SELECT
    r.*,
    k.link,
    k.grant_event_id,
    k.cause_rid,
    e.event_id AS ec2_event_id,
    e.event_time AS ec2_event_time,
    e.event_name AS ec2_event_name,
    e.principal_arn AS ec2_principal_arn,
    e.source_ip_address AS ec2_source_ip_address,
    e.request_id AS ec2_request_id,
    e.error_code AS ec2_error_code,
    e.source_object AS ec2_source_object,
    r.t - e.t AS delta_ms,
    coalesce(
      r.instance,
      k.learned_instance,
      CASE WHEN k.link = 'request_id' AND array_size(e.instance_ids) = 1 THEN get(e.instance_ids, 0) END
    ) AS instance_id,
    CASE
      WHEN r.volume IS NOT NULL OR r.snapshot IS NOT NULL THEN r.volume
      WHEN k.link = 'request_id' AND array_size(e.volume_ids) = 1 THEN get(e.volume_ids, 0)
    END AS volume_id,
    -- A snapshot beside an instance or a volume is what these were made of.
    CASE
      WHEN r.volume IS NOT NULL OR r.snapshot IS NOT NULL THEN r.snapshot
      WHEN
        k.link = 'request_id'
          AND get(e.instance_ids, 0) IS NULL
          AND get(e.volume_ids, 0) IS NULL
          AND array_size(e.snapshot_ids) = 1
      THEN get(e.snapshot_ids, 0)
    END AS snapshot_id
  FROM rows r
  JOIN linked k ON k.rid = r.rid
  LEFT JOIN ec2 e ON e.rid = k.cause_rid
)
