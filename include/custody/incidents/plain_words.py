"""What people type of an incident is kept, shown in Airflow and mailed: it names nobody it is about.

Rules:
- what looks like a mail address, a telephone number, a postal address, a labeled recipient, an order id
  of Amazon's or a credential is refused; an order goes by its ref;
- dates, times, counts, versions, network addresses and ids of ours are ordinary words;
- a name alone cannot be told from other words: the one who types leaves it out.
"""

import re
import unicodedata

from custody.errors import BadInput

MOST = 2000  # letters of one answer; ours: what is longer belongs into a document that is linked
_ORDER_ID = re.compile(r"(?<!\d)\d{3}-\d{7}-\d{7}(?!\d)")
_CREDENTIAL = re.compile(
    r"\bAtz[a-z]\||\bamzn1\.oa2-cs\.|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN|\beyJ[\w-]{10,}\.[\w-]{10,}\."
)
_MAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_LABELED = (
    re.compile(
        r"\b(?i:recipient|buyer|customer|consignee|ship[ -]to|deliver(?:y|ed)? to)(?i:'s)?(?i: name)?"
        r"\s*[:=]\s*[A-ZÀ-ÞЀ-Я][a-zß-ÿа-я]"
    ),
    re.compile(r"\b(?i:phone|tel|mobile|post ?code|postal code|zip)\.?\s*[:=]\s*[(+]?\d{2}"),
    re.compile(r"\b(?i:street|house)\s*[:=]\s*\w"),
)
_STATES = (  # without those that are words or letters before a number as well: after a comma only
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|IA|IL|KS|KY|LA|MA|MD|MI|MN|MO|MS|MT|NC|ND|NE|NH|NJ|NM|NV|NY|"
    "OH|PA|RI|SC|SD|TN|TX|UT|VA|VT|WA|WI|WV|WY"
)
_POSTAL = (
    re.compile(r"\b\d{1,5}[A-Za-z]?,? (?:[\w'.-]+ ){1,2}(?i:street|road|avenue|boulevard)\b"),
    re.compile(
        r"\b\d{1,5}[A-Za-z]?,? (?:[A-ZÀ-Þ][\w'.-]* ){1,3}(?:St|Rd|Ave|Ln|Lane|Dr|Drive|Blvd|Way|Ct|Court|Pl|"
        r"Place|Sq|Square|Terrace|Close|Crescent|Gardens)\b"
    ),
    re.compile(r"\b\w*(?i:straße|strasse|str\.|gasse|allee|platz)\.? \d{1,4}\b"),
    re.compile(r"\b\d{1,4},? (?i:rue|avenue|chemin|impasse|quai|allée|place) "),
    re.compile(r"\b(?i:calle|via|viale|piazza|avenida|corso) (?:[\w'.-]+ ){1,3}?\d{1,4}\b"),
    re.compile(r"(?i:\bул\.|\bулица |\bпросп\.|\bпер\.)"),  # noqa: RUF001  # Russian
    re.compile(r"\b(?i:p\.? ?o\.? box) \d"),
    re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b"),  # of the United Kingdom
    # of the United States
    re.compile(rf"\b[A-Z][a-z]+(?:,? (?:{_STATES})|, (?:HI|ID|IN|ME|OK|OR)),? \d{{5}}\b"),
)
# Digits that are no telephone number: each is taken out before those are looked for.
_ORDINARY = re.compile(
    r"""\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b                     # a UUID
    | \b[a-z_]+(?:-[a-z]+)*-\d{8}T\d{6}-[0-9a-f]{8,12}\b                  # incident-20261123T120000-…
    | \b(?:hold|confirmation|canary)-[0-9a-f]{16,32}\b
    | \b(?:CVE|GHSA|PYSEC)-[\w-]+
    | \b(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b | \b[0-9a-f]{32}\b | \b[0-9a-f]{64}\b  # refs and digests
    | (?<![+\d])(?:
        20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])                  # 2026-11-23T12:30:05.25+01:00
        (?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)
      | \d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?!\d)                            # 12:30:05
    )
    | (?<![+.\w])(?:
        \d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d{1,5})?(?![.\d])                  # 192.0.2.1:5432, 192.0.2.0/24
      | (?:[0-2]?\d|3[01])[./](?:[0-2]?\d|3[01])[./]20\d\d(?!\d)            # 23.11.2026, 11/23/2026
      | v?\d{1,2}(?:\.\d{1,3}){1,2}(?![.\d])                              # 3.11.2
    )""",
    re.VERBOSE,
)
_ABROAD = re.compile(r"(?<![\w:])\+\d(?:[ ./()-]{0,2}\d){6,14}(?!\d)")
_DIALED = re.compile(r"(?<!\w)(?:\(|00)?\d(?:[ ./()-]{0,2}\d){5,}(?!\w)")
_FEWEST = 7  # digits of a number that somebody dials, without the prefix of its place
_BARE = 9  # that many digits in a row are no count that somebody types


def plain(text: str, *, what: str, most: int = MOST) -> str:
    """Give a text without space around it; raises BadInput that names ``what``, and never quotes it."""
    if not text.strip():
        raise BadInput(f"{what} is empty; write a sentence.")
    read = text.replace("\r\n", "\n").strip()
    if len(read) > most:
        raise BadInput(f"{what} has more than {most} letters; shorten it, and link the rest.")
    objection = objection_to(read)
    if objection is not None:
        raise BadInput(f"{what} {objection}")
    return read


def objection_to(text: str) -> str | None:
    """Say what a text seems to hold that does not belong into it, and what to do; None where it is plain."""
    if any(unicodedata.category(each) in {"Cc", "Cs"} and each not in "\n\t" for each in text):
        return "holds a character that cannot be kept; type it anew."
    seen = _as_seen(text)
    if _ORDER_ID.search(seen):
        return "holds what looks like an order id; give the order's ref, as `custody order` shows it."
    if _CREDENTIAL.search(seen):
        return "holds what looks like a credential; name it, and rotate it if it was typed anywhere."
    if _MAIL.search(seen):
        return "holds what looks like a mail address; say who by their role or an id."
    if any(each.search(seen) for each in (*_LABELED, *_POSTAL)):
        return "holds what looks like a person's address or name; give the order's ref."
    if _ABROAD.search(seen) or _holds_a_number(_ORDINARY.sub(" ; ", seen)):
        return "holds what looks like a telephone number; leave it out, and write long counts with commas."
    return None


def _as_seen(text: str) -> str:
    """Give the letters that a reader sees: of one form, without those that show nothing."""
    normal = unicodedata.normalize("NFKC", text)
    shown = "".join(each for each in normal if unicodedata.category(each) != "Cf")
    return re.sub(r"[\u2010-\u2015\u2212]", "-", shown)


def _holds_a_number(text: str) -> bool:
    """Tell whether there are digits that somebody could dial; groups of three are a count, up to a point."""
    for found in (match.group() for match in _DIALED.finditer(text)):
        digits = sum(each.isdecimal() for each in found)
        if digits >= _BARE or (digits >= _FEWEST and found.startswith(("00", "("))):
            return True
        grouped = found.isdecimal() or re.fullmatch(r"[1-9]\d{0,2}(?:[ .]\d{3}){1,2}", found)
        if digits >= _FEWEST and not grouped:
            return True
    return False
