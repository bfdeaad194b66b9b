-- What leaks, on how many replicas, since when, how fast together? By the last dump of each process: what was accused before and
-- acquitted since has no row there.
--
-- Put in: FROM and UNTIL ('2026-11-22 12:00:00').
SELECT
    service,
    function,
    tag,
    pool,
    any(class) AS said,
    uniqExact(session) AS replicas,
    min(since) AS first_since,
    round(sum(rate_bytes_per_s)) AS bytes_per_s,
    sum(retained_bytes) AS retained,
    arrayStringConcat(groupUniqArray(build), ', ') AS builds
FROM
(
    SELECT service, session, build, function, tag, pool, class, since, rate_bytes_per_s, retained_bytes, taken_ns
    FROM memwatch.rows FINAL
    WHERE kind = 'verdict' AND level = 'leak' AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')
)
ALL INNER JOIN
(
    SELECT session, max(taken_ns) AS last_ns
    FROM memwatch.rows
    WHERE kind = 'dump' AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')
    GROUP BY session
)
USING (session)
WHERE taken_ns = last_ns
GROUP BY service, function, tag, pool
ORDER BY replicas DESC, bytes_per_s DESC
LIMIT 50
