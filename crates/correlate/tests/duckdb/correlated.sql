-- The join of docs/join.md, asked of DuckDB: another engine, another formulation, the same rows.
-- Needs: views `events` and `sessions` over the lake's. Leaves: the temporary table `answer`.
-- Equal joins, windows and ASOF joins only, so it stays quick where a volume or an instance has thousands of events.

-- ---------------------------------------------------------------------------------------------------- rows --

-- KMS, EC2 and STS events with account, region, time in milliseconds and row id.
CREATE TEMP TABLE logged AS
SELECT
    e.*,
    coalesce(recipient_account_id, principal_account_id, '') AS account,
    coalesce(aws_region, '') AS region,
    epoch_ms(event_time) AS t,
    account || '/' || coalesce(event_id, coalesce(source_object, '') || '#' || coalesce(source_index, 0)) AS rid,
    event_source[:3] AS service,
    -- The first copy of an event that was logged in several accounts: the owner's copy last.
    first_value(rid) OVER (
        PARTITION BY service, coalesce(event_name, ''), coalesce('copies of ' || shared_event_id, 'only ' || rid)
        ORDER BY user_identity_type IS NOT DISTINCT FROM 'AWSAccount', t, rid
    ) AS canonical
FROM (
    FROM events
    UNION ALL BY NAME
    SELECT 'sts.amazonaws.com' AS event_source, * EXCLUDE (issued_to) FROM sessions
) AS e
WHERE regexp_full_match(event_source, '(kms|ec2|sts)\.amazonaws\.com(\.cn)?');

CREATE TEMP TABLE ec2 AS FROM logged WHERE service = 'ec2';

-- What can be a cause without an equal request id, but for what a retry answers with again.
CREATE TEMP TABLE successes AS SELECT * FROM ec2 WHERE rid = canonical AND error_code IS NULL;

-- Successful launches, one row per instance; `nth` counts those of one instance in one place.
CREATE TEMP TABLE launches AS
SELECT *, row_number() OVER (PARTITION BY account, region, instance ORDER BY t, rid) AS nth
FROM (
    SELECT DISTINCT rid, account, region, t, unnest(instance_ids) AS instance
    FROM successes WHERE event_name = 'RunInstances'
);

-- The first CreateVolume of each volume in one place.
CREATE TEMP TABLE creations AS
SELECT * FROM (
    SELECT DISTINCT rid, account, region, t, snapshot_ids, unnest(volume_ids) AS volume
    FROM successes WHERE event_name = 'CreateVolume'
)
QUALIFY row_number() OVER (PARTITION BY account, region, volume ORDER BY t, rid) = 1;

-- Tells whether a service, by the text before `.amazonaws.com`, is EC2, EBS, or launches instances.
CREATE TEMP MACRO is_family(name) AS regexp_full_match(name,
    'ec2-frontend-api|ec2(\.[a-z0-9-]+)?|ebs|autoscaling|spot|spotfleet|ec2fleet|prod\.kms-caller\.ebs\.[a-z0-9-]+');

