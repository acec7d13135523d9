"""Attributes of spans, resources, scopes, events and links: conditions on them, and which keys and values there are."""
