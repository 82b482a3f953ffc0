"""The page in a real browser, offline: it shows what was signed, and says NOT VALID for all else."""

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from custody.certificates.certificate import canonical, digest_of
from custody.certificates.page import page
from custody.certificates.reading import layout, read, rendering

from .browser import chromium
from .papers import receipt_token, signed_anew, signed_in
from .whole import Whole, make_whole

WHOLE = make_whole()
PAGE = page(WHOLE.document.decode(), WHOLE.jwks, WHOLE.log_key).decode()
DONE = (
    "!['', 'unchecked'].includes(document.body.className) || /browser cannot/.test(document.body.innerText)"
)

Show = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Show]:
    """Open a page from a file, without a network, and wait for its verdict."""
    contexts = []

    def opened(document: str, *, scripts: bool = True, before: str = "", width: int = 1000) -> Any:
        file = tmp_path / "certificate.html"
        file.write_text(document)
        context = browser.new_context(
            java_script_enabled=scripts, offline=True, viewport={"width": width, "height": 800}
        )
        contexts.append(context)
        shown = context.new_page()
        if before:
            shown.add_init_script(before)
        shown.goto(file.as_uri())
        if scripts:
            shown.wait_for_function(DONE)
        return shown

    yield opened
    for each in contexts:
        each.close()


def verdict(shown: Any) -> str:
    return str(shown.inner_text("#verdict .state"))


def embedded(name: str = "signed") -> Any:
    found = re.search(rf'id="{name}">(.*?)</script>', PAGE, re.DOTALL)
    assert found
    return json.loads(found[1])


def with_embedded(data: Any, name: str = "signed", document: str = PAGE) -> str:
    text = json.dumps(data, ensure_ascii=False, indent=2).replace("<", "\\u003c")
    return re.sub(
        rf'(id="{name}">).*?(</script>)', lambda m: f"{m[1]}\n{text}\n{m[2]}", document, flags=re.DOTALL
    )


def page_of(document: str, whole: Whole = WHOLE) -> str:
    return page(document, whole.jwks, whole.log_key).decode()


def flipped(text: str, position: int) -> str:
    return text[:position] + ("A" if text[position] != "A" else "B") + text[position + 1 :]


def named(name: str) -> str:
    payload = signed_in(WHOLE)
    payload["who"]["controller"]["name"] = name
    return page_of(signed_anew(WHOLE, payload))


def test_a_valid_certificate_is_shown_as_valid_with_every_check(show: Show) -> None:
    shown = show(PAGE)
    assert verdict(shown) == "Valid"
    assert shown.locator("#verdict li.held").count() == 5
    assert "you have to compare" in shown.inner_text("#verdict li.absent")
    assert WHOLE.signer.key_id in shown.inner_text("main")


def test_a_certificate_without_log_and_receipt_says_what_it_is_without(show: Show) -> None:
    bare = json.loads(WHOLE.document) | {"log": None, "receipt": None}
    document = json.dumps({name: each for name, each in bare.items() if each is not None})
    assert verdict(show(page_of(document))) == (
        "Valid, not yet in the log, without the receipt of the key’s destruction"
    )


def changed_payload(file: dict[str, Any]) -> None:
    head, body, signature = file["jws"].split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    said["what"]["orders"] = 300
    payload = canonical(said)
    body = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    file |= {"jws": f"{head}.{body}.{signature}", "certificate": said, "digest": digest_of(payload)}


def changed_reading(file: dict[str, Any]) -> None:
    file["certificate"]["what"]["orders"] = 300


def changed_digest(file: dict[str, Any]) -> None:
    file["digest"] = "sha256:" + "0" * 64


def changed_signature(file: dict[str, Any]) -> None:
    file["jws"] = flipped(file["jws"], len(file["jws"]) - 20)


def changed_proof(file: dict[str, Any]) -> None:
    file["log"]["hashes"][0] = "0" * 64


def changed_position(file: dict[str, Any]) -> None:
    file["log"]["position"] += 1


def changed_time_of_entry(file: dict[str, Any]) -> None:
    file["log"]["at"] = "2026-01-01T00:00:00Z"


def changed_checkpoint(file: dict[str, Any]) -> None:
    file["log"]["checkpoint"] = file["log"]["checkpoint"].replace("\n11\n", "\n12\n")


def changed_checkpoint_signature(file: dict[str, Any]) -> None:
    file["log"]["checkpoint"] = flipped(file["log"]["checkpoint"], len(file["log"]["checkpoint"]) - 20)


def changed_receipt(file: dict[str, Any]) -> None:
    file["receipt"] = flipped(file["receipt"], len(file["receipt"]) - 20)


def receipt_of_another_key(file: dict[str, Any]) -> None:
    file["receipt"] = receipt_token(WHOLE, keys_destroyed=("acme-eu/2",))


def receipt_by_the_certificate_key(file: dict[str, Any]) -> None:
    file["receipt"] = file["jws"]


def another_part_of_the_proof(file: dict[str, Any]) -> None:
    file["log"]["note"] = "since 2020"


