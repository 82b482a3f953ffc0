"""What a person may say to ``make demo``; it arrives in variables, so that no value needs quoting."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from custody.settings import LOOPBACK
from custody_local.errors import Unsupported

# Our stand-in gives four times Amazon's quotas, so that nobody waits minutes for a demo: QUOTA_SCALE=1
# gives Amazon's own.
OUR_QUOTA_SCALE = 4.0


@dataclass(frozen=True, slots=True)
class Options:
    """The demo's options; ``amazon`` and ``sellers`` go together."""

    home: Path
    once: bool = False
    amazon: str | None = None
    sellers: Path | None = None
    port: int | None = None
    orders: int = 500
    sellers_count: int = 5
    reach_days: float | None = None
    quota_scale: float = 1.0

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> "Options":
        """Read the options; raises Unsupported with what to say instead."""
        given = os.environ if variables is None else variables

        def value(name: str) -> str | None:
            return given.get(f"CUSTODY_DEMO_{name}") or None

        try:
            options = cls(
                home=Path(given.get("CUSTODY_HOME") or ".custody").absolute(),
                once=(value("ONCE") or "0") not in {"0", "no", "false"},
                amazon=value("AMAZON"),
                sellers=Path(str(value("SELLERS"))).absolute() if value("SELLERS") else None,
                port=int(value("PORT") or 0) or None,
                orders=int(value("ORDERS") or 500),
                sellers_count=int(value("SELLERS_COUNT") or 5),
                reach_days=float(str(value("REACH_DAYS"))) if value("REACH_DAYS") else None,
                quota_scale=float(value("QUOTA_SCALE") or (1.0 if value("AMAZON") else OUR_QUOTA_SCALE)),
            )
        except ValueError:
            raise Unsupported(
                "PORT, ORDERS, SELLERS_COUNT, REACH_DAYS and QUOTA_SCALE are numbers."
            ) from None
        options._check()
        return options

    def _check(self) -> None:
        if (self.amazon is None) != (self.sellers is None):
            raise Unsupported("AMAZON=URL and SELLERS=FILE go together; give both or neither.")
        if self.sellers is not None and not self.sellers.is_file():
            raise Unsupported(f"SELLERS: there is no file {self.sellers}.")
        if self.amazon is not None:
            address = urlsplit(self.amazon)
            if address.scheme not in {"http", "https"} or address.hostname not in LOOPBACK:
                raise Unsupported("AMAZON must be http://127.0.0.1:PORT or another loopback address.")
            for name in ("CUSTODY_LWA_CLIENT_ID", "CUSTODY_LWA_CLIENT_SECRET"):
                if not os.environ.get(name):
                    raise Unsupported(f"With AMAZON, set {name} in the environment.")
        if self.orders < 1 or self.sellers_count < 1 or self.quota_scale <= 0:
            raise Unsupported("ORDERS and SELLERS_COUNT must be at least 1, QUOTA_SCALE more than 0.")
