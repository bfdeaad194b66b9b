-- Which tags grow most over the whole fleet? Tags are counted exactly, so there is no error to mind.
--
-- Put in: FROM and UNTIL ('2026-11-22 12:00:00'). Growth of a process: its last dump of that time less its first; a process that began in
-- it and has one dump only says nothing yet.
-- A process that was started again is two of `lives`, and what it takes to warm up is growth each time: begin after that.
SELECT
    service,
    tag,
    count() AS lives,
    sum(growth) AS grew_bytes,
    round(sum(growth / hours)) AS bytes_per_hour,
    max(growth) AS most_in_one,
    argMax(host, growth) AS that_host
FROM
(
    SELECT
        service, tag, session, any(host) AS host,
        argMax(toInt64(live_bytes), taken_ns) - argMin(toInt64(live_bytes), taken_ns) AS growth,
        (max(taken_ns) - min(taken_ns)) / 3.6e12 AS hours
    FROM memwatch.rows
    WHERE kind = 'tag' AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')
    GROUP BY service, tag, session
    HAVING hours > 0
)
GROUP BY service, tag
HAVING grew_bytes > 0
ORDER BY grew_bytes DESC
LIMIT 20
