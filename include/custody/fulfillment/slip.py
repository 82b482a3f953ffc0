"""The packing slip of one order: a PDF made in memory, readable in the scripts that buyers write in.

Typst sets it in this process, with the Noto fonts of two pinned packages and no others.
It writes no file and reads none but its fonts, and the data never becomes part of the template.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple, cast

import typst

from custody.errors import BadInput
from custody.fulfillment.address import AddressLine, address_lines
from custody.fulfillment.lettering import (
    NO_GLYPH,
    goods_line,
    han_style,
    mostly_right_to_left,
    personal_line,
    reads_right_to_left,
    unreadable,
)
from custody.fulfillment.wording import Shop, shop
from custody.orders.records import Item, OrderFacts, Recipient

_FONT_PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
_FONTS = ("Noto Sans", "Noto Sans Arabic", "Noto Sans Hebrew")  # other scripts: whichever font has them
# The longest word, in characters, that surely fits its column: capital Ws of its size, but an order
# number of Amazon's is 19 digits and hyphens. Only for longer ones Typst measures, which costs time.
_WORD_FITS = 16
_SKU_FITS = 11
_ORDER_FITS = 19
_MOST_REPLACED = 20  # ornaments of a title; each costs one more setting of the slip
# Tagged for screen readers, and the standard under which Typst refuses a character without a glyph.
_STANDARD: Final = "ua-1"
_CLUSTER = re.compile(r'`"((?:[^"\\]|\\.)+)"`')
_ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}|\\(.)")


class _Cannot(NamedTuple):
    """Why Typst did not set a slip: the characters without a glyph, where it names them."""

    cluster: str

    def __repr__(self) -> str:
        return "_Cannot(…)"


def render_slip(recipient: Recipient, facts: OrderFacts, seller_name: str) -> bytes:
    """Make the packing slip of an order: A5, as many pages as its items need.

    The same arguments give the same bytes.
    Raises BadInput, naming nothing personal, for an order without an address or items, and for
    a name or address that cannot be printed whole; in titles a box stands for what has no glyph.
    Typst's cache forgets the slip within ten more.
    Call it only in processes that do not fork afterwards: Typst's threads do not survive that.
    """
    if not recipient.deliverable:
        raise BadInput("The order has no name or no street; a slip is not printed blank.")
    items = [item for item in facts.items if item.quantity > 0]
    if not items:
        raise BadInput("The order has no item left to pack; there is nothing to print a slip for.")
    here = shop(facts.marketplace_id)
    lines = address_lines(recipient, here.country_name(recipient.country_code))
    address = [AddressLine(personal_line(line.text), line.is_name) for line in lines]
    frame = _frame(here, facts, recipient.country_code, address)
    replaced: list[str] = []
    while len(replaced) <= _MOST_REPLACED:
        goods = _goods(items, seller_name, replaced)
        made = _set(json.dumps(frame | goods, ensure_ascii=False))
        if isinstance(made, bytes):
            return made
        if not made.cluster:
            raise BadInput("The slip cannot be set; its template or its fonts need a look.")
        if made.cluster in replaced or any(made.cluster in line.text for line in address):
            raise unreadable(made.cluster)
        replaced.append(made.cluster)
    raise BadInput(f"The titles have more than {_MOST_REPLACED} characters that no font has; correct them.")


def _frame(here: Shop, facts: OrderFacts, country: str, address: Sequence[AddressLine]) -> dict[str, object]:
    texts = [line.text for line in address]
    han = han_style([country, here.country], "".join(texts) + "".join(item.title for item in facts.items))
    return {
        "fonts": [*_FONTS, f"Noto Sans CJK {han}"],
        "language": here.locale.language,
        "rtl": here.locale.text_direction == "rtl",
        "words": {name.replace("_", "-"): word for name, word in asdict(here.words).items()},
        "order": _text(goods_line(facts.order_id), _ORDER_FITS),
        "date": here.date(facts.created_at),
        "address": [_text(line.text) | {"is-name": line.is_name} for line in address],
        "address-rtl": mostly_right_to_left(texts),
    }


def _goods(items: Sequence[Item], seller_name: str, replaced: Sequence[str]) -> dict[str, object]:
    def line(text: str) -> str:
        text = goods_line(text)
        for cluster in replaced:
            text = text.replace(cluster, NO_GLYPH)
        return text

    return {
        "seller": _text(line(seller_name)),
        "items": [
            {
                "sku": _text(line(item.sku), _SKU_FITS),
                "title": _text(line(item.title)),
                "quantity": item.quantity,
            }
            for item in items
        ],
        "total": sum(item.quantity for item in items),
    }


def _text(text: str, fits: int = _WORD_FITS) -> dict[str, object]:
    wide = any(len(word) > fits for word in text.split(" "))
    return {"text": text, "rtl": reads_right_to_left(text), "wide": wide}


@cache
def _workshop() -> tuple[int, typst.Fonts, bytes]:
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(files(package)) for package in _FONT_PACKAGES],
    )
    return os.getpid(), fonts, files("custody.fulfillment").joinpath("slip.typ").read_bytes()


def _set(slip: str) -> bytes | _Cannot:
    process, fonts, template = _workshop()
    if process != os.getpid():
        raise RuntimeError("This process was forked from one that had made slips; Typst would never answer.")
    # A compiler keeps its last input, so each slip has its own; it costs 0.1 ms.
    compiler = typst.Compiler(font_paths=fonts)
    try:
        made = compiler.compile(template, format="pdf", sys_inputs={"slip": slip}, pdf_standards=_STANDARD)
    except typst.TypstError as error:
        named = _CLUSTER.search(error.message)
    else:
        return cast(bytes, made)
    # Outside of the handler, so that no traceback chains Typst's message, which quotes the text.
    return _Cannot(_ESCAPE.sub(_unescaped, named[1]) if named else "")


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[2]
