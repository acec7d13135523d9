SELECT metric, toUnixTimestamp64Nano(max(ts)) AS time_ns, argMax((flags, toUnixTimestamp64Nano(start_ts), count, sum, quantiles, quantile_values), (ts, series)) AS newest, tupleElement(newest, 1) AS newest_flags, tupleElement(newest, 2) AS newest_start_ns, tupleElement(newest, 3) AS newest_count, tupleElement(newest, 4) AS newest_sum, tupleElement(newest, 5) AS newest_quantiles, tupleElement(newest, 6) AS newest_quantile_values
FROM telemetry.summaries
WHERE tenant = {tenant:String}
    AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND metric IN (SELECT arrayJoin(JSONExtract({metrics:String}, 'Array(String)')))
GROUP BY metric
