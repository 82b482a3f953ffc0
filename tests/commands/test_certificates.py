"""Certificates on the command line: rendered from what a purge left, and verified in all three forms."""

import subprocess
import sys
from pathlib import Path

import pytest

from custody.bootstrap import House
from custody.certificates import page, sheet

from ..builders import add_contract, complete, keep, make_order
from ..certificates.whole import make_whole
from .conftest import Run


@pytest.fixture
def certificate_id(house: House) -> str:
    """Name the certificate of a purge of two orders."""
    contract = add_contract(house)
    keep(house, contract, make_order(1), make_order(2))
    complete(house, contract, 1, 2)
    house.purge([contract.contract_id])
    (found,) = house.settings.certificates.glob("purge-*.json")
    return found.stem


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Lay out a certificate in its three forms beside the public keys."""
    whole = make_whole()
    text = whole.document.decode()
    (tmp_path / "jwks.json").write_bytes(whole.jwks)
    (tmp_path / "log.vkey").write_text(whole.log_key)
    (tmp_path / "c.json").write_text(text)
    (tmp_path / "c.html").write_bytes(page.page(text, whole.jwks, whole.log_key))
    (tmp_path / "c.pdf").write_bytes(sheet.sheet(text))
    return tmp_path


def test_a_purge_s_certificate_is_rendered_by_its_id_and_verified_in_every_form(
    run: Run, house: House, certificate_id: str
) -> None:
    folder = house.settings.certificates
    html, pdf = folder / f"{certificate_id}.html", folder / f"{certificate_id}.pdf"
    status, _, err = run("certificate", "render", certificate_id, "--html", str(html), "--pdf", str(pdf))
    assert (status, err.count("is written")) == (0, 2)
    for file, form in ((html, "HTML page"), (pdf, "PDF sheet")):
        status, out, _ = run("verify", str(file))
        assert status == 0
        assert out.startswith(f"valid: {certificate_id}\n")
        assert f"{form}: it shows what was signed." in out
    status, out, _ = run("verify", str(folder / f"{certificate_id}.json"))
    assert (status, "it shows" in out) == (0, False)


def test_a_form_is_made_from_any_other_without_an_installation(run: Run, files: Path) -> None:
    for source in ("c.json", "c.html", "c.pdf"):
        again = files / "again.html"
        assert run("certificate", "render", str(files / source), "--html", str(again))[0] == 0
        assert again.read_bytes() == (files / "c.html").read_bytes()


@pytest.mark.parametrize("name", ["c.html", "c.pdf"])
def test_a_rendering_that_shows_something_else_is_not_valid(run: Run, files: Path, name: str) -> None:
    document = (files / name).read_bytes()
    (files / name).write_bytes(document.replace(b"</title>", b"!</title>").replace(b"%%EOF", b"%%FOE"))
    status, out, err = run("verify", str(files / name))
    assert (status, out) == (1, "")
    assert err.startswith("NOT VALID (shown): ")


def test_a_rendering_of_another_version_says_3_and_what_was_not_compared(run: Run, files: Path) -> None:
    document = (files / "c.html").read_text()
    (files / "c.html").write_text(document.replace(page.generator(), "custody 9.9.9, page 0"))
    status, out, err = run("verify", str(files / "c.html"))
    assert status == 3
    assert out.startswith("valid: ")
    assert "could not be compared" in err


def test_a_logged_certificate_without_the_log_s_key_says_that_its_place_was_not_checked(
    run: Run, files: Path
) -> None:
    (files / "log.vkey").rename(files / "kept")
    status, out, _ = run("verify", str(files / "c.json"))
    assert (status, "its place in the log not checked" in out) == (0, True)
    for name in ("c.json", "c.html", "c.pdf"):
        status, out, _ = run("verify", str(files / name), "--log-key", str(files / "kept"))
        assert (status, "not checked" in out) == (0, False)


def test_nothing_is_rendered_of_what_is_not_valid(run: Run, files: Path) -> None:
    (files / "c.json").write_text((files / "c.json").read_text().replace('"orders": 3', '"orders": 9'))
    status, _, err = run("certificate", "render", str(files / "c.json"), "--html", str(files / "new.html"))
    assert status == 1
    assert "Nothing was rendered." in err
    assert not (files / "new.html").exists()


def test_what_cannot_be_rendered_is_one_sentence(run: Run, files: Path) -> None:
    unknown = run("certificate", "render", "purge-1", "--html", str(files / "new.html"))
    assert (unknown[0], "no certificate purge-1 under" in unknown[2]) == (1, True)
    elsewhere = run("certificate", "render", "../purge-1", "--html", str(files / "new.html"))
    assert (elsewhere[0], "no certificate" in elsewhere[2]) == (1, True)
    assert run("certificate", "render", str(files / "c.json"))[0] == 1


def test_verifying_a_page_needs_neither_an_installation_nor_typst(files: Path) -> None:
    code = (
        "import sys, custody.cli as cli\n"
        "sys.argv = ['custody', 'verify', 'c.html']\n"
        "try: cli.main()\n"
        "finally: assert not {'custody.bootstrap', 'airflow', 'psycopg', 'typst'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=files, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