-- KMS events with their flags.
CREATE TEMP TABLE kms_alone AS
WITH told AS (
    SELECT
        *,
        instance_ids[1] AS instance, volume_ids[1] AS volume, snapshot_ids[1] AS snapshot,
        -- The copy of a key's owner has the service in the address only.
        coalesce(
            invoked_by,
            CASE WHEN regexp_matches(source_ip_address, '\.amazonaws\.com(\.cn)?$') THEN source_ip_address END
        ) AS called_by,
        regexp_extract(called_by, '^(.*?)\.amazonaws\.com(\.cn)?$', 1) AS invoker,
        coalesce(map_keys(encryption_context), []) AS context,
        coalesce(user_identity_type = 'AWSService', false) AS by_service,
        coalesce(contains(principal_id, ':aws:ec2-infrastructure:'), false)
            OR coalesce(contains(principal_arn, '/aws:ec2-infrastructure/'), false)
            OR coalesce(session_issuer_arn LIKE '%:role/aws:ec2-infrastructure', false) AS infrastructure
    FROM logged WHERE service = 'kms'
)
SELECT
    *,
    list_has_any(
        [invoked_by, user_agent, source_ip_address],
        ['ec2-frontend-api.amazonaws.com', 'ec2-frontend-api.amazonaws.com.cn']
    ) AS forwarded,
    -- No EC2 event caused it, even if one names the volume or the snapshot.
    coalesce(invoker = 'ebs', false) AND NOT by_service
        OR len(list_filter(context, lambda key: regexp_matches(key, '^aws:(ecs|rds|workspaces):'))) > 0 AS apart_alone,
    apart_alone
        OR called_by IS NOT NULL AND called_by NOT IN ('AWS Internal', 'Amazon Internal') AND NOT is_family(invoker)
        AS external_alone,
    -- A grant to the role that a service which launches instances has in an account.
    coalesce(is_family(regexp_extract(
        grantee_principal, ':role/aws-service-role/([^/]*?)\.amazonaws\.com(\.cn)?(/|$)', 1)), false) AS to_family,
    infrastructure
        OR by_service
        OR called_by IS NOT NULL
        OR coalesce(source_ip_address = 'AWS Internal', false)
        OR coalesce(user_agent IN ('AWS Internal', '&AWS; Internal'), false)
            AND coalesce(event_version IN ('1.0', '1.01', '1.02'), true) AS trusted_alone,
    CASE WHEN user_identity_type = 'AssumedRole' AND NOT infrastructure
              AND regexp_full_match(lower(session_name), 'i-([0-9a-f]{8}|[0-9a-f]{17})')
         THEN lower(session_name) END AS caller_instance,
    coalesce(event_name = 'CreateGrant', false) AS creates_grant,
    coalesce(event_name IN ('RetireGrant', 'RevokeGrant'), false) AS ends_grant
FROM told;

-- With what an event takes from the CreateGrant of its grant: of the same account first, then the earliest.
CREATE TEMP TABLE kms AS
WITH granted AS (
    SELECT k.rid, g.rid AS grant_rid, g.trusted_alone, g.external_alone, g.apart_alone,
        g.instance, g.volume, g.snapshot, g.key_arn
    FROM kms_alone AS k
    JOIN kms_alone AS g ON g.grant_id = k.grant_id AND g.creates_grant
    WHERE NOT k.creates_grant
    QUALIFY row_number() OVER (PARTITION BY k.rid ORDER BY g.account <> k.account, g.t, g.rid) = 1
)
SELECT
    k.* EXCLUDE (key_arn),
    g.grant_rid,
    k.trusted_alone OR coalesce(g.trusted_alone, false) AS trusted,
    k.external_alone OR coalesce(g.external_alone, false) AS external,
    k.apart_alone OR coalesce(g.apart_alone, false) AS apart,
    trusted AND NOT external AS teaches,
    coalesce(k.instance, g.instance) AS instance_known,
    coalesce(k.volume, g.volume) AS volume_known,
    coalesce(k.snapshot, g.snapshot) AS snapshot_known,
    coalesce(k.key_arn, g.key_arn) AS key_arn
FROM kms_alone AS k LEFT JOIN granted AS g ON g.rid = k.rid;

-- The EC2 event of a KMS event's request, whether it failed or not, in its own account and in the caller's.
CREATE TEMP TABLE requests AS
SELECT k.rid, e.account = k.account AS is_own, e.canonical AS cause
FROM kms AS k JOIN ec2 AS e ON e.account IN (k.account, k.principal_account_id) AND e.request_id = k.request_id
QUALIFY row_number() OVER (
    PARTITION BY k.rid, is_own ORDER BY e.region <> k.region, e.t > k.t, abs(k.t - e.t), e.rid
) = 1;

