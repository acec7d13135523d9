"""The outside over HTTP and gRPC: the only place that may import FastAPI or Starlette. No business rule lives here."""
