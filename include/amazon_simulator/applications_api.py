"""The Application Management API: ``POST /applications/2023-11-30/clientSecret``."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from amazon_simulator.answers import HTML_503, Answer, Delivery, error, quota_exceeded, unauthorized
from amazon_simulator.faults import Fault
from amazon_simulator.world import World

ROTATE = "rotateApplicationClientSecret"


class ApplicationsApi:
    """Rotates the application's secret, in no seller's name."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def rotate(self, request: Request) -> Delivery:
        """Answer 204 without a body; the new secret travels by the queue."""
        fault = self._world.faults.next(ROTATE, None)
        answer = await run_in_threadpool(self._answer, request.headers.get("x-amz-access-token", ""), fault)
        self._world.requests[ROTATE, answer.status] += 1
        return Delivery(answer, fault)

    def _answer(self, token: str, fault: Fault | None) -> Answer:
        name = fault.name if fault else ""
        if name == "429":
            return quota_exceeded()
        if name == "500":
            return error(500, "InternalFailure", "We encountered an internal error. Please try again.")
        if name == "503_html":
            return Answer(503, HTML_503, "text/html")
        if name == "access_denied":
            return unauthorized("")
        if not self._world.is_application(token):
            return unauthorized("Access token is missing in the request header, or is a seller's.")
        if not self._world.secrets.enrolled:
            return error(400, "InvalidInput", "The application is not enrolled for rotation notifications.")
        self._world.secrets.rotate(fault)
        # Done, and the answer is lost on its way: the caller cannot know.
        return Answer(503, HTML_503, "text/html") if name == "answer_lost" else Answer(204)
