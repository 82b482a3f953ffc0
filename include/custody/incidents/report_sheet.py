"""The report of an incident as a PDF for people, with the signed file attached."""

from functools import cache
from typing import Any

import msgspec

from custody import __version__
from custody.certificates.certificate import payload_of
from custody.certificates.reading import made_with
from custody.certificates.typesetting import FONTS, FRAME, breakable, parts_of, typeset, typesetter
from custody.errors import BadInput
from custody.incidents import report_words as words
from custody.incidents.report import Report
from custody.incidents.report_picture import picture

ATTACHMENT = "report.json"
_LONGEST_WORD, _LONGEST_IN_CELL = 72, 24  # characters that surely fit their column


def pdf_of(document: str) -> bytes:
    """Make the PDF of a report's file; the same file gives the same bytes.

    The file must be one that ``verify_report`` finds valid. Raises BadInput when it cannot be set.
    Call it only in processes that do not fork afterwards: Typst's threads do not survive that.
    """
    signed = msgspec.json.format(document.strip().encode(), indent=2) + b"\n"
    parts = msgspec.json.decode(signed)
    report = msgspec.json.decode(payload_of(parts["jws"]), type=Report)
    made = typeset("report.typ", _values(report, parts), signed.decode())
    if made is None:
        raise BadInput(f"The PDF of {report.report_id} cannot be set; use its JSON file.")
    return made


@cache
def generator() -> str:
    """Name what makes these PDFs: two of one name and one content are the same bytes."""
    made_by = made_with("typesetting.py", FRAME, "report.typ")
    return f"custody {__version__}, report {made_by}, {typesetter()}"


def _values(report: Report, parts: dict[str, Any]) -> dict[str, Any]:
    sections: Any = msgspec.to_builtins([*words.sections(report), words.signature(report, parts)])
    for section in sections:
        section["grids"] = [breakable(each, _LONGEST_IN_CELL) for each in section["grids"]]
    return {
        "title": "Post-incident report",
        "lead": report.incident.summary,
        "marks": words.marks(report),
        "id": report.report_id,
        "author": report.processor.name,
        "issued": parts_of(report.issued),
        "head": breakable(msgspec.to_builtins(words.head(report)), _LONGEST_WORD),
        "picture": picture(report.stages, report.incident.detected_at, report.issued),
        "sections": breakable(sections, _LONGEST_WORD),
        "generator": generator(),
        "attachment": ATTACHMENT,
        "fonts": FONTS,
    }
