"""How Tempo says answers and failures: protobuf's JSON mapping with names of enums, and plain text. It asks nothing."""

from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.error_routes import ErrorRoute
from homeostat_server.exceptions import HomeostatError
from homeostat_server.store.ports import WatchedReader

PROTOBUF: Final = "application/protobuf"
JSON: Final = "application/json"


class TempoRoute(ErrorRoute):
    """Answer failures as Tempo does: one line of text."""

    def failure(self, error: HomeostatError) -> bytes:
        """Return what is said of an error."""
        return f"{error}\n".encode()


def wants_protobuf(request: Request) -> bool:
    """Say whether a caller asks for protobuf; any other wish is answered with JSON, as Tempo does."""
    return PROTOBUF in request.headers.get("accept", "")


def json_response(document: object) -> Response:
    """Return an answer as JSON."""
    return Response(orjson.dumps(document), media_type=JSON)


def metrics_of(reader: WatchedReader) -> dict[str, Any]:
    """Return what an answer has cost; 64 bits are text in protobuf's JSON, and nothing is said of nothing."""
    return {"inspectedBytes": str(reader.scanned.bytes)} if reader.scanned.bytes else {}
