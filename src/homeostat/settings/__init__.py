"""Everything that can be set in a service, as one table, and how each value is found.

`kinds` says what a value can be, `table` has a row for each setting, `opentelemetry` and `declarative` translate what
others call it, `loading` puts the origins in order. The room does not know what a setting is used for.
"""