-- Rule 1: that of its own request, else of the first copy's which has one, an owner's copy last, else in the caller's
-- account.
CREATE TEMP TABLE by_request AS
WITH of_copies AS (
    SELECT k.shared_event_id, r.cause
    FROM requests AS r JOIN kms AS k ON k.rid = r.rid
    WHERE r.is_own AND k.shared_event_id IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY k.shared_event_id ORDER BY k.user_identity_type IS NOT DISTINCT FROM 'AWSAccount', k.t, k.rid
    ) = 1
)
SELECT k.rid, coalesce(own.cause, copied.cause, called.cause) AS cause
FROM kms AS k
LEFT JOIN requests AS own ON own.rid = k.rid AND own.is_own
LEFT JOIN of_copies AS copied ON copied.shared_event_id = k.shared_event_id
LEFT JOIN requests AS called ON called.rid = k.rid AND NOT called.is_own
WHERE coalesce(own.cause, copied.cause, called.cause) IS NOT NULL;

-- The KMS events that are rows.
CREATE TEMP TABLE kms_rows AS
WITH touching AS (
    SELECT * FROM kms AS k
    WHERE infrastructure OR list_contains(context, 'aws:ebs:id')
        OR instance IS NOT NULL OR volume IS NOT NULL OR snapshot IS NOT NULL
        OR forwarded OR caller_instance IS NOT NULL OR to_family
        OR rid IN (SELECT rid FROM by_request)
)
FROM touching
UNION
SELECT k.* FROM kms AS k SEMI JOIN (FROM touching WHERE creates_grant) AS g ON g.grant_id = k.grant_id;

-- -------------------------------------------------------------------------------------------------- as-of --

-- For each asking `rid` the offer of one of its keys: the latest before it if that is near, else the earliest
-- within ten seconds after it, else the latest before it. One that is near goes first, then one of the same account and
-- region (scope 1), then one of any (scope 2).
CREATE TEMP MACRO as_of(asking, offering) AS TABLE
WITH asks AS (
    SELECT 1 AS scope, rid, t, concat_ws('|', account, region, key) AS key FROM query_table(asking)
    UNION ALL SELECT 2, rid, t, key FROM query_table(asking)
),
offers AS (
    SELECT 1 AS scope, rid, t, concat_ws('|', account, region, key) AS key FROM query_table(offering)
    UNION ALL SELECT 2, rid, t, key FROM query_table(offering)
),
before AS (
    SELECT a.rid, a.scope, max({t: o.t, rid: o.rid}) AS best
    FROM asks AS a
    ASOF JOIN (SELECT scope, key, t, max(rid) AS rid FROM offers GROUP BY ALL) AS o
        ON o.scope = a.scope AND o.key = a.key AND o.t <= a.t
    GROUP BY ALL
),
after AS (
    SELECT a.rid, a.scope, min({t: o.t, rid: o.rid}) AS best
    FROM asks AS a
    ASOF JOIN (SELECT scope, key, t, min(rid) AS rid FROM offers GROUP BY ALL) AS o
        ON o.scope = a.scope AND o.key = a.key AND o.t > a.t
    WHERE o.t <= a.t + 10_000
    GROUP BY ALL
)
SELECT rid, choice.rid AS found, choice.t AS found_t, scope, t - choice.t <= 600_000 AS is_near
FROM (
    SELECT
        a.rid, a.scope, a.t,
        CASE WHEN a.t - b.best.t <= 600_000 THEN b.best ELSE coalesce(f.best, b.best) END AS choice
    FROM (SELECT DISTINCT scope, rid, t FROM asks) AS a
    LEFT JOIN before AS b ON b.rid = a.rid AND b.scope = a.scope
    LEFT JOIN after AS f ON f.rid = a.rid AND f.scope = a.scope
)
WHERE choice IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY rid ORDER BY t - choice.t > 600_000, scope) = 1;

-- ------------------------------------------------------------------------------------------------ learned --

-- The events that show a volume at an instance. After a DetachVolume it is there no more, nor where it was before.
CREATE TEMP TABLE evidence AS
SELECT
    rid, account, region, t, volume_ids[1] AS volume, instance_ids[1] AS instance,
    event_name <> 'DetachVolume' AS is_there
