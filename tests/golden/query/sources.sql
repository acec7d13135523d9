SELECT source, service, resource, resource_kinds, resource_dropped_attributes, resource_entities, resource_schema_url,
    scope_name, scope_version, scope, scope_kinds, scope_dropped_attributes, scope_schema_url
FROM telemetry.sources
WHERE tenant = {tenant:String}
    AND source IN (SELECT toUInt64(arrayJoin(splitByChar(',', {sources:String}))))
LIMIT 1 BY source
