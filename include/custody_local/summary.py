"""The end of a demo: where all orders went, and whether the certificates hold, for people and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from custody.certificates.public_keys import JWKS, LOG_KEY
from custody.certificates.signing import read_keys
from custody.certificates.verify import verify
from custody.fulfillment.work import READY, SHIPPED
from custody.status import Status
from custody_local.layout import write_private


@dataclass(frozen=True, slots=True)
class Summary:
    """What is written to ``summary.json``; ``certificates`` are the files' paths."""

    sellers: int
    orders_pulled: int
    orders_sealed: int
    orders_fulfilled: int
    orders_purged: int
    orders_withheld: int
    orders_quarantined: int
    orders_waiting: Mapping[str, int]
    certificates: list[str]
    certificates_valid: int
    quota_waited_seconds: float
    seconds: float

    @classmethod
    def of(cls, status: Status, certificates: Path, seconds: float) -> "Summary":
        """Count what there is, and verify every certificate as anyone could: offline, by the public keys."""
        found = sorted(certificates.glob("purge-*.json"))
        valid = 0
        if found:
            keys = read_keys((certificates / JWKS).read_bytes())
            log_key = (certificates / LOG_KEY).read_text()
            verdicts = (verify(file.read_bytes(), keys, log_key=log_key) for file in found)
            valid = sum(each.certificate is not None for each in verdicts)
        return cls(
            sellers=len(status.sellers),
            orders_pulled=status.orders_pulled,
            orders_sealed=status.orders_sealed,
            orders_fulfilled=status.orders_fulfilled,
            orders_purged=status.orders_purged,
            orders_withheld=status.withheld,
            orders_quarantined=status.quarantined,
            orders_waiting=_waiting(status),
            certificates=[str(file) for file in found],
            certificates_valid=valid,
            quota_waited_seconds=status.waited_seconds,
            seconds=round(seconds, 1),
        )

    def write(self, home: Path) -> None:
        """Write ``summary.json`` in the home."""
        write_private(home / "summary.json", json.dumps(asdict(self), indent=2) + "\n")

    def show(self, console: Console, address: str, logins: Mapping[str, str]) -> None:
        """Print the summary, with where to go and look; what one user asks for, another one approves."""
        table = Table(show_header=False, box=None, padding=(0, 2))
        for name, value in (
            ("sellers", self.sellers),
            ("orders pulled", self.orders_pulled),
            ("sealed", self.orders_sealed),
            ("fulfilled", self.orders_fulfilled),
            ("purged", self.orders_purged),
            ("withheld (legal hold)", self.orders_withheld),
            ("quarantined", self.orders_quarantined),
        ):
            table.add_row(name, f"{value:,}")
        for reason, count in self.orders_waiting.items():
            table.add_row(f"waiting: {reason}", f"{count:,}")
        held = self.certificates_valid == len(self.certificates)
        verdict = "[green]all valid[/green]" if held else "[red]NOT all valid[/red]"
        table.add_row("certificates", f"{len(self.certificates)}, {verdict}")
        table.add_row("waited for quota", f"{self.quota_waited_seconds:.0f} s, over all calls")
        table.add_row("took", f"{self.seconds:.0f} s")
        console.print(Panel(table, title="The life and death of your orders", expand=False))
        if self.certificates:
            console.print(
                f"Verify one yourself: .venv/bin/custody verify {self.certificates[0]}", highlight=False
            )
        for user, password in logins.items():
            console.print(f"Airflow: {address}   user {user:8}   password {password}", highlight=False)


def _waiting(status: Status) -> dict[str, int]:
    """Give what is alive and why: the reasons of tasks, and states at Amazon that allow no work."""
    early = {name: count for name, count in status.live.items() if name not in READY | {SHIPPED}}
    return {**status.waiting, **{f"{name} at Amazon": count for name, count in early.items()}}
