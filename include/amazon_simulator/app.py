"""The ASGI application: all hosts of Amazon at one base address, and the control panel."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from amazon_simulator.answers import Delivery, error
from amazon_simulator.applications_api import ApplicationsApi
from amazon_simulator.control import ControlApi
from amazon_simulator.lwa import LoginApi
from amazon_simulator.orders_api import OrdersApi
from amazon_simulator.world import World


async def _not_found(request: Request, failure: Exception) -> Delivery:
    return Delivery(error(404, "NotFound", "The requested resource does not exist."), None)


def make_app(world: World) -> Starlette:
    """Build the application over a world."""
    login, orders, control = LoginApi(world), OrdersApi(world), ControlApi(world)
    search, shipment = "/orders/2026-01-01/orders", "/orders/v0/orders/{order_id}/shipmentConfirmation"
    routes = [
        Route("/auth/o2/token", login.token, methods=["POST"]),
        Route(search, orders.search_orders, methods=["GET"]),
        Route(search + "/{order_id}", orders.get_order, methods=["GET"]),
        Route(shipment, orders.confirm_shipment, methods=["POST"]),
        Route("/applications/2023-11-30/clientSecret", ApplicationsApi(world).rotate, methods=["POST"]),
        Route("/_simulator/served", control.served, methods=["GET"]),
        Route("/_simulator/sellers", control.sellers, methods=["GET"]),
        Route("/_simulator/state", control.state, methods=["GET"]),
    ]
    for name in ("advance", "faults", "revoke", "restore", "secret", "rotate", "deliver"):
        routes.append(Route(f"/_simulator/{name}", getattr(control, name), methods=["POST"]))
    return Starlette(routes=routes, exception_handlers={404: _not_found})  # type: ignore[dict-item]  # Delivery is ASGI
