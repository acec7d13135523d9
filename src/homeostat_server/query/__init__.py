"""The read path: questions to the telemetry store and their answers as values. It knows no HTTP and no engine.

Every function takes a reader and a tenant, blocks its thread, and bounds what it returns.
"""
