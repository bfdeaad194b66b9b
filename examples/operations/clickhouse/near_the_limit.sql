-- Which instances are near their memory limit, and what do they hold most of?
--
-- Put in: FROM and UNTIL ('2026-11-22 12:00:00'). By the last dump of each process in that time: what the kernel cannot take back, of its
-- cgroup's tightest limit; and the place that holds most there, with what memwatch thinks of the accused.
SELECT
    host, pid, service, build,
    percent_used, limit_bytes, top_function, top_tag, top_bytes, leaks
FROM
(
    SELECT
        session,
        any(host) AS host, any(pid) AS pid, any(service) AS service, any(build) AS build,
        argMax(cgroup_limit_bytes, taken_ns) AS limit_bytes,
        round(100 * argMax(cgroup_unreclaimable_bytes, taken_ns) / argMax(cgroup_limit_bytes, taken_ns)) AS percent_used
    FROM memwatch.rows
    WHERE kind = 'dump' AND cgroup_limit_bytes > 0 AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')
    GROUP BY session
    HAVING percent_used >= 80
)
ANY LEFT JOIN
(
    SELECT
        session,
        argMaxIf(function, (taken, live_bytes), kind = 'site') AS top_function,
        argMaxIf(tag, (taken, live_bytes), kind = 'site') AS top_tag,
        argMaxIf(live_bytes, (taken, live_bytes), kind = 'site') AS top_bytes,
        arrayStringConcat(groupUniqArrayIf(function, kind = 'verdict' AND level = 'leak'), ', ') AS leaks
    FROM memwatch.rows
    WHERE kind IN ('site', 'verdict') AND place != '' AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')
    GROUP BY session
)
USING (session)
ORDER BY percent_used DESC
LIMIT 100