def another_part(file: dict[str, Any]) -> None:
    file["note"] = "and everything else as well"


def nothing(file: dict[str, Any]) -> None:
    file.clear()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (changed_payload, "signature"),
        (changed_signature, "signature"),
        (changed_reading, "digest"),
        (changed_digest, "digest"),
        (changed_proof, "log proof"),
        (changed_position, "log proof"),
        (changed_time_of_entry, "log proof"),
        (changed_checkpoint, "checkpoint"),
        (changed_checkpoint_signature, "checkpoint"),
        (changed_receipt, "receipt"),
        (receipt_of_another_key, "receipt"),
        (receipt_by_the_certificate_key, "malformed"),
        (another_part, "malformed"),
        (another_part_of_the_proof, "malformed"),
        (nothing, "malformed"),
    ],
)
def test_a_changed_part_is_not_valid_and_the_page_says_why(
    show: Show, change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    file = embedded()
    change(file)
    # What the page came with follows the change, where it can: only the signed data gives it away.
    try:
        document = page_of(json.dumps(file))
    except (KeyError, ValueError):
        document = with_embedded(file)
    shown = show(document)
    assert verdict(shown) == f"NOT VALID ({problem})"
    assert shown.inner_text("#verdict .detail").endswith(".")
    assert shown.locator("#keys").is_hidden()


def test_what_the_page_came_with_must_be_what_was_signed(show: Show) -> None:
    before, after = '<dd dir="auto">3</dd>', '<dd dir="auto">300</dd>'
    assert before in PAGE
    shown = show(PAGE.replace(before, after, 1))
    assert verdict(shown) == "NOT VALID (shown)"
    assert "300" not in shown.inner_text("main")
    assert verdict(show(PAGE.replace("<h2>Withheld</h2>", "<h2>Withheld</h2><p>Nothing.</p>"))) == (
        "NOT VALID (shown)"
    )


@pytest.mark.parametrize("change", ["x", "kid", "custody_role", "gone"])
def test_a_changed_key_of_the_page_is_not_valid(show: Show, change: str) -> None:
    keys = embedded("public-keys")
    mine = next(each for each in keys["keys"] if each["kid"] == WHOLE.signer.key_id)
    if change == "gone":
        keys["keys"].remove(mine)
    else:
        mine[change] = flipped(mine.get(change, "certificate"), 2)
    assert verdict(show(with_embedded(keys, "public-keys"))) == "NOT VALID (unknown key)"


def test_the_log_s_key_must_be_the_one_that_it_says_it_is(show: Show) -> None:
    mine, foreign = WHOLE.log_key.strip(), make_whole().log_key.strip()
    renamed = foreign.replace(foreign.split("+")[0], mine.split("+")[0])
    assert PAGE.count(mine) == 2
    for other in (foreign, renamed, flipped(mine, len(mine) - 9)):
        assert verdict(show(PAGE.replace(mine, other))) == "NOT VALID (checkpoint)"
    assert verdict(show(page(WHOLE.document.decode(), WHOLE.jwks).decode())) == "NOT VALID (checkpoint)"


def given_to(shown: Any, tmp_path: Path, jwks: bytes, log_key: str) -> None:
    (tmp_path / "jwks.json").write_bytes(jwks)
    (tmp_path / "log.vkey").write_text(log_key)
    shown.set_input_files("#published", [str(tmp_path / "jwks.json"), str(tmp_path / "log.vkey")])


def test_published_keys_that_are_given_are_compared(show: Show, tmp_path: Path) -> None:
    shown = show(PAGE)
    given_to(shown, tmp_path, WHOLE.jwks, WHOLE.log_key)
    shown.wait_for_selector("#verdict .detail:has-text('published keys that you gave')")
    assert verdict(shown) == "Valid"


def test_a_forged_page_is_valid_only_until_the_published_keys_are_given(show: Show, tmp_path: Path) -> None:
    forger = make_whole()
    shown = show(page_of(forger.document.decode(), forger))
    assert verdict(shown) == "Valid"
    given_to(shown, tmp_path, WHOLE.jwks, WHOLE.log_key)
    shown.wait_for_selector("body.invalid")
    assert verdict(shown) == "NOT VALID (published keys)"


def test_without_scripts_the_page_says_that_it_is_not_verified_and_can_be_read(show: Show) -> None:
    shown = show(PAGE, scripts=False)
    assert verdict(shown) == "Not verified"
    assert "nothing on this page has been checked" in shown.inner_text("#verdict")
    assert "acme-eu/1" in shown.inner_text("main")


def test_a_changed_script_does_not_run(show: Show) -> None:
    changed = PAGE.replace('tell("unchecked", "Being checked"', 'tell("valid", "Valid"')
    assert changed != PAGE
    assert verdict(show(changed, scripts=False)) == "Not verified"
    file = embedded()
    changed_signature(file)
    shown = show(with_embedded(file).replace("!sound ||", "false ||"), scripts=False)
    assert verdict(shown) == "Not verified"


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (
            "SubtleCrypto.prototype.importKey = async () => "
            "{ throw new DOMException('no', 'NotSupportedError') }",
            "does not know Ed25519",
        ),
        ("Object.defineProperty(Crypto.prototype, 'subtle', {value: undefined})", "secure pages only"),
    ],
    ids=["no Ed25519", "no WebCrypto"],
)
def test_a_browser_that_cannot_check_says_so(show: Show, before: str, reason: str) -> None:
    shown = show(PAGE, before=before)
    assert verdict(shown) == "Not checked: this browser cannot"
    assert reason in shown.inner_text("#verdict .detail")
    assert "not verified" in shown.inner_text("#verdict .detail")


