"""Where things are kept: telemetry in the columnar engine, small transactional state in SQL. It knows no protocol."""