FROM successes WHERE event_name IN ('AttachVolume', 'DetachVolume') AND volume IS NOT NULL AND instance IS NOT NULL
UNION ALL
SELECT rid, account, region, t, volume, instance, true
FROM kms
WHERE (event_name = 'Decrypt' OR creates_grant AND error_code IS NULL)
    AND teaches AND volume IS NOT NULL AND instance IS NOT NULL;

-- The instance that an event's volume was at: by the nearest evidence on either side, the earlier of two.
CREATE TEMP TABLE learned AS
WITH asks AS (
    SELECT 1 AS scope, rid, t, concat_ws('|', account, region, volume_known) AS key
    FROM kms_rows WHERE teaches AND instance_known IS NULL AND volume_known IS NOT NULL
    UNION ALL
    SELECT 2, rid, t, volume_known
    FROM kms_rows WHERE teaches AND instance_known IS NULL AND volume_known IS NOT NULL
),
shown AS (
    SELECT 1 AS scope, concat_ws('|', account, region, volume) AS key, t,
        (max({'rid': rid, 'instance': CASE WHEN is_there THEN instance END})).instance AS last, arg_min(instance, rid) AS first
    FROM evidence GROUP BY ALL
    UNION ALL
    SELECT 2, volume, t, (max({'rid': rid, 'instance': CASE WHEN is_there THEN instance END})).instance, arg_min(instance, rid)
    FROM evidence GROUP BY ALL
),
sides AS (
    SELECT a.rid, a.scope, a.t - s.t AS distance, 1 AS side, s.last AS instance
    FROM asks AS a
    ASOF JOIN shown AS s ON s.scope = a.scope AND s.key = a.key AND s.t <= a.t
    WHERE s.last IS NOT NULL
    UNION ALL
    SELECT a.rid, a.scope, s.t - a.t, 2, s.first
    FROM asks AS a ASOF JOIN shown AS s ON s.scope = a.scope AND s.key = a.key AND s.t > a.t
)
SELECT rid, instance FROM sides
QUALIFY row_number() OVER (PARTITION BY rid ORDER BY scope, distance, side) = 1;

-- ------------------------------------------------------------------------------------------------- causes --

-- Rules 3 and 5: what was done to the instance that the event names, or else to the one that it learned of.
-- An attachment counts when it is of the event's volume.
CREATE TEMP TABLE instance_asks AS
WITH known AS (
    SELECT k.rid, k.t, k.account, k.region, coalesce(k.instance, l.instance) AS instance, k.volume_known AS volume
    FROM kms_rows AS k LEFT JOIN learned AS l ON l.rid = k.rid
    WHERE k.teaches AND NOT k.ends_grant
)
SELECT rid, t, account, region, instance AS key FROM known WHERE instance IS NOT NULL
UNION ALL
SELECT rid, t, account, region, concat_ws(' ', instance, volume) FROM known
WHERE instance IS NOT NULL AND volume IS NOT NULL;

CREATE TEMP TABLE instance_offers AS
SELECT rid, t, account, region, instance AS key FROM launches WHERE nth = 1
UNION ALL
SELECT rid, t, account, region, unnest(instance_ids)
FROM successes WHERE event_name IN ('StartInstances', 'CreateReplaceRootVolumeTask')
UNION ALL
SELECT rid, t, account, region, concat_ws(' ', instance, volume)
FROM (
    SELECT rid, t, account, region, volume, unnest(instance_ids) AS instance
    FROM (SELECT *, unnest(volume_ids) AS volume FROM successes WHERE event_name = 'AttachVolume')
);

CREATE TEMP TABLE by_instance AS SELECT rid, found AS cause, found_t AS t FROM as_of('instance_asks', 'instance_offers');

-- Rule 4: the creation of the volume, unless something attached it since; without a volume, the event that created or
-- used the snapshot. Not for events that name an instance. Another service's call asks in its own account and region
-- only.
CREATE TEMP TABLE volume_asks AS
SELECT rid, t, account, region, volume_known AS key
FROM kms_rows WHERE teaches AND NOT ends_grant AND instance IS NULL AND volume_known IS NOT NULL;

