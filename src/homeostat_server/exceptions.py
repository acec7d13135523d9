"""The whole error tree of the server; it imports nothing, and every room raises from it.

    HomeostatError                    internal             500
    ├── RequestError                                             the caller has to change something
    │   ├── InvalidRequest            invalid_request      400
    │   ├── Unauthenticated           unauthenticated      401
    │   ├── Forbidden                 forbidden            403
    │   ├── NotFound                  not_found            404
    │   ├── Conflict                  conflict             409
    │   ├── TooLarge                  too_large            413
    │   ├── UnsupportedMedia          unsupported_media    415
    │   ├── NotSupported              not_supported        501
    │   └── QueryLimit                query_limit          422   a question that costs more than it may
    ├── CapacityError                                            the caller should try again later
    │   ├── TooManyRequests           too_many_requests    429
    │   ├── Overloaded                overloaded           503
    │   ├── SpoolFull                 spool_full           503
    │   ├── SpoolUnavailable          spool_unavailable    503
    │   ├── StoreUnavailable          store_unavailable    503
    │   └── StateUnavailable          state_unavailable    503
    ├── QueryCancelled                cancelled            503   who asked has gone, or the server is stopping
    ├── SegmentRejected               segment_rejected     500   this content can never be stored
    └── StartError                                               the process cannot start as it is set up
        ├── SettingInvalid            setting_invalid      500
        ├── DataFolderLocked          data_folder_locked   500
        ├── DataFolderUnusable        data_folder_unusable 500
        ├── MigrationMismatch         migration_mismatch   500
        ├── AddressUnavailable        address_unavailable  500
        ├── TlsUnusable               tls_unusable         500
        └── UnsafeBinding             unsafe_binding       500

A code is a promise to callers and never changes. `status` is the HTTP answer; the table from it to gRPC codes is in
`homeostat_server.api.problems`.
"""

from typing import ClassVar, Final

SHOWN_VALUE_LENGTH_MAX: Final = 200
"""Longer values are cut in messages: an error must not repeat a body of megabytes."""

DEFAULT_RETRY_AFTER_S: Final = 1.0
"""What a caller is told when nothing better is known: long enough to let a segment commit, short for a person."""


class HomeostatError(Exception):
    """Say what was attempted with which value, what to do about it, and whether a retry helps."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, attempted: str, *, value: object = None, hint: str = "") -> None:
        """Describe the failure.

        Args:
            attempted: what was tried and failed, a sentence fragment such as "decode the request body".
            value: what it was tried with; shown cut to `SHOWN_VALUE_LENGTH_MAX` characters. None when there is none.
            hint: what the reader can do about it, a whole sentence, or nothing.
        """
        super().__init__(attempted)
        self.attempted = attempted
        self.value = value
        self.hint = hint

    def shown_value(self) -> str | None:
        """Return the value as text that is short enough for a message, None when there is none."""
        if self.value is None:
            return None
        text = self.value if isinstance(self.value, str) else repr(self.value)
        return text if len(text) <= SHOWN_VALUE_LENGTH_MAX else f"{text[:SHOWN_VALUE_LENGTH_MAX]}…"

    def __str__(self) -> str:
        """Return attempted, value and hint in one line."""
        shown = self.shown_value()
        head = self.attempted if shown is None else f"{self.attempted}: {shown}"
        return f"{head} ({self.hint})" if self.hint else head


class RequestError(HomeostatError):
    """Refuse a request that only its sender can mend."""

    status = 400


class InvalidRequest(RequestError):
    """Refuse a request that is not well formed."""

    code = "invalid_request"


class Unauthenticated(RequestError):
    """Refuse a caller who did not show who they are."""

    code = "unauthenticated"
    status = 401

    def __init__(self, attempted: str, *, value: object = None, hint: str = "", reason: str = "missing") -> None:
        """Describe the failure; `reason` is one word to count it by. Never pass a secret as the value."""
        super().__init__(attempted, value=value, hint=hint)
        self.reason = reason

    @property
    def challenge(self) -> str:
        """Return what the answer's `WWW-Authenticate` header says (RFC 6750, section 3)."""
        realm = 'Bearer realm="homeostat"'
        return realm if self.reason == "missing" else f'{realm}, error="invalid_token"'


class Forbidden(RequestError):
    """Refuse a known caller who may not do this."""

    code = "forbidden"
    status = 403


class NotFound(RequestError):
    """Say that the thing asked for is not there."""

    code = "not_found"
    status = 404


class Conflict(RequestError):
    """Refuse a change that contradicts what is there."""

    code = "conflict"
    status = 409


class TooLarge(RequestError):
    """Refuse a body over its bound."""

    code = "too_large"
    status = 413


class UnsupportedMedia(RequestError):
    """Refuse a content type or encoding that is not spoken here."""

    code = "unsupported_media"
    status = 415


class NotSupported(RequestError):
    """Say that this server does not do what others that speak the same protocol may."""

    code = "not_supported"
    status = 501


class QueryLimit(RequestError):
    """Stop a query at one of its bounds (time, rows, bytes, memory)."""

    code = "query_limit"
    status = 422


class CapacityError(HomeostatError):
    """Refuse for now: the same request can succeed later."""

    status = 503
    retryable = True

    def __init__(
        self,
        attempted: str,
        *,
        value: object = None,
        hint: str = "",
        retry_after_s: float = DEFAULT_RETRY_AFTER_S,
    ) -> None:
        """Describe the failure and say after how many seconds a retry makes sense."""
        super().__init__(attempted, value=value, hint=hint)
        self.retry_after_s = retry_after_s


class TooManyRequests(CapacityError):
    """Refuse one caller who asks too often."""

    code = "too_many_requests"
    status = 429


class Overloaded(CapacityError):
    """Shed load: a bounded queue or the memory for bodies is full."""

    code = "overloaded"


class SpoolFull(CapacityError):
    """Refuse because the spool holds as many bytes as it may."""

    code = "spool_full"


class SpoolUnavailable(CapacityError):
    """Refuse because the spool cannot make anything durable (disk full, read-only, closing)."""

    code = "spool_unavailable"


class StoreUnavailable(CapacityError):
    """Say that the telemetry store cannot answer or take rows now."""

    code = "store_unavailable"


class StateUnavailable(CapacityError):
    """Say that the state database cannot answer now."""

    code = "state_unavailable"


class QueryCancelled(HomeostatError):
    """End a question that was called off before it was answered: usually nobody is there to hear it."""

    code = "cancelled"
    status = 503


class SegmentRejected(HomeostatError):
    """Say that the content of a segment can never be stored, however often it is tried."""

    code = "segment_rejected"


class StartError(HomeostatError):
    """Refuse to start the process as it is set up."""


class SettingInvalid(StartError):
    """Refuse the value of a setting."""

    code = "setting_invalid"


class DataFolderLocked(StartError):
    """Refuse a data folder that another process is using."""

    code = "data_folder_locked"


class DataFolderUnusable(StartError):
    """Refuse a data folder that cannot be written."""

    code = "data_folder_unusable"


class MigrationMismatch(StartError):
    """Refuse a store whose migrations are not the ones this version knows."""

    code = "migration_mismatch"


class AddressUnavailable(StartError):
    """Say that an address to listen on is taken or cannot be bound."""

    code = "address_unavailable"


class TlsUnusable(StartError):
    """Refuse TLS files that cannot be read or do not belong together."""

    code = "tls_unusable"


class UnsafeBinding(StartError):
    """Refuse to listen beyond loopback while no API key exists."""

    code = "unsafe_binding"
