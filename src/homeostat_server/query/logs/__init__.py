"""Questions about log records. It knows no HTTP and no LogQL."""