CREATE TEMP TABLE volume_offers AS
SELECT rid, t, account, region, volume AS key FROM creations
UNION ALL
SELECT rid, t, account, region, unnest(volume_ids) FROM successes WHERE event_name = 'AttachVolume';

CREATE TEMP TABLE snapshot_asks AS
SELECT rid, t, account, region, snapshot_known AS key
FROM kms_rows
WHERE teaches AND NOT ends_grant AND instance IS NULL AND volume_known IS NULL AND snapshot_known IS NOT NULL;

CREATE TEMP TABLE snapshot_offers AS
SELECT rid, t, account, region, unnest(snapshot_ids) AS key FROM creations
UNION ALL
SELECT rid, t, account, region, unnest(snapshot_ids)
FROM successes WHERE event_name IN ('CopySnapshot', 'ImportSnapshot');

-- What took a snapshot calls no KMS itself, so it comes last.
CREATE TEMP TABLE taking_offers AS
SELECT rid, t, account, region, unnest(snapshot_ids) AS key
FROM successes WHERE event_name IN ('CreateSnapshot', 'CreateSnapshots');

CREATE TEMP TABLE service_asks AS
SELECT rid, t, account, region, coalesce(volume_known, snapshot_known) AS key
FROM kms_rows
WHERE trusted AND external AND NOT apart AND NOT ends_grant AND instance IS NULL AND key IS NOT NULL;

-- One place for both: the key is at home already, and what is elsewhere is never asked for.
CREATE TEMP TABLE service_offers AS FROM volume_offers UNION ALL FROM snapshot_offers;

CREATE TEMP TABLE by_resource AS
WITH made AS (
    SELECT rid, found, found_t, is_near, 1 AS place FROM as_of('volume_asks', 'volume_offers')
    UNION ALL SELECT rid, found, found_t, is_near, 2 FROM as_of('snapshot_asks', 'snapshot_offers')
    UNION ALL SELECT rid, found, found_t, is_near, 3 FROM as_of('snapshot_asks', 'taking_offers')
    UNION ALL SELECT rid, found, found_t, is_near, 4 FROM as_of('service_asks', 'service_offers') WHERE scope = 1 AND is_near
)
SELECT rid, found AS cause, found_t AS t, is_near
FROM made ANTI JOIN (FROM ec2 WHERE event_name = 'AttachVolume') AS a ON a.rid = made.found
QUALIFY row_number() OVER (PARTITION BY made.rid ORDER BY place) = 1;

-- The rules in their order. A grant's cause is found without rule 2, and rule 2 hands it on.
CREATE TEMP TABLE causes AS
WITH direct AS (
    SELECT
        k.rid,
        q.cause AS by_request,
        CASE WHEN k.instance IS NOT NULL THEN i.cause END AS by_own_instance,
        -- The near one goes first, then the later of both.
        CASE WHEN r.is_near OR i.cause IS NULL OR (r.t, r.cause) > (i.t, i.cause) THEN r.cause END AS by_resource,
        CASE WHEN k.instance IS NULL THEN i.cause END AS by_learned_instance,
        coalesce(by_request, by_own_instance, by_resource, by_learned_instance) AS cause
    FROM kms_rows AS k
    LEFT JOIN by_request AS q ON q.rid = k.rid
    LEFT JOIN by_instance AS i ON i.rid = k.rid
    LEFT JOIN by_resource AS r ON r.rid = k.rid
)
SELECT
    d.rid,
    coalesce(d.by_request, g.cause, d.cause) AS cause,
    CASE
        WHEN d.by_request IS NOT NULL THEN 'request_id'
        WHEN g.cause IS NOT NULL THEN 'grant'
        WHEN d.by_own_instance IS NOT NULL THEN 'instance'
        WHEN d.by_resource IS NOT NULL THEN 'resource'
        WHEN d.by_learned_instance IS NOT NULL THEN 'volume'
        ELSE 'none'
    END AS link
