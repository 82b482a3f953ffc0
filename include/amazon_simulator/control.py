"""The control panel under ``/_simulator``; no part of Amazon."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from amazon_simulator.sellers import sellers_csv
from amazon_simulator.served import served_lines
from amazon_simulator.world import World


def _answer(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def _wanted(request: Request) -> dict[str, Any]:
    return msgspec.json.decode(await request.body() or b"{}", type=dict[str, Any])


class ControlApi:
    """Looks into a stand-in and changes its course."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def served(self, request: Request) -> Response:
        """Stream every personal value served so far as JSON lines; ``?seller_id=`` narrows it."""
        lines = served_lines(self._world, request.query_params.get("seller_id"))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def sellers(self, request: Request) -> Response:
        """Give the sellers as CSV."""
        return Response(sellers_csv(self._world.sellers), media_type="text/csv")

    def state(self, request: Request) -> Response:
        """Give counts; ``?counts=0`` leaves out those that read every order."""
        return _answer(self._world.state(with_counts=request.query_params.get("counts") != "0"))

    async def advance(self, request: Request) -> Response:
        """Move the clock forward by ``seconds``."""
        try:
            self._world.clock.advance(float((await _wanted(request))["seconds"]))
        except (KeyError, ValueError, TypeError, msgspec.DecodeError):
            return _answer({"error": "Give seconds, not negative."}, 400)
        return _answer({"now_ms": self._world.clock.now_ms()})

    async def faults(self, request: Request) -> Response:
        """Install a fault plan; see FaultPlan.install."""
        try:
            self._world.faults.install(await _wanted(request))
        except (ValueError, TypeError, msgspec.DecodeError) as mistake:
            return _answer({"error": str(mistake)}, 400)
        return _answer({})

    async def revoke(self, request: Request) -> Response:
        """Withdraw a seller's authorization."""
        return await self._set_revoked(request, revoked=True)

    async def restore(self, request: Request) -> Response:
        """Grant a seller's authorization again; its refresh token stays the same."""
        return await self._set_revoked(request, revoked=False)

    async def _set_revoked(self, request: Request, *, revoked: bool) -> Response:
        seller_id = str((await _wanted(request)).get("seller_id"))
        if self._world.seller(seller_id) is None:
            return _answer({"error": "There is no such seller."}, 404)
        if revoked:
            self._world.revoked.add(seller_id)
        else:
            self._world.revoked.discard(seller_id)
        return _answer({"seller_id": seller_id, "revoked": revoked})

    def rotate(self, request: Request) -> Response:
        """Rotate the application's secret as Amazon does by itself, or as a person does in the console."""
        self._world.secrets.rotate(None)
        return _answer({"rotations": self._world.secrets.rotations})

    def deliver(self, request: Request) -> Response:
        """Send the notices of new secrets whose time has come."""
        return _answer({"sent": self._world.secrets.deliver()})

    async def secret(self, request: Request) -> Response:
        """Let the application's own secret expire (``{"expired": true}``), or heal it."""
        self._world.secret_expired = bool((await _wanted(request)).get("expired", True))
        return _answer({"expired": self._world.secret_expired})
