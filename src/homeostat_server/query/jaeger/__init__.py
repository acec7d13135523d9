"""What Jaeger's query API asks: names of services and operations, whole traces by conditions. It knows no HTTP."""
