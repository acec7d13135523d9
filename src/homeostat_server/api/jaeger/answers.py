"""How Jaeger says answers and failures, in the first and the third version of its API. It asks nothing."""

from typing import Any, Final

import orjson
from starlette.responses import Response

from homeostat_server.api.error_routes import TEXT, ErrorRoute
from homeostat_server.exceptions import HomeostatError

ENVELOPE_TAIL: Final = b',"total":0,"limit":0,"offset":0,"errors":null}'
"""What stands behind the data of an answer without a total."""


class JaegerRoute(ErrorRoute):
    """Answer failures as Jaeger's API does: the usual envelope with `errors`, as text."""

    def failure(self, error: HomeostatError) -> bytes:
        """Return what is said of an error."""
        return orjson.dumps(structured(None, errors=[{"code": error.status, "msg": str(error)}])) + b"\n"


class JaegerV3Route(ErrorRoute):
    """Answer failures as the third version of Jaeger's API does."""

    def failure(self, error: HomeostatError) -> bytes:
        """Return what is said of an error."""
        return orjson.dumps({"error": {"httpCode": error.status, "message": str(error)}}) + b"\n"


def structured(data: object, *, total: int = 0, errors: list[dict[str, object]] | None = None) -> dict[str, Any]:
    """Return an answer of the first version."""
    return {"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors}


def json_response(document: object, *, is_pretty: bool = False) -> Response:
    """Return an answer as JSON."""
    option = orjson.OPT_INDENT_2 if is_pretty else 0
    return Response(orjson.dumps(document, option=option) + b"\n", media_type="application/json")


def v3_response(document: object) -> Response:
    """Return an answer as the third version does: JSON that is said to be text."""
    return Response(orjson.dumps(document), media_type=TEXT)
