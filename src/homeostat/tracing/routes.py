"""The template of a path, as a framework matched it: what `http.route` and a span's name say.

It looks at what frameworks leave in the scope and imports none of them.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

_REST: Final = "/{path}"
"""Stands for what a mounted application serves without routes of its own, such as files."""


def route_of(scope: MutableMapping[str, Any]) -> str | None:
    """Return the template of the matched path, such as `/orders/{number}`; None where nothing matched.

    Args:
        scope: of ASGI, after the application was called: Starlette and FastAPI leave `route` in it, Litestar
            `path_template`.
    """
    route = scope.get("route")
    if route is None:
        return _without_route(scope)
    template = _included(scope) or getattr(route, "path_format", None) or getattr(route, "path", None)
    if not isinstance(template, str):
        return None
    root = scope.get("root_path") or ""
    if hasattr(route, "routes"):  # a mount, of which nothing inside matched: its own path is in `root_path` already
        return _templated(root, scope) + _REST
    return _templated(root, scope) + template if root else template


def _without_route(scope: MutableMapping[str, Any]) -> str | None:
    template = scope.get("path_template")
    if isinstance(template, str):
        return template
    root = scope.get("root_path")
    # Starlette keeps the root that the application had before a mount added its own path.
    return _templated(root, scope) + _REST if root and root != scope.get("app_root_path", root) else None


def _included(scope: Mapping[str, Any]) -> str | None:
    """Return FastAPI's template of a route that came in with a router, whose prefix the route itself does not know."""
    left = scope.get("fastapi")
    context = left.get("effective_route_context") if isinstance(left, dict) else None
    if context is None:
        return None
    return getattr(getattr(context, "starlette_route", None), "path_format", None) or getattr(
        context, "path_format", None
    )


def _templated(root: str, scope: Mapping[str, Any]) -> str:
    """Put the names of parameters for their values into the path of a mount; Starlette keeps only the values."""
    names = {str(value): name for name, value in (scope.get("path_params") or {}).items()}
    if not names:
        return root
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in root.split("/"))
