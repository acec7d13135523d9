SELECT series, toUnixTimestamp64Nano(max(ts)) AS time_ns, argMax((flags, toUnixTimestamp64Nano(start_ts), value, integer), ts) AS newest, tupleElement(newest, 1) AS newest_flags, tupleElement(newest, 2) AS newest_start_ns, tupleElement(newest, 3) AS newest_value, tupleElement(newest, 4) AS newest_integer
FROM telemetry.samples
WHERE tenant = {tenant:String}
    AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND metric = {metric:String} AND series BETWEEN {first_series:UInt64} AND {last_series:UInt64}
GROUP BY series
