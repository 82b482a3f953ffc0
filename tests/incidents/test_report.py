"""The report of an incident: all from the record, signed, logged, and read by people and strangers."""

import io
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pypdf import PdfReader
from sqlalchemy import create_engine, update

from custody.bootstrap import House
from custody.certificates.certificate import payload_of
from custody.certificates.documents import take_back
from custody.certificates.log_check import verify as verify_log
from custody.certificates.log_entry import Kind as LogKind
from custody.certificates.log_store import entries
from custody.certificates.report_file import verify_report
from custody.certificates.signing import read_keys
from custody.certificates.token import Problem
from custody.contracts import audit
from custody.database.incident_tables import incidents, notices
from custody.database.report_tables import incident_reports
from custody.database.tables import disclosures
from custody.incidents.figures import Kept
from custody.incidents.kinds import Kind
from custody.incidents.moves import Assessment
from custody.incidents.phases import Breach, Known, Phase, Severity
from custody.incidents.record import open_incident
from custody.incidents.report import Report
from custody.incidents.report_picture import picture, span_of
from custody.incidents.report_sheet import ATTACHMENT, pdf_of
from custody.incidents.reporting import Issued
from custody.incidents.review import Action, Review
from custody.incidents.scope import as_stored
from custody.notices.notice import Notice
from custody.notices.record import owe

from ..builders import Hands, add_contract, keep, make_order, order_id, rows

REVIEW = Review(
    "A refresh token was left in a debugging script.",
    ("The script was not reviewed.", "The detector ran hourly."),
    "The egress list stopped the second host.",
    (Action("Scan scripts for tokens before each commit", "Ada", date(2027, 1, 15)),),
)


def opened(house: House, contract_id: str | None = "acme-eu") -> str:
    with house.engine.begin() as connection:
        return open_incident(
            connection,
            cause="stolen",
            kind=Kind.STOLEN_CREDENTIAL,
            summary="A refresh token was used from an address that is not ours.",
            contract_id=contract_id,
            detected_by="custody, call watch",
            now=house.clock(),
        )


def walked(house: House, clock: Hands) -> str:
    """Take an incident from its detection to its end; its assessment is late, all else in time."""
    contract = add_contract(house)
    keep(house, contract, make_order(1))
    house.vault.open_recipients(contract, [house.vault.ref(order_id(1))], actor="ada", now=clock())
    found = opened(house)
    clock.forward(minutes=20)
    house.responder.acknowledge(found, actor="Ada")
    clock.forward(hours=5)
    judged = Assessment(Severity.CRITICAL, Breach.SUSPECTED, Known.UNKNOWN, "Calls came from elsewhere.")
    house.responder.assess(found, judged, actor="Ada", scope=as_stored(house.reporter.scope(found)))
    for phase in (Phase.ERADICATE, Phase.RECOVER, Phase.REVIEW):
        clock.forward(hours=2)
        house.responder.move(found, phase, said="Done.", actor="Ada")
    clock.forward(hours=30)
    house.responder.close(found, REVIEW, actor="Grace")
    return found


def issue(house: House, incident_id: str) -> tuple[Issued, Report]:
    issued = house.reporter.issue(incident_id, actor="Ada")
    token = msgspec.json.decode(issued.document)["jws"]
    return issued, msgspec.json.decode(payload_of(token), type=Report)


def judged(house: House, document: str) -> Any:
    keys, log = house.issuer.known_keys()
    return verify_report(document.encode(), read_keys(keys), log_key=log)


def test_a_closed_incident_is_reported_whole(house: House, clock: Hands) -> None:
    found = walked(house, clock)
    _, report = issue(house, found)
    assert not report.interim
    assert not report.drill
    assert report.review == REVIEW
    assert report.incident.severity is Severity.CRITICAL
    assert report.scope.contracts == ("acme-eu",)
    assert report.scope.orders == 1
    assert [each.phase for each in report.stages] == [each for each in Phase if each is not Phase.CLOSED]
    actions = {each.action for each in report.timeline}
    assert actions >= {"opened", "acknowledged", "assessed", "moved", "closed"}


