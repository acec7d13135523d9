"""The telemetry store on ClickHouse: the only place that may import an engine client."""
