"""The statements by which replicas agree.

Each of them is one statement, which the server finishes by itself. So a replica that hangs holds no lock. A statement
that arrives late does no harm: it names the epochs that its replica saw, and its process.

Leases are compared with ``clock_timestamp()`` under a lock on the row of the replica (FOR SHARE, FOR UPDATE). A renewal
needs the same row. So either it comes first, and the others see it, or it comes later, and the look at the rows that
follows it sees what the others took.
"""

from __future__ import annotations

CHANNELS = "facegate_changes", "facegate_confirmed", "facegate_cluster"
"""The channels of announcements: the people changed (format_1.sql), a replica confirmed, the cluster changed."""

# Two names of a cluster, or two base topics, would be two shared subscriptions: each request would be answered twice.
CLAIM_CLUSTER = """
WITH claimed AS (
    UPDATE cluster_leader SET cluster = $2, base = $3
    WHERE (cluster, base) IS DISTINCT FROM ($2::text, $3::text)
        AND NOT EXISTS (SELECT FROM cluster_replicas WHERE id <> $1 AND lease_until > clock_timestamp())
    RETURNING cluster, base
)
SELECT cluster, base FROM claimed
UNION ALL SELECT cluster, base FROM cluster_leader WHERE NOT EXISTS (SELECT FROM claimed)
"""

RENEW = """
WITH before AS (SELECT process, serving, connected FROM cluster_replicas WHERE id = $1),
left_cameras AS (
    SELECT name, epoch FROM cluster_cameras WHERE owner = $1 AND (SELECT process FROM before) <> $2
),
left_leader AS (SELECT epoch FROM cluster_leader WHERE holder = $1 AND (SELECT process FROM before) <> $2),
renewed AS (INSERT INTO cluster_replicas AS old
    (id, process, lease_until, names_until, revision, serving, connected, version, address)
SELECT
    $1, $2, clock_timestamp() + $3::float8 * interval '1 second', clock_timestamp() + $4::float8 * interval '1 second',
    $5::bigint, $6::boolean, $7::boolean, $8, $9
FROM cluster_leader WHERE cluster = $10 AND base = $11
ON CONFLICT (id) DO UPDATE SET
    process = excluded.process,
    lease_until = excluded.lease_until,
    names_until = greatest(old.names_until, excluded.names_until),
    revision = CASE WHEN old.process = excluded.process THEN greatest(old.revision, excluded.revision)
        ELSE excluded.revision END,
    serving = excluded.serving,
    connected = excluded.connected,
    version = excluded.version,
    address = excluded.address
WHERE old.process = excluded.process OR old.lease_until < clock_timestamp()
RETURNING serving, connected),
freed AS (
    UPDATE cluster_cameras AS camera SET owner = NULL FROM left_cameras AS each
    WHERE camera.name = each.name AND camera.epoch = each.epoch AND camera.owner = $1 AND EXISTS (SELECT FROM renewed)
),
ended AS (
    UPDATE cluster_leader SET holder = NULL
    WHERE holder = $1 AND epoch IN (SELECT epoch FROM left_leader) AND EXISTS (SELECT FROM renewed)
)
SELECT CASE
    WHEN NOT EXISTS (
        SELECT FROM before
        WHERE before.process = $2 AND before.serving = renewed.serving AND before.connected = renewed.connected
    )
    THEN pg_notify('facegate_cluster', '')
END FROM renewed
"""
"""A new process of a replica frees what the process before it held: nobody follows those cameras any more. It names the
epochs that it saw, so that a late copy of its first renewal frees nothing that it has claimed since."""

READ = """
SELECT
    (SELECT value FROM meta WHERE key = 'revision'),
    holder,
    epoch,
    (SELECT json_agg(json_build_array(
        id, address, version, revision, serving, connected,
        extract(epoch FROM lease_until - clock_timestamp()), extract(epoch FROM names_until - clock_timestamp()),
        process = '', extract(epoch FROM lease_until)
    ) ORDER BY id) FROM cluster_replicas),
    (SELECT json_agg(json_build_array(name, owner, epoch) ORDER BY name) FROM cluster_cameras),
    cluster,
    base
FROM cluster_leader
"""

READ_REVISION = "SELECT value FROM meta WHERE key = 'revision'"

CLAIM_LEADERSHIP = """
WITH own AS (
    SELECT id FROM cluster_replicas WHERE id = $1 AND process = $2 AND lease_until > clock_timestamp() FOR SHARE
),
ended AS (
    SELECT id FROM cluster_replicas
    WHERE id = (SELECT holder FROM cluster_leader) AND lease_until < clock_timestamp() FOR SHARE
)
UPDATE cluster_leader SET holder = $1, epoch = epoch + 1
WHERE epoch = $3 AND (holder IS NULL OR holder IN (SELECT id FROM ended)) AND EXISTS (SELECT FROM own)
RETURNING epoch, pg_notify('facegate_cluster', '')
"""

RELEASE_LEADERSHIP = """
WITH own AS (SELECT id FROM cluster_replicas WHERE id = $1 AND process = $2 FOR SHARE)
UPDATE cluster_leader SET holder = NULL WHERE epoch = $3 AND holder IN (SELECT id FROM own)
RETURNING pg_notify('facegate_cluster', '')
"""

