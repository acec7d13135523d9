"""Three small services, instrumented with the stock OpenTelemetry SDK, and their traffic."""
