"""The stand-in for Amazon in a process of its own, away from any home."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from amazon_simulator.config import Config

REPOSITORY = Path(__file__).resolve().parents[2]
CLIENT = {"CUSTODY_LWA_CLIENT_ID": Config().client_id, "CUSTODY_LWA_CLIENT_SECRET": Config().client_secret}


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in that is up."""

    address: str

    def sellers_csv(self) -> str:
        """Give the sellers' file that a person would register."""
        return self._get("sellers").text

    def seller_ids(self) -> list[str]:
        """Name the sellers."""
        return [line.partition(",")[0] for line in self.sellers_csv().splitlines()[1:]]

    def served(self) -> list[tuple[str, str]]:
        """List kind and value of everything personal that was served so far."""
        lines = [json.loads(line) for line in self._get("served").text.splitlines()]
        return [(line["kind"], line["value"]) for line in lines]

    def struck(self) -> set[str]:
        """Name the faults that have struck."""
        faults = self._get("state").json()["faults"]
        return {fault for of_operation in faults.values() for fault in of_operation}

    def fail(self, *script: dict[str, Any]) -> None:
        """Replace the plan of faults."""
        self._post("faults", {"script": script})

    def revoke(self, seller_id: str) -> None:
        """Withdraw a seller's authorization."""
        self._post("revoke", {"seller_id": seller_id})

    def _get(self, name: str) -> httpx.Response:
        address = f"{self.address}/_simulator/{name}"
        return httpx.get(address, trust_env=False, timeout=30).raise_for_status()

    def _post(self, name: str, content: object) -> None:
        address = f"{self.address}/_simulator/{name}"
        httpx.post(address, json=content, trust_env=False, timeout=30).raise_for_status()


@contextmanager
def stand_in(orders: int, sellers: int, *options: str) -> Iterator[StandIn]:
    """Start a stand-in with wide quotas, and end it."""
    size = ["--orders", str(orders), "--sellers", str(sellers), "--quota-scale", "100"]
    command = [sys.executable, "-m", "amazon_simulator", *size, *options]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "include")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield StandIn(json.loads(process.stdout.readline())["base_url"])
        finally:
            process.terminate()
