-- Which places grow across the replicas of one build, and do not across those of another?
--
-- Put in: SERVICE, NEW_BUILD, OLD_BUILD (build ids), FROM and UNTIL ('2026-11-22 12:00:00').
-- Growth of a replica: what the place holds in its last dump of that time less what it held in its first; where a dump does not have the
-- place, it held nothing. Listed is what grows in four of five replicas of the new build, and on average by three standard errors
-- more than in the old one. The error of an average is the larger of what sampling makes and what the spread of the replicas shows.
-- One replica has no spread: there it is what sampling makes alone.
SELECT
    place, function, tag, type,
    round(new_mean) AS bytes_per_hour,
    round(old_mean) AS bytes_per_hour_before,
    round(sqrt(new_error2 + old_error2)) AS standard_error,
    round(100 * growing / new_replicas) AS percent_growing
FROM
(
    SELECT
        place, any(some_function) AS function, any(some_tag) AS tag, any(some_type) AS type,
        any(news) AS new_replicas, any(olds) AS old_replicas,
        sumIf(rate, is_new) / new_replicas AS new_mean,
        sumIf(rate, NOT is_new) / old_replicas AS old_mean,
        greatest(sumIf(rate * rate, is_new) - new_replicas * new_mean * new_mean, sumIf(variance, is_new)) / new_replicas / greatest(new_replicas - 1, 1) AS new_error2,
        greatest(sumIf(rate * rate, NOT is_new) - old_replicas * old_mean * old_mean, sumIf(variance, NOT is_new)) / old_replicas / greatest(old_replicas - 1, 1) AS old_error2,
        countIf(is_new AND rate > 0) AS growing
    FROM
    (
        SELECT
            place, session, any(function) AS some_function, any(tag) AS some_tag, any(type) AS some_type,
            any(build) = 'NEW_BUILD' AS is_new,
            any(last_s - first_s) / 3600 AS hours,
            (sumIf(live_bytes, taken_s = last_s) - sumIf(live_bytes, taken_s = first_s)) / hours AS rate,
            sumIf(live_standard_error * live_standard_error, taken_s = last_s OR taken_s = first_s) / hours / hours AS variance,
            (SELECT uniqExact(session) FROM memwatch.rows WHERE kind = 'dump' AND service = 'SERVICE' AND build = 'NEW_BUILD'
                AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')) AS news,
            (SELECT uniqExact(session) FROM memwatch.rows WHERE kind = 'dump' AND service = 'SERVICE' AND build = 'OLD_BUILD'
                AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')) AS olds
        FROM
        (
            SELECT place, session, function, tag, type, build, toInt64(live_bytes) AS live_bytes, live_standard_error, toInt64(toUInt32(taken)) AS taken_s
            FROM memwatch.rows FINAL
            WHERE kind = 'site' AND place != '' AND service = 'SERVICE' AND build IN ('NEW_BUILD', 'OLD_BUILD')
                AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')
        )
        ALL INNER JOIN
        (
            SELECT session, toInt64(toUInt32(min(taken))) AS first_s, toInt64(toUInt32(max(taken))) AS last_s
            FROM memwatch.rows
            WHERE kind = 'dump' AND service = 'SERVICE' AND taken BETWEEN toDateTime('FROM') AND toDateTime('UNTIL')
            GROUP BY session
            HAVING last_s > first_s
        )
        USING (session)
        GROUP BY place, session
    )
    GROUP BY place
)
WHERE new_mean - old_mean > 3 * sqrt(new_error2 + old_error2) AND growing >= 0.8 * new_replicas
ORDER BY new_mean DESC
LIMIT 20
