"""What the newest version's tables look like. The migrations make them; a test compares the two.

Portable by rule: moments are nanoseconds since the epoch in UTC, sets are sorted words, no type is a database's own.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table

VERSION_TABLE: Final = "homeostat_state_version"

NEWEST_VERSION: Final = "0001"
"""The revision of the newest migration; a test compares it with the folder."""

# Names that do not depend on the database, so that a later migration can address them.
metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("secret_sha256", String(64), nullable=False),
    Column("tenant", String(150), nullable=False),
    Column("scopes", String(100), nullable=False),
    Column("comment", String(200), nullable=False),
    Column("created_at_ns", BigInteger, nullable=False),
    Column("created_by", String(100), nullable=True),
    Column("revoked_at_ns", BigInteger, nullable=True),
    Column("last_used_at_ns", BigInteger, nullable=True),
    Index("ix_api_keys_revoked_at_ns", "revoked_at_ns"),
)