FROM direct AS d
JOIN kms_rows AS k ON k.rid = d.rid
LEFT JOIN direct AS g ON g.rid = k.grant_rid;

-- ------------------------------------------------------------------------------------- the other columns --

-- The CreateGrant that allowed a call of no known grant: (b) to an instance for a volume, (c) to a service.
CREATE TEMP TABLE grant_asks AS
SELECT
    rid, t, account, region,
    CASE WHEN instance IS NOT NULL THEN concat_ws(' ', instance, volume) ELSE coalesce(volume, snapshot) END AS key
FROM kms_rows
WHERE NOT creates_grant AND grant_id IS NULL
    AND (instance IS NOT NULL AND volume IS NOT NULL
        OR instance IS NULL AND by_service AND NOT external AND NOT ends_grant)
    AND key IS NOT NULL;

CREATE TEMP TABLE grant_offers AS
SELECT rid, t, account, region, concat_ws(' ', instance, volume) AS key
FROM kms WHERE creates_grant AND error_code IS NULL AND instance IS NOT NULL AND volume IS NOT NULL
UNION ALL
SELECT rid, t, account, region, unnest([volume, snapshot])
FROM kms WHERE creates_grant AND error_code IS NULL AND instance IS NULL AND teaches;

CREATE TEMP TABLE allowed AS SELECT rid, found AS grant_rid FROM as_of('grant_asks', 'grant_offers');

-- The first data key of each volume: an owner's copy last.
CREATE TEMP TABLE data_keys AS
SELECT volume, event_id FROM kms
WHERE event_name LIKE 'GenerateDataKey%' AND teaches AND error_code IS NULL AND volume IS NOT NULL
QUALIFY row_number() OVER (
    PARTITION BY volume ORDER BY user_identity_type IS NOT DISTINCT FROM 'AWSAccount', t, rid
) = 1;

-- The instance of each row, and the first launch of it: of the same account and region first.
CREATE TEMP TABLE instances_of_rows AS
SELECT
    k.rid, k.account, k.region,
    coalesce(
        k.instance_known,
        l.instance,
        CASE WHEN c.link = 'request_id' AND len(e.instance_ids) = 1 THEN e.instance_ids[1] END
    ) AS instance_id,
    coalesce(instance_id, k.caller_instance) AS launched_instance
FROM kms_rows AS k
JOIN causes AS c ON c.rid = k.rid
LEFT JOIN learned AS l ON l.rid = k.rid
LEFT JOIN ec2 AS e ON e.rid = c.cause;

CREATE TEMP TABLE instances_with_launch AS
SELECT i.rid, i.instance_id, coalesce(home.rid, anywhere.rid) AS launch_rid
FROM instances_of_rows AS i
LEFT JOIN launches AS home
    ON home.instance = i.launched_instance AND home.account = i.account AND home.region = i.region AND home.nth = 1
LEFT JOIN (
    FROM launches QUALIFY row_number() OVER (PARTITION BY instance ORDER BY t, rid) = 1
) AS anywhere ON anywhere.instance = i.launched_instance;

-- Who made EC2 and STS calls, and whether somebody stands behind a caller.
CREATE TEMP TABLE actors AS
SELECT
    rid, t, service AS called, access_key_id, source_identity,
    CASE WHEN service = 'sts' AND error_code IS NULL THEN issued_access_key_id END AS issued,
    coalesce(nullif(principal_arn, ''), nullif(principal_id, '')) AS caller,
    nullif(CASE
        WHEN user_identity_type = 'AWSService' THEN invoked_by
        ELSE regexp_extract(session_issuer_arn, ':role/aws-service-role/([^/]*)', 1)
    END, '') AS service,
    coalesce(user_identity_type IN ('AssumedRole', 'AWSAccount'), false) AS in_session,
    row_number() OVER (
        PARTITION BY issued ORDER BY user_identity_type IS NOT DISTINCT FROM 'AWSAccount', t, rid
    ) AS nth
FROM logged WHERE service <> 'kms';

