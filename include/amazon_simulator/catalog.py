"""The goods that are sold; nothing here is personal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on sale; the price is in whole units of the marketplace's currency."""

    asin: str
    sku: str
    title: str
    price: int


_TITLES = (
    "Walnut cutting board, large", "Küchenmesser 20 cm, geschmiedet", "Théière en fonte, 1,2 l",
    "Linen apron, slate", "ステンレス水筒 500ml", "Cast iron skillet 26 cm", "Manta de lana, 130 x 170 cm",
    "Beeswax candles, set of 6", "Bamboo drawer organizer", "Ceramic planter with saucer",
    "Canvas tote bag, natural", "Brass desk lamp", "Cork yoga block, pair", "Enamel mug, 350 ml",
    "Felt laptop sleeve 14 inch", "Glass storage jars, set of 4", "Oak picture frame A4",
    "Rattan laundry basket", "Soapstone whisky cubes", "Wool dryer balls, 6 pieces",
)  # fmt: skip


CATALOG = tuple(
    Product(
        asin=f"B0SIM{number:05d}",
        sku=f"SKU-{number:03d}-{'KDTLXCMBWPNGYEFJORSV'[number]}{number * 37 % 97:02d}",
        title=title,
        price=9 + number * 7 % 61,
    )
    for number, title in enumerate(_TITLES)
)
