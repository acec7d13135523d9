"""Jaeger's query API under `/jaeger`, so that its UI and Grafana's data source of that name can ask this server."""
