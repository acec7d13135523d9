SELECT trace_id, count() AS spans, countIf(status_code = 2) AS errors,
    arraySort(groupUniqArray(100)(service)) AS services,
    min(start) AS start_ns, max(start + greatest(duration_ns, 0)) AS end_ns,
    argMin((service, name, kind, status_code), (parent_span_id != toFixedString('', 8), ts, span_id)) AS root,
    tupleElement(root, 1) AS root_service, tupleElement(root, 2) AS root_operation,
    tupleElement(root, 3) AS root_kind, tupleElement(root, 4) AS root_status,
    countIf(matched) AS matched_spans, maxIf(start, matched) AS newest_match_ns,
    maxIf(duration_ns, matched) AS longest_match_ns
FROM (
    SELECT trace_id, span_id, parent_span_id, ts, toUnixTimestamp64Nano(ts) AS start, duration_ns, service, name, kind,
        status_code, {window_first_ns:Int64} <= start AND start <= {window_last_ns:Int64} AND source IN (
        SELECT source
        FROM telemetry.sources
        WHERE tenant = {tenant:String} AND ((mapContains(resource, {value_0:String}) OR mapContains(resource, {value_1:String})) AND NOT ((mapContains(resource, {value_0:String}) AND resource[{value_0:String}] IN ({value_2:String})) OR (mapContains(resource, {value_1:String}) AND resource[{value_1:String}] IN ({value_2:String}))))
    ) AND source IN (
        SELECT source
        FROM telemetry.sources
        WHERE tenant = {tenant:String} AND ((mapContains(scope, {value_0:String}) AND match(scope[{value_0:String}], {value_2:String})) OR (mapContains(scope, {value_1:String}) AND match(scope[{value_1:String}], {value_2:String})))
    ) AND hasAny(arrayMap((key, value) -> concat(key, '=', value), mapKeys(attributes), mapValues(attributes)), [{value_3:String}, {value_4:String}]) AND arrayExists(item -> ((mapContains(item, {value_0:String}) OR mapContains(item, {value_1:String})) AND NOT ((mapContains(item, {value_0:String}) AND match(item[{value_0:String}], {value_2:String})) OR (mapContains(item, {value_1:String}) AND match(item[{value_1:String}], {value_2:String})))), `events.attributes`) AND arrayExists(item -> (toFloat64OrDefault(item[{value_0:String}], nan) < {value_5:Float64} OR toFloat64OrDefault(item[{value_1:String}], nan) < {value_5:Float64}), `links.attributes`) AS matched
    FROM telemetry.spans
    PREWHERE tenant = {tenant:String} AND ts BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC') AND fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')
    AND toStartOfFiveMinutes(ts) BETWEEN toStartOfFiveMinutes(fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')) AND toStartOfFiveMinutes(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'))
        AND (toStartOfFiveMinutes(ts), trace_id) IN (
        SELECT toDateTime(toUInt32(splitByChar('.', place)[1]), 'UTC'),
            toFixedString(unhex(splitByChar('.', place)[2]), 16)
        FROM (SELECT arrayJoin(splitByChar(',', {places:String})) AS place)
    )
)
GROUP BY trace_id
