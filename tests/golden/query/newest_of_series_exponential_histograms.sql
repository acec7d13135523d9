SELECT series, toUnixTimestamp64Nano(max(ts)) AS time_ns, argMax((flags, toUnixTimestamp64Nano(start_ts), count, sum, min, max, scale, zero_count, zero_threshold, positive_offset, positive_buckets, negative_offset, negative_buckets), ts) AS newest, tupleElement(newest, 1) AS newest_flags, tupleElement(newest, 2) AS newest_start_ns, tupleElement(newest, 3) AS newest_count, tupleElement(newest, 4) AS newest_sum, tupleElement(newest, 5) AS newest_min, tupleElement(newest, 6) AS newest_max, tupleElement(newest, 7) AS newest_scale, tupleElement(newest, 8) AS newest_zero_count, tupleElement(newest, 9) AS newest_zero_threshold, tupleElement(newest, 10) AS newest_positive_offset, tupleElement(newest, 11) AS newest_positive_buckets, tupleElement(newest, 12) AS newest_negative_offset, tupleElement(newest, 13) AS newest_negative_buckets
FROM telemetry.exponential_histograms
WHERE tenant = {tenant:String}
    AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND metric = {metric:String} AND series BETWEEN {first_series:UInt64} AND {last_series:UInt64}
GROUP BY series
