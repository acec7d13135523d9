"""The process around the rooms: settings, time, lifecycle, knobs, resources, self-metrics. It knows no telemetry."""