CLAIM_CAMERAS = """
WITH own AS (
    SELECT id FROM cluster_replicas WHERE id = $1 AND process = $2 AND lease_until > clock_timestamp() FOR SHARE
),
seen AS (SELECT * FROM unnest($3::text[], $4::bigint[]) AS each (name, epoch)),
ended AS (
    SELECT id FROM cluster_replicas WHERE id = ANY ($5::text[]) AND lease_until < clock_timestamp()
    ORDER BY id FOR SHARE
)
UPDATE cluster_cameras AS camera SET owner = $1, epoch = camera.epoch + 1
FROM seen
WHERE camera.name = seen.name AND camera.epoch = seen.epoch
    AND (camera.owner IS NULL OR camera.owner IN (SELECT id FROM ended)) AND EXISTS (SELECT FROM own)
RETURNING camera.name, camera.epoch
"""

RELEASE_CAMERAS = """
WITH own AS (SELECT id FROM cluster_replicas WHERE id = $1 AND process = $2 FOR SHARE),
given AS (SELECT * FROM unnest($3::text[], $4::bigint[]) AS each (name, epoch))
UPDATE cluster_cameras AS camera SET owner = NULL
FROM given
WHERE camera.name = given.name AND camera.epoch = given.epoch AND camera.owner IN (SELECT id FROM own)
RETURNING pg_notify('facegate_cluster', '')
"""

ADD_CAMERAS = """
INSERT INTO cluster_cameras (name)
SELECT name FROM unnest($1::text[]) AS name
WHERE name NOT IN (SELECT name FROM cluster_cameras)
LIMIT greatest(0, $2 - (SELECT count(*) FROM cluster_cameras))
ON CONFLICT DO NOTHING
RETURNING pg_notify('facegate_cluster', '')
"""

# A camera with topics keeps its row, since its next owner clears them: a frame may have come meanwhile.
FORGET_CAMERAS = """
WITH own AS (SELECT id FROM cluster_replicas WHERE id = $1 AND process = $2 FOR SHARE),
given AS (SELECT * FROM unnest($3::text[], $4::bigint[]) AS each (name, epoch)),
removed AS (
    DELETE FROM cluster_cameras AS camera USING given
    WHERE camera.name = given.name AND camera.epoch = given.epoch AND camera.owner IN (SELECT id FROM own)
        AND NOT EXISTS (
            SELECT FROM retained_topics, cluster_leader WHERE starts_with(topic, base || '/' || camera.name || '/')
        )
    RETURNING camera.name
),
notes AS (DELETE FROM live_cameras WHERE camera IN (SELECT name FROM removed))
SELECT name, pg_notify('facegate_cluster', '') FROM removed
"""

CONFIRM = """
UPDATE cluster_replicas SET revision = greatest(revision, $3) WHERE id = $1 AND process = $2
RETURNING pg_notify('facegate_confirmed', '')
"""

FIND_UNCONFIRMED = """
SELECT
    id, address, version, revision, serving, connected,
    extract(epoch FROM lease_until - clock_timestamp())::float8,
    extract(epoch FROM names_until - clock_timestamp())::float8,
    process = '',
    extract(epoch FROM lease_until)::float8
FROM cluster_replicas WHERE revision < $1 AND names_until > clock_timestamp() ORDER BY id
"""

WANT_CLEARED = """
UPDATE cluster_leader SET wanted = greatest(wanted, $1) RETURNING pg_notify('facegate_changes', '')
"""

READ_WANTED = "SELECT wanted FROM cluster_leader"

NOTE_CLEARED = """
WITH own AS (SELECT id FROM cluster_replicas WHERE id = $1 AND process = $2),
given AS (SELECT * FROM unnest($4::text[], $5::bigint[]) AS each (name, epoch)),
cameras AS (
    UPDATE cluster_cameras AS camera SET cleared = $3
    FROM given
    WHERE camera.name = given.name AND camera.epoch = given.epoch AND camera.owner IN (SELECT id FROM own)
        AND camera.cleared < $3
),
leader AS (
    UPDATE cluster_leader SET cleared = $3
    WHERE epoch = $6 AND holder IN (SELECT id FROM own) AND cleared < $3
)
SELECT pg_notify('facegate_confirmed', '') FROM own
"""

FIND_UNCLEARED = """
SELECT name FROM (
    SELECT 'the camera ' || name AS name, cleared FROM cluster_cameras
    UNION ALL SELECT 'the leader', cleared FROM cluster_leader
) AS each
WHERE cleared < $1 ORDER BY name
"""

HAS_REPLICAS = """
SELECT EXISTS (
    SELECT FROM cluster_replicas
    WHERE process <> '' AND lease_until > clock_timestamp() - $1::float8 * interval '1 second'
)
"""

LEAVE = """
WITH own AS (
    UPDATE cluster_replicas SET
        lease_until = least(lease_until, clock_timestamp()), names_until = least(names_until, clock_timestamp()),
        process = '', serving = FALSE, connected = FALSE
    WHERE id = $1 AND process = $2
    RETURNING id
),
freed AS (UPDATE cluster_cameras SET owner = NULL WHERE owner IN (SELECT id FROM own)),
ended AS (UPDATE cluster_leader SET holder = NULL WHERE holder IN (SELECT id FROM own))
SELECT pg_notify('facegate_cluster', '') FROM own
"""

FORGET_OLD_REPLICAS = """
DELETE FROM cluster_replicas WHERE names_until < clock_timestamp() - $1::float8 * interval '1 second'
"""
