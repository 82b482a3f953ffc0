"""Login with Amazon: refresh tokens for access tokens."""

import hmac
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from amazon_simulator.answers import HTML_503, Answer, Delivery, in_json
from amazon_simulator.faults import Fault
from amazon_simulator.world import World

ROTATION = "sellingpartnerapi::client_credential:rotation"


class LoginApi:
    """``POST /auth/o2/token``."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def token(self, request: Request) -> Delivery:
        """Grant an access token, or say in LWA's own shape why not."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        seller = self._world.seller_of_refresh_token(form.get("refresh_token", ""))
        fault = self._world.faults.next("token", seller.seller_id if seller else None)
        answer = self._grant(form, request.headers.get("content-type", ""), fault)
        self._world.requests["token", answer.status] += 1
        return Delivery(answer, fault)

    def _grant(self, form: dict[str, str], content_type: str, fault: Fault | None) -> Answer:
        name = fault.name if fault else ""
        if name == "500":
            return _refuse(500, "server_error", "The authorization server met an unexpected condition.")
        if name == "503_html":
            return Answer(503, HTML_503, "text/html")
        if not content_type.startswith("application/x-www-form-urlencoded"):
            return _refuse(
                400, "invalid_request", "The content type must be application/x-www-form-urlencoded."
            )
        if form.get("grant_type") == "client_credentials":
            return self._grant_application(form, name)
        if form.get("grant_type") != "refresh_token":
            return _refuse(
                400, "unsupported_grant_type", "The grant type is not supported by the authorization server."
            )
        if not {"refresh_token", "client_id", "client_secret"} <= form.keys():
            return _refuse(400, "invalid_request", "The request is missing a required parameter.")
        if name == "secret_expired" or not self._is_client(form):
            return _refuse(401, "invalid_client", "Client authentication failed")
        seller = self._world.seller_of_refresh_token(form["refresh_token"])
        if seller is None or name == "lwa_flap":
            return _refuse(
                400, "invalid_grant", "The request has an invalid grant parameter : refresh_token. "
                "User may have revoked or didn't grant the permission."
            )  # fmt: skip
        granted: dict[str, Any] = {
            "access_token": self._world.issue_access_token(seller),
            "refresh_token": seller.refresh_token,
            "token_type": "bearer",
            "expires_in": round(self._world.config.token_seconds),
        }
        return in_json(200, granted)

    def _grant_application(self, form: dict[str, str], fault: str) -> Answer:
        """Grant a token in no seller's name, for the scope of rotations."""
        if not {"scope", "client_id", "client_secret"} <= form.keys():
            return _refuse(400, "invalid_request", "The request is missing a required parameter.")
        if fault == "secret_expired" or not self._is_client(form):
            return _refuse(401, "invalid_client", "Client authentication failed")
        if form["scope"] != ROTATION:
            return _refuse(400, "invalid_scope", "The scope is not known.")
        granted = {
            "access_token": self._world.issue_application_token(),
            "token_type": "bearer",
            "expires_in": round(self._world.config.token_seconds),
        }
        return in_json(200, granted)

    def _is_client(self, form: dict[str, str]) -> bool:
        config = self._world.config
        same_id = hmac.compare_digest(form["client_id"].encode(), config.client_id.encode())
        taken = self._world.secrets.takes(form["client_secret"])
        return same_id and taken and not self._world.secret_expired


def _refuse(status: int, code: str, description: str) -> Answer:
    return in_json(status, {"error": code, "error_description": description})
