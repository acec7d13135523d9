"""Tempo's HTTP API under `/tempo/api`, so that Grafana's data source of that name can ask this server."""
