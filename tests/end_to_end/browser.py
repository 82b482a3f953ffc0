"""A person at the Airflow UI, in a real headless browser."""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120_000  # milliseconds; a page takes 3 s, and on a machine under load ten times that
# Without these it looks for its maker's hosts, which a closed network refuses one by one.
_ALONE = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", *_ALONE)
_SIZE = {"width": 1400, "height": 1000}


@dataclass(frozen=True, slots=True)
class Person:
    """One user of Airflow, logged in; ``shots`` is where the screens that were seen are kept."""

    name: str
    page: "Page"
    shots: Path

    def trigger(self, dag_id: str, **form: str) -> None:
        """Fill in the form of a DAG and trigger it."""
        self.page.goto(f"/dags/{dag_id}")
        self.page.get_by_role("button", name="Trigger").first.click()
        dialog = self.page.locator("[role=dialog][data-scope=dialog]")
        for field, value in form.items():
            dialog.locator(f"#element_{field}").fill(value)
        self._keep("form")
        dialog.get_by_role("button", name="Trigger").click()
        self.page.wait_for_url(re.compile(f"/dags/{dag_id}/runs/"))

    def respond(
        self, subject: str, option: str, chosen: Mapping[str, str] | None = None, **typed: str
    ) -> None:
        """Answer what is asked under Required Actions, with what is chosen of lists and typed into fields."""
        self.page.goto("/required_actions?response_received=false")
        self.page.get_by_role("link", name=re.compile(subject)).first.click()
        button = self.page.get_by_role("button", name=option)
        button.wait_for()
        for field, words in (chosen or {}).items():
            self.page.locator(f"#element_{field}").click()
            self.page.get_by_role("option", name=re.compile(words)).first.click()
        for field, value in typed.items():
            self.page.locator(f"#element_{field}").fill(value)
        self._keep("question")
        with self.page.expect_response(re.compile("hitlDetails")) as answered:
            button.click()
        assert answered.value.ok
        self._keep("answered")

    def look(self, path: str, words: str) -> None:
        """Open a page, and keep how it looks once the words are there."""
        self.page.goto(path)
        self.page.get_by_text(words).first.wait_for()
        self._keep("page")

    def _keep(self, what: str) -> None:
        number = len(list(self.shots.iterdir()))
        self.page.screenshot(path=self.shots / f"{number:02}-{self.name}-{what}.png")


@contextmanager
def browser() -> Iterator["Browser"]:
    """Start the system's Chromium; it is refused its sandbox where tests run as root."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *_ALONE]
        )
        yield started
        started.close()


def person(opened: "Browser", address: str, name: str, password: str, shots: Path) -> Person:
    """Log a user in, in a browser profile of its own."""
    context = opened.new_context(base_url=address, locale="en-US", viewport=_SIZE)  # type: ignore[arg-type]  # a TypedDict
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto("/auth/login")
    page.locator("input[name=username]").fill(name)
    page.locator("input[type=password]").fill(password)
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    page.wait_for_url(lambda url: "login" not in url)
    return Person(name, page, shots)
