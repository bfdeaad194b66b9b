-- What leaks, on how many replicas, since when, how fast together? The last word of each process counts.
--
-- Put in: FROM and UNTIL ('2026-11-22 12:00:00').
SELECT
    service,
    function,
    tag,
    pool,
    any(said) AS class,
    count() AS replicas,
    min(began) AS first_since,
    round(sum(rate)) AS bytes_per_s,
    sum(retained) AS retained_bytes,
    arrayStringConcat(groupUniqArray(build), ', ') AS builds
FROM
(
    SELECT
        service, session, place, pool, any(function) AS function, any(tag) AS tag, any(build) AS build,
        argMax(class, taken_ns) AS said,
        argMax(level, taken_ns) AS last_level,
        argMax(since, taken_ns) AS began,
        argMax(rate_bytes_per_s, taken_ns) AS rate,
        argMax(retained_bytes, taken_ns) AS retained
    FROM memwatch.rows
    WHERE kind = 'verdict' AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')
    GROUP BY service, session, place, pool
    HAVING last_level = 'leak'
)
GROUP BY service, function, tag, pool
ORDER BY replicas DESC, bytes_per_s DESC
LIMIT 50
