SELECT 1 FROM telemetry.series WHERE tenant = {tenant:String} AND metric = {metric:String} LIMIT 1
