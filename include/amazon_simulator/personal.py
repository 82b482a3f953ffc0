"""What of a person was served, as one bit a group, and the values that stand behind the bits."""

from collections.abc import Iterator

from amazon_simulator.people import Person

ADDRESS = 1  # name, company, address lines
LOCALITY = 2  # city and postal code
PHONE = 4
INSTRUCTION = 8
BUYER_NAME = 16
BUYER_EMAIL = 32
BUYER_COMPANY = 64
GIFT = 128
CUSTOMIZATION = 256
TRACKING = 512
CANCEL_REASON = 1024
TAX = 2048

_FIELDS: dict[int, tuple[tuple[str, str], ...]] = {
    ADDRESS: (
        ("name", "name"),
        ("company", "company"),
        ("address_line_1", "line_1"),
        ("address_line_2", "line_2"),
        ("address_line_3", "line_3"),
    ),
    LOCALITY: (("city", "city"), ("postal_code", "postal_code")),
    PHONE: (("phone", "phone"),),
    INSTRUCTION: (("instruction", "instruction"),),
    BUYER_NAME: (("buyer_name", "buyer_name"),),
    BUYER_EMAIL: (("buyer_email", "buyer_email"),),
    BUYER_COMPANY: (("buyer_company", "company"), ("purchase_order", "purchase_order")),
    GIFT: (("gift_message", "gift_message"),),
    CUSTOMIZATION: (("customized_url", "customized_url"),),
    TRACKING: (("tracking_number", "tracking_number"),),
    CANCEL_REASON: (("cancel_reason", "cancel_reason"),),
    TAX: (("tax_number", "tax_number"), ("tax_name", "buyer_name")),
}


def personal_values(person: Person, groups: int) -> Iterator[tuple[str, str]]:
    """Yield (kind, value) of every value in the given groups, each value once."""
    seen = set()
    for group, fields in _FIELDS.items():
        if not groups & group:
            continue
        for kind, attribute in fields:
            value = getattr(person, attribute)
            if value and value not in seen:
                seen.add(value)
                yield kind, value
