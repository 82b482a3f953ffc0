"""The application that holds our pages: Airflow checks nobody for it, so it does.

Rules:
- every route asks who is there: without a login of Airflow there is nothing to see, nor a list of routes;
- nothing that is shown may run: no script, no style but our own, no frame but in Airflow's own pages;
- nothing here changes anything: there is no other method than GET.
"""

from collections.abc import Awaitable, Callable

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, Request, Response

from custody_airflow.pages import watch
from custody_airflow.pages.style import STYLE

URL_PREFIX = "/custody"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def application() -> FastAPI:
    """Make the application; it is mounted under ``/custody``."""
    made = FastAPI(
        title="Custody",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.WEBSITE))],
    )
    made.middleware("http")(_with_headers)
    made.get("/style.css")(style)
    made.include_router(watch.router)
    return made


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    answer = await call_next(request)
    answer.headers.update(_HEADERS)
    return answer


def style() -> Response:
    """Give the style of all pages."""
    return Response(STYLE, media_type="text/css")
