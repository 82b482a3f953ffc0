"""What is told about the end of a contract: to its seller when it is done, to ourselves when it is not."""

from datetime import datetime

from custody.contracts.contract import Contract
from custody.contracts.termination_record import Decision, Termination
from custody.notices.notice import Notice

_ENDED = """\
Your contract {contract_id} ({name}) with us has ended.

Requested:                 {requested:%Y-%m-%d %H:%M} UTC
Approved:                  {decided:%Y-%m-%d %H:%M} UTC{how}
All order data erased:     {purged:%Y-%m-%d %H:%M} UTC
Encryption key destroyed:  {keys:%Y-%m-%d %H:%M} UTC
Your authorization erased: {revoked:%Y-%m-%d %H:%M} UTC
Verified:                  {verified:%Y-%m-%d %H:%M} UTC

The certificate is {certificate_id}, the receipt of the destroyed key receipt-end-{contract_id};
`custody verify FILE` checks each without us.
We keep no personal data of your orders. We keep digests of order ids, so that an order is recognized
if it comes again, and the records that prove the erasure.
You may ask for a confirmation of this at any time.
Please withdraw our application's authorization in Seller Central, too: only you can do that.
"""
_OPEN = """\
Contract {contract_id} was to be ended on {requested:%Y-%m-%d %H:%M} UTC by {by}.
It is not finished: {stage}. {left}
By {deadline:%Y-%m-%d %H:%M} UTC all of the seller's personal data has to be gone (PR-3).
{todo}
"""


def ended_notice(
    contract: Contract, termination: Termination, contacts: tuple[str, ...], now: datetime
) -> Notice:
    """Tell the seller that everything is gone."""
    body = _ENDED.format(
        contract_id=contract.contract_id,
        name=contract.name,
        requested=termination.requested_at,
        decided=termination.decided_at,
        how="" if termination.decision is Decision.APPROVED else " (by rule, at its deadline)",
        purged=termination.purged_at,
        keys=termination.keys_destroyed_at,
        revoked=termination.credentials_revoked_at,
        verified=termination.verified_at,
        certificate_id=termination.certificate_id,
    )
    return Notice(
        notice_id=f"contract-ended-{contract.contract_id}",
        kind="contract_ended",
        contract_id=contract.contract_id,
        send_to=contacts,
        subject=f"Your contract {contract.contract_id} has ended; all order data is erased",
        body=body,
        due_at=termination.deadline_at if termination.deadline_at > now else now,
    )


def ended_reason(termination: Termination) -> str:
    """Say for the certificate why and when a contract ended: PR-3 counts from the request to the erasure."""
    return (
        f"end of the contract, requested {termination.requested_at:%Y-%m-%d %H:%M} UTC, "
        f"decided {termination.decided_at:%Y-%m-%d %H:%M} UTC by {termination.decided_by}, "
        f"all orders erased {termination.purged_at:%Y-%m-%d %H:%M} UTC, "
        f"contract key destroyed {termination.keys_destroyed_at:%Y-%m-%d %H:%M} UTC, "
        f"authorization destroyed {termination.credentials_revoked_at:%Y-%m-%d %H:%M} UTC: "
        f"{termination.reason}"
    )


def open_notice(
    termination: Termination, alert: str, send_to: tuple[str, ...], left: str, now: datetime
) -> Notice:
    """Tell ourselves that an end does not come along; ``alert`` names the moment, ``left`` what is there."""
    asked = f"{termination.requested_at:%Y%m%dT%H%M%S}"
    undecided = termination.decided_at is None
    todo = (
        "A second person answers it in Airflow, under Required Actions (DAG terminate_contract)."
        if undecided
        else "Look at the last runs of terminate_contract and purge_orders, and at open incidents."
    )
    body = _OPEN.format(
        contract_id=termination.contract_id,
        requested=termination.requested_at,
        by=termination.requested_by,
        stage=termination.stage,
        left=left,
        deadline=termination.deadline_at,
        todo=todo,
    )
    return Notice(
        notice_id=f"termination-{alert}-{termination.contract_id}-{asked}",
        kind="termination_alert",
        contract_id=termination.contract_id,
        send_to=send_to,
        subject=f"The end of contract {termination.contract_id} is not finished",
        body=body,
        due_at=now,
    )