@pytest.mark.parametrize(
    "name",
    [
        "</script><script>document.title='owned'</script>",
        "<!--<script>",
        "]]> &amp; \" ' {{script}}",
        "Akme\u202eevil\u2028\x07",
        "株式会社 שלום",
        " leading, trailing ",
        "\ufffe\U0010ffff",
    ],
)
def test_any_name_is_shown_as_it_is_and_never_as_markup(show: Show, name: str) -> None:
    shown = show(named(name))
    assert verdict(shown) == "Valid"
    assert "owned" not in shown.title()
    seen = shown.locator("dt:text-is('Controller') + dd").text_content()
    assert seen == re.sub("[\x07\u202e\u2028]", lambda found: f"⟨U+{ord(found[0]):04X}⟩", name)


def test_a_certificate_of_a_megabyte_is_checked_as_well(show: Show) -> None:
    document = signed_anew(WHOLE, signed_in(WHOLE) | {"not_claimed": ["Nothing of this. " * 20] * 3_000})
    assert len(document) > 1_000_000
    assert verdict(show(page_of(document))) == "Valid"


def test_it_asks_for_nothing_outside_itself(show: Show) -> None:
    shown = show(PAGE)
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.reload()
    shown.wait_for_function(DONE)
    assert [url for url in asked if not url.endswith("/certificate.html")] == []
    assert "http" not in re.sub(r"http-equiv", "", PAGE)


def test_it_fits_a_phone_and_prints_on_a4(show: Show) -> None:
    shown = show(PAGE, width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360
    printed = PdfReader(io.BytesIO(shown.pdf(prefer_css_page_size=True)))
    assert {(round(each.mediabox.width), round(each.mediabox.height)) for each in printed.pages} <= {
        (595, 842), (594, 842), (595, 841), (594, 841), (596, 842),
    }  # fmt: skip
    assert "Valid" in printed.pages[0].extract_text()
    assert len(printed.pages) <= 4


def test_the_signed_file_can_be_saved_from_it(show: Show) -> None:
    shown = show(PAGE)
    with shown.expect_download() as saved:
        shown.click("#save")
    assert json.loads(Path(saved.value.path()).read_text()) == json.loads(WHOLE.document)


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.text(max_size=8),
    st.floats(allow_nan=False, allow_infinity=False), st.just("2026-11-20T12:00:00Z"), st.just("0" * 64),
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(["orders", "surfaces", "a_b", "__proto__", "constructor", ""]), st.text(max_size=4)
)
ANY = st.recursive(
    PLAIN, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3), max_leaves=6
)
PLACES = [
    *layout()["head"][0][:1], "who", "what.orders", "why", "how.keys_destroyed", "when", "verification",
    "verification.row_absence", "verification.residue_scan", "verification.residue_scan.surfaces",
    "verification.residue_scan.not_visible", "withheld", "not_claimed", "new", "who.controller.name",
]  # fmt: skip


def put(payload: dict[str, Any], place: str, value: Any) -> None:
    *way, last = place.split(".")
    for each in way:
        payload = payload[each] if isinstance(payload.get(each), dict) else payload.setdefault(f"{each}-", {})
    payload[last] = value


def test_the_browser_reads_a_certificate_as_the_library_does(show: Show) -> None:
    """Whatever is signed, in whatever form: else a page would not be what it is compared with."""
    scripts = "\n".join(rendering(each).decode() for each in ("json.js", "check.js", "reading.js"))
    reader = show(PAGE).context.new_page()
    words = json.dumps(layout())
    reader.evaluate(
        f"""(() => {{ {scripts}
        globalThis.readAll = (text) => {{
          const file = parse(text);
          const payload = unsealed(file.get("jws"), "custody-certificate+jws", "certificate").payload;
          const receipt = unsealed(file.get("receipt"), "custody-receipt+jws", "receipt").payload;
          return read({words}, file, payload, receipt, []);
        }} }})()"""
    )

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(PLACES), ANY), max_size=3))
    def agree(changes: list[tuple[str, Any]]) -> None:
        payload = signed_in(WHOLE)
        for place, value in changes:
            put(payload, place, value)
        document = signed_anew(WHOLE, payload, log=json.loads(WHOLE.document)["log"])
        mine = json.loads(canonical(read(document.encode())))
        assert reader.evaluate("readAll", document) == mine

    agree()
