"""How one service asks another: over HTTP, and what it says when the other one fails."""

import logging
from typing import Any, Final

import httpx
from fastapi import HTTPException

_TIMEOUT_S: Final = 5.0
"""The slowest car takes less than one second to price."""


class Neighbour:
    """Ask another service."""

    def __init__(self, name: str, *, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Name it and say where it is, and in tests, what answers in its place."""
        self._name = name
        self._client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, trust_env=False, transport=transport)
        self._log = logging.getLogger(f"{__name__}.{name}")

    async def get(self, path: str) -> Any:  # noqa: ANN401 - what JSON holds
        """Return the document at a path; what the other has not is not found, any other failure is a bad gateway."""
        answer = await self._ask(path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise HTTPException(httpx.codes.NOT_FOUND, detail=answer.json()["detail"])
        if answer.is_error:
            self._log.error("%s answered %d to %s", self._name, answer.status_code, path)
            raise HTTPException(httpx.codes.BAD_GATEWAY, detail=f"{self._name} failed")
        return answer.json()

    async def _ask(self, path: str) -> httpx.Response:
        try:
            return await self._client.get(path)
        except httpx.TransportError as error:
            self._log.exception("%s cannot be reached", self._name)
            raise HTTPException(httpx.codes.BAD_GATEWAY, detail=f"{self._name} cannot be reached") from error
