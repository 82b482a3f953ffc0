"""What a slip says besides the order: its words, dates and country names in the language of the shop."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date

from custody.amazon.marketplaces import MARKETPLACES

_RIGHT_TO_LEFT_MARK = "\u200f"


@dataclass(frozen=True, slots=True)
class Words:
    """The fixed words of a slip in one language."""

    slip: str
    ship_to: str
    order: str
    ordered: str
    product: str
    quantity: str
    total: str
    thanks: str


@dataclass(frozen=True, slots=True)
class Shop:
    """How one of Amazon's shops writes; ``country`` is empty for a shop that is not known."""

    country: str
    locale: Locale
    zone: ZoneInfo
    words: Words

    def date(self, moment: datetime) -> str:
        """Write the day of a moment as people in this shop's country see it on their calendar."""
        day = format_date(moment.astimezone(self.zone).date(), "medium", self.locale)
        return day.replace(_RIGHT_TO_LEFT_MARK, "")  # it would turn day, month and year around

    def country_name(self, code: str) -> str:
        """Name a country by its ISO 3166 code; empty for the shop's own, the code where it has no name."""
        code = code.strip().upper()
        return "" if code == self.country else str(self.locale.territories.get(code, code))


@lru_cache(maxsize=64)
def shop(marketplace_id: str) -> Shop:
    """Give the wording of a marketplace; English and UTC for one that Amazon has added since."""
    known = MARKETPLACES.get(marketplace_id)
    country = known.country if known else ""
    name, zone = _HABITS.get(country, ("en", "UTC"))
    locale = Locale.parse(name)
    return Shop(country, locale, ZoneInfo(zone), _WORDS[locale.language])


_HABITS: Mapping[str, tuple[str, str]] = {
    "US": ("en_US", "America/Los_Angeles"),
    "CA": ("en_CA", "America/Toronto"),
    "MX": ("es_MX", "America/Mexico_City"),
    "BR": ("pt_BR", "America/Sao_Paulo"),
    "GB": ("en_GB", "Europe/London"),
    "DE": ("de_DE", "Europe/Berlin"),
    "FR": ("fr_FR", "Europe/Paris"),
    "IT": ("it_IT", "Europe/Rome"),
    "ES": ("es_ES", "Europe/Madrid"),
    "NL": ("nl_NL", "Europe/Amsterdam"),
    "SE": ("sv_SE", "Europe/Stockholm"),
    "PL": ("pl_PL", "Europe/Warsaw"),
    "BE": ("fr_BE", "Europe/Brussels"),
    "IE": ("en_IE", "Europe/Dublin"),
    "TR": ("tr_TR", "Europe/Istanbul"),
    "AE": ("en_AE", "Asia/Dubai"),
    "SA": ("ar_SA", "Asia/Riyadh"),
    "EG": ("ar_EG", "Africa/Cairo"),
    "IN": ("en_IN", "Asia/Kolkata"),
    "ZA": ("en_ZA", "Africa/Johannesburg"),
    "JP": ("ja_JP", "Asia/Tokyo"),
    "AU": ("en_AU", "Australia/Sydney"),
    "SG": ("en_SG", "Asia/Singapore"),
}

_WORDS: Mapping[str, Words] = {
    "en": Words(
        slip="Packing slip",
        ship_to="Ship to",
        order="Order",
        ordered="Ordered",
        product="Product",
        quantity="Qty",
        total="Total items",
        thanks="Thank you for your order.",
    ),
    "de": Words(
        slip="Lieferschein",
        ship_to="Lieferadresse",
        order="Bestellnummer",
        ordered="Bestellt am",
        product="Artikel",
        quantity="Menge",
        total="Artikel insgesamt",
        thanks="Vielen Dank für Ihre Bestellung.",
    ),
    "fr": Words(
        slip="Bon de livraison",
        ship_to="Adresse de livraison",
        order="Commande",
        ordered="Commandé le",
        product="Article",
        quantity="Qté",
        total="Total des articles",
        thanks="Merci pour votre commande.",
    ),
    "es": Words(
        slip="Nota de entrega",
        ship_to="Enviar a",
        order="Pedido",
        ordered="Fecha del pedido",
        product="Producto",
        quantity="Cant.",
        total="Total de artículos",
        thanks="Gracias por su pedido.",
    ),
    "it": Words(
        slip="Distinta di imballaggio",
        ship_to="Spedire a",
        order="Ordine",
        ordered="Data ordine",
        product="Articolo",
        quantity="Q.tà",
        total="Totale articoli",
        thanks="Grazie per il tuo ordine.",
    ),
    "nl": Words(
        slip="Pakbon",
        ship_to="Verzendadres",
        order="Bestelling",
        ordered="Besteld op",
        product="Artikel",
        quantity="Aantal",
        total="Totaal artikelen",
        thanks="Bedankt voor uw bestelling.",
    ),
    "sv": Words(
        slip="Följesedel",
        ship_to="Leveransadress",
        order="Order",
        ordered="Beställd",
        product="Artikel",
        quantity="Antal",
        total="Antal artiklar",
        thanks="Tack för din beställning.",
    ),
    "pl": Words(
        slip="Lista zawartości przesyłki",
        ship_to="Adres dostawy",
        order="Zamówienie",
        ordered="Data zamówienia",
        product="Produkt",
        quantity="Ilość",
        total="Łączna liczba sztuk",
        thanks="Dziękujemy za zamówienie.",
    ),
    "tr": Words(
        slip="Paketleme fişi",
        ship_to="Teslimat adresi",
        order="Sipariş",
        ordered="Sipariş tarihi",
        product="Ürün",
        quantity="Adet",
        total="Toplam adet",
        thanks="Siparişiniz için teşekkür ederiz.",
    ),
    "pt": Words(
        slip="Lista de embalagem",
        ship_to="Enviar para",
        order="Pedido",
        ordered="Data do pedido",
        product="Produto",
        quantity="Qtd.",
        total="Total de itens",
        thanks="Obrigado pelo seu pedido.",
    ),
    "ja": Words(
        slip="納品書",
        ship_to="お届け先",
        order="注文番号",
        ordered="注文日",
        product="商品名",
        quantity="数量",
        total="合計点数",
        thanks="ご注文ありがとうございます。",
    ),
    "ar": Words(
        slip="قسيمة التعبئة",
        ship_to="الشحن إلى",
        order="رقم الطلب",
        ordered="تاريخ الطلب",
        product="المنتج",
        quantity="الكمية",
        total="إجمالي القطع",
        thanks="شكرًا لطلبك.",
    ),
}