-- The callers of each EC2 event: its own, the one who got that caller's access key, and so on.
CREATE TEMP TABLE roots AS
WITH RECURSIVE chain AS (
    SELECT rid, 0 AS step, source_identity, access_key_id, caller, service, in_session FROM actors WHERE called = 'ec2'
    UNION ALL
    SELECT c.rid, c.step + 1, c.source_identity, a.access_key_id, a.caller, a.service, a.in_session
    FROM chain AS c JOIN actors AS a ON a.issued = c.access_key_id AND a.nth = 1
    WHERE c.step < 9
)
SELECT
    rid,
    CASE
        WHEN service IS NOT NULL THEN 'service'
        WHEN in_session AND source_identity <> '' THEN 'source_identity'
        WHEN caller IS NULL THEN NULL
        WHEN in_session THEN 'session'
        WHEN step > 0 THEN 'assume_role'
        ELSE 'direct'
    END AS source,
    CASE source WHEN 'service' THEN service WHEN 'source_identity' THEN source_identity ELSE caller END AS principal
FROM chain
QUALIFY row_number() OVER (PARTITION BY rid ORDER BY step DESC) = 1;

CREATE TEMP TABLE answer AS
SELECT
    k.event_id AS kms_event_id,
    nullif(k.account, '') AS recipient_account_id,
    e.event_id AS ec2_event_id,
    c.link,
    CASE
        WHEN c.link IN ('request_id', 'grant') THEN 'exact'
        WHEN c.link IN ('instance', 'resource') AND k.t - e.t BETWEEN -10_000 AND 600_000
            THEN if(c.link = 'instance', 'strong', 'exact')
        WHEN c.link <> 'none' THEN 'inferred'
    END AS confidence,
    CASE
        WHEN c.link <> 'none' THEN NULL
        WHEN k.external THEN 'external_service'
        WHEN k.caller_instance IS NOT NULL AND (
            NOT k.trusted
            OR NOT coalesce(k.forwarded, false)
                AND coalesce(k.instance_known, k.volume_known, k.snapshot_known) IS NULL
        ) THEN 'instance_role'
        WHEN k.error_code IS NOT NULL THEN 'denied'
        WHEN k.ends_grant AND k.grant_rid IS NULL THEN 'outside_lookback'
        ELSE 'no_ec2_event'
    END AS unmatched_reason,
    i.instance_id,
    -- The only volume of a cause of the same request, where the event names neither.
    CASE
        WHEN coalesce(k.volume_known, k.snapshot_known) IS NOT NULL THEN k.volume_known
        WHEN c.link = 'request_id' AND len(e.volume_ids) = 1 THEN e.volume_ids[1]
    END AS volume_id,
    CASE
        WHEN coalesce(k.volume_known, k.snapshot_known) IS NOT NULL THEN k.snapshot_known
        WHEN c.link = 'request_id' AND coalesce(e.instance_ids[1], e.volume_ids[1]) IS NULL
            AND len(e.snapshot_ids) = 1 THEN e.snapshot_ids[1]
    END AS snapshot_id,
    k.grant_id,
    k.key_arn,
    k.caller_instance AS caller_instance_id,
    launch.event_id AS launch_event_id,
    root.principal AS root_principal_arn,
    root.source AS root_source,
    granting.event_id AS grant_event_id,
    CASE WHEN k.teaches THEN d.event_id END AS data_key_event_id,
    k.t - e.t AS delta_ms
FROM kms_rows AS k
JOIN causes AS c ON c.rid = k.rid
JOIN instances_with_launch AS i ON i.rid = k.rid
LEFT JOIN ec2 AS e ON e.rid = c.cause
LEFT JOIN ec2 AS launch ON launch.rid = i.launch_rid
LEFT JOIN roots AS root ON root.rid = coalesce(c.cause, i.launch_rid)
LEFT JOIN allowed AS a ON a.rid = k.rid
LEFT JOIN kms AS granting ON granting.rid = coalesce(k.grant_rid, a.grant_rid)
LEFT JOIN data_keys AS d ON d.volume = k.volume_known;