def test_each_deadline_is_told_as_met_or_missed_with_its_source(house: House, clock: Hands) -> None:
    _, report = issue(house, walked(house, clock))
    kept = {each.what: each.kept for each in report.deadlines}
    assert kept["triage is over"] is Kept.MISSED  # 5 h 20, and 4 h are given
    assert kept["detect is over"] is Kept.MET
    assert kept["assessed"] is Kept.MET
    assert all(each.source for each in report.deadlines)


def test_an_open_incident_is_reported_as_interim_and_again_later(house: House, clock: Hands) -> None:
    found = opened(house)
    first, report = issue(house, found)
    assert report.interim
    assert report.review is None
    assert "The root cause is not written down yet." in report.unknown
    assert {each.kept for each in report.deadlines} == {Kept.OPEN}
    clock.forward(hours=3)
    second, later = issue(house, found)
    assert first.report_id != second.report_id
    assert Kept.MISSED in {each.kept for each in later.deadlines}


def test_a_closed_incident_has_one_report_however_often_it_is_asked_for(house: House, clock: Hands) -> None:
    found = walked(house, clock)
    first, _ = issue(house, found)
    clock.forward(days=3)
    assert issue(house, found)[0] == first
    assert len(rows(house, incident_reports)) == 1


def test_a_scope_that_has_changed_since_triage_is_shown_with_both(house: House, clock: Hands) -> None:
    found = walked(house, clock)
    with house.engine.begin() as connection:  # what triage saw was less than is on record by now
        add = {"at": clock() - timedelta(hours=1), "contract_id": "acme-eu", "order_ref": "f" * 64}
        connection.execute(
            disclosures.insert().values(**add, purpose="packing_slip", actor="eve", fields=["recipient.name"])
        )
    _, report = issue(house, found)
    assert report.scope_at_triage is not None
    assert (report.scope_at_triage.orders, report.scope.orders) == (1, 2)
    assert report.scope_changed == ("It was 1 orders then, and is 2 now.",)


def test_a_notice_is_told_with_recipient_time_and_digest_and_judged_by_its_clock(
    house: House, clock: Hands
) -> None:
    found = opened(house)
    notice = Notice(
        notice_id="amazon-1",
        kind="amazon_security",
        contract_id=None,
        send_to=("security@example.invalid",),
        subject="s",
        body="b",
        due_at=clock() + timedelta(hours=24),
        incident_id=found,
    )
    with house.engine.begin() as connection:
        owe(connection, notice, clock())
        sent = {"state": "sent", "sent_at": clock() + timedelta(hours=25), "digest": "ab" * 32}
        connection.execute(update(notices).values(**sent, channel="mail"))
    _, report = issue(house, found)
    (told,) = report.notices
    assert (told.recipients, told.digest) == (("security@example.invalid",), "ab" * 32)
    (clocked,) = [each for each in report.deadlines if each.what == "notice amazon_security"]
    assert clocked.kept is Kept.MISSED
    assert "24 h" in clocked.source


def test_it_is_verified_with_the_public_keys_alone_and_is_in_the_log(house: House, clock: Hands) -> None:
    issued, report = issue(house, walked(house, clock))
    verdict = judged(house, issued.document)
    assert verdict.report is not None
    assert verdict.report.report_id == report.report_id
    assert verdict.checkpoint is not None
    keys = [house.log._signer.key]
    assert verify_log(house.engine, house.log.mirror, keys).sound


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"interim": false', '"interim": true', Problem.DIGEST),
        ('"root_cause": "A refresh', '"root_cause": "No refresh', Problem.DIGEST),
        ('"jws": "', '"jws": "e', Problem.MALFORMED),
        ('"position": ', '"position": 1', Problem.LOG_PROOF),
    ],
)
def test_any_change_to_it_is_found(house: House, clock: Hands, old: str, new: str, problem: Problem) -> None:
    issued, _ = issue(house, walked(house, clock))
    assert old in issued.document
    verdict = judged(house, issued.document.replace(old, new, 1))
    assert verdict.report is None
    assert verdict.problem in {problem, Problem.CHECKPOINT}


def test_a_report_that_was_withdrawn_is_missed_by_the_log(house: House, clock: Hands, database: Any) -> None:
    issue(house, walked(house, clock))
    owner = create_engine(database.owner_url)
    with owner.begin() as connection:
        connection.execute(incident_reports.delete())
    owner.dispose()
    found = verify_log(house.engine, house.log.mirror, [house.log._signer.key])
    assert [each.fault.name for each in found.findings] == ["MISSING"]


