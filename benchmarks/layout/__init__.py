"""How spans lie on the disk: candidates for the table of spans, filled with the same data and asked the same questions.

Invariant: changes one thing at a time of the catalogue's own table, and knows no server. What it prints is what
`docs/adr/0002-table-layout.md` is written from.
"""
