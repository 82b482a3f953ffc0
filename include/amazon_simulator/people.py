"""The invented people of one order: who buys, who receives, where, and what they write.

Every value is computed from the seed and the order's number and is held nowhere.
A family name is the number itself, scattered over 35 bits and written in syllables.
"""

from dataclasses import dataclass, field

from amazon_simulator.draws import Draw
from amazon_simulator.locales import LOCALES, Locale
from amazon_simulator.scripts import word

_BITS = (1 << 35) - 1


def _scatter(number: int) -> int:
    # One to one over 35 bits: odd factors (from the generators of Lehmer and Knuth) and folded halves.
    for factor in (0x5DEECE66D, 0x2545F4915):
        number = (number * factor + 0xB) & _BITS
        number ^= number >> 18
    return number


def order_number(seller: int, index: int) -> int:
    """Give an order one number among all sellers' orders."""
    return (seller << 24) | index


@dataclass(frozen=True, slots=True)
class Person:
    """All that is personal in one order; an absent value is empty."""

    country: str
    state: str
    commercial: bool
    name: str = field(repr=False)
    company: str = field(repr=False)
    line_1: str = field(repr=False)
    line_2: str = field(repr=False)
    line_3: str = field(repr=False)
    street: str = field(repr=False)
    number: str = field(repr=False)
    city: str = field(repr=False)
    postal_code: str = field(repr=False)
    phone: str = field(repr=False)
    instruction: str = field(repr=False)
    buyer_name: str = field(repr=False)
    buyer_email: str = field(repr=False)
    purchase_order: str = field(repr=False)
    gift_message: str = field(repr=False)
    customized_url: str = field(repr=False)
    cancel_reason: str = field(repr=False)
    tax_number: str = field(repr=False)
    tracking_number: str = field(repr=False)


def _full_name(locale: Locale, draw: Draw, number: int, *, is_buyer: bool) -> str:
    family = word(locale.script, _scatter(number << 1 | is_buyer), 5)
    return locale.name.format(given=draw.pick(locale.given), family=family)


def make_person(seed: int, number: int, destinations: tuple[str, ...], mail_domain: str) -> Person:
    """Compute the people of order ``number`` that goes to one of ``destinations``."""
    draw = Draw(seed, number)
    locale = LOCALES[draw.pick(destinations)]
    name = _full_name(locale, draw, number, is_buyer=False)
    buyer = _full_name(locale, draw, number, is_buyer=True) if draw.chance(0.2) else name
    street, house = word(locale.script, draw.below(1 << 28), 4), str(1 + draw.below(899))
    commercial = draw.chance(0.12)
    texts = {"to": name, "sender": buyer}
    second = locale.building.format(n=word(locale.script, draw.below(1 << 28), 4)) if draw.chance(0.5) else ""
    return Person(
        country=locale.country,
        state=draw.pick(locale.state) if locale.state else "",
        commercial=commercial,
        name=name,
        company=locale.company.format(n=word(locale.script, draw.below(1 << 28), 4)) if commercial else "",
        line_1=locale.street.format(n=street, h=house),
        line_2=second,
        line_3=f"c/o {buyer}" if draw.chance(0.05) else "",
        street=street,
        number=house,
        city=locale.city.format(n=word(locale.script, draw.below(1 << 28), 4)),
        postal_code=draw.fill(locale.postal),
        phone=draw.fill(locale.phone),
        instruction=locale.instruction.format_map(texts) if draw.chance(0.25) else "",
        buyer_name=buyer,
        buyer_email=f"{draw.below(1 << 72):018x}q@{mail_domain}",
        purchase_order=f"PO-{draw.below(1 << 48):012X}" if commercial else "",
        gift_message=locale.greeting.format_map(texts) if draw.chance(0.15) else "",
        customized_url=_customized_url(draw) if draw.chance(0.08) else "",
        cancel_reason=f"Ordered twice by mistake, regards {buyer}" if draw.chance(0.5) else "",
        tax_number=f"{locale.country}{draw.below(1 << 44):011X}",
        tracking_number=f"1ZQ{draw.below(1 << 60):015X}",
    )


def _customized_url(draw: Draw) -> str:
    return f"https://customization.example.invalid/{draw.below(1 << 64):016x}/{draw.below(1 << 64):016x}"