def test_who_asked_for_a_report_is_on_record(house: House) -> None:
    issued, _ = issue(house, opened(house))
    with house.engine.connect() as connection:
        (event,) = [each for each in audit.events(connection) if each.action == "incident.report"]
    assert (event.actor, event.subject) == ("Ada", issued.report_id)


def test_a_file_that_a_kill_left_unwritten_is_written_by_the_next_one(house: House, clock: Hands) -> None:
    found = walked(house, clock)
    issued, _ = issue(house, found)
    issued.file.unlink()
    assert issue(house, found)[0] == issued


def test_the_pdf_reads_as_the_report_does_and_carries_it(house: House, clock: Hands) -> None:
    issued, report = issue(house, walked(house, clock))
    made = pdf_of(issued.document)
    reader = PdfReader(io.BytesIO(made))
    read = "".join("".join(page.extract_text() for page in reader.pages).split())
    for part in (
        report.incident.incident_id,
        report.incident.summary,
        REVIEW.root_cause,
        REVIEW.what_worked,
        *REVIEW.contributing_factors,
        REVIEW.actions[0].what,
        *report.unknown,
        *report.not_claimed,
    ):
        assert "".join(part.split()) in read
    assert "Interim" not in read
    assert dict(reader.attachments) == {ATTACHMENT: [issued.document.encode()]}
    assert pdf_of(issued.document) == made


def test_an_interim_pdf_says_so(house: House) -> None:
    reader = PdfReader(io.BytesIO(pdf_of(issue(house, opened(house))[0].document)))
    assert "Interim" in reader.pages[0].extract_text()


def test_phases_are_drawn_in_their_order_within_the_picture(house: House, clock: Hands) -> None:
    _, report = issue(house, walked(house, clock))
    drawn = picture(report.stages, report.incident.detected_at, report.issued)
    bars = [bar for row in drawn["rows"] for bar in row["bars"]]
    assert len(bars) == 6
    assert all(0 <= bar["from"] <= bar["to"] <= 1 for bar in bars)
    assert [bar["from"] for bar in bars[1:]] == [bar["to"] for bar in bars[:-1]]
    assert {row["phase"]: row["bars"][0]["kept"] for row in drawn["rows"]}["triage"] == Kept.MISSED


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=12), "12 s"),
        (timedelta(minutes=20), "20 min"),
        (timedelta(hours=5, minutes=20), "5 h 20 min"),
        (timedelta(days=24), "24 d"),
        (timedelta(days=1, hours=6), "1 d 6 h"),
    ],
)
def test_a_span_is_written_by_its_two_largest_units(span: timedelta, said: str) -> None:
    assert span_of(span) == said


def test_no_buyer_is_in_a_report(house: House, clock: Hands, tmp_path: Path) -> None:
    issued, _ = issue(house, walked(house, clock))
    reader = PdfReader(io.BytesIO(pdf_of(issued.document)))
    said = issued.document + "".join(page.extract_text() for page in reader.pages)
    assert not any(each in said for each in ("Canaryfield", "Larkspurgate", "QZ7", str(order_id(1))))


def test_it_comes_back_with_a_restored_database(house: House, clock: Hands, database: Any) -> None:
    issued, _ = issue(house, walked(house, clock))
    before = rows(house, incident_reports)
    owner = create_engine(database.owner_url)
    with owner.begin() as connection:  # as one that was saved before the report
        connection.execute(incident_reports.delete())
    owner.dispose()
    with house.engine.begin() as connection:
        lost = [each for each in entries(connection) if each.kind == LogKind.INCIDENT_REPORT]
        assert take_back(connection, house.settings.certificates, lost) == 1
    (again,) = rows(house, incident_reports)
    (first,) = before
    assert {**again._mapping, "document": ""} == {**first._mapping, "document": ""}
    assert msgspec.json.decode(again.document)["jws"] == msgspec.json.decode(issued.document)["jws"]


def test_incidents_are_found_by_their_own_id_only(house: House) -> None:
    assert rows(house, incidents) == []
    with pytest.raises(Exception, match="There is no incident"):
        house.reporter.issue("incident-x", actor="Ada")
