"""What kinds of incident there are: those that a detector finds, and those that people declare."""

from enum import StrEnum


class Kind(StrEnum):
    """What happened, in one sentence each."""

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> "Kind":
        """Make a member of its value, with its sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    # Of a purge
    RESIDUE = "residue", "Copies of erased values were found outside the sealed record."
    SCAN_FAILED = "scan_failed", "The search for copies could not be made, or could not show that it sees."
    PURGE_HALTED = "purge_halted", "A purge is out of the ordinary and waits for a second person."
    PURGE_UNSOUND = "purge_unsound", "A purge did not do what it was to do; nothing is certified."
    FAILED_VERIFICATION = "failed_verification", "After an erasure something was left, or could be opened."
    SILENT_PURGE = "silent_purge", "Data that was due is still there after a purge."
    # Of what is kept as evidence
    LOG_UNSOUND = "log_unsound", "The chain of the audit and transparency log is broken."
    DATABASE_RESTORED = (
        "database_restored",
        "The database was restored from before what stands outside.",
    )
    # Of a contract
    TERMINATION_STALLED = "termination_stalled", "The end of a contract does not come along."
    TERMINATION_OVERDUE = "termination_overdue", "A contract's data is still there 30 days after its end."
    TERMINATION_UNSOUND = "termination_unsound", "An ended contract was to have nothing left, and has."
    LOST_AUTHORIZATION = "lost_authorization", "A seller's authorization no longer holds."
    PURPOSE_REFUSED = "purpose_refused", "Something asked for records for a purpose that is not granted."
    # Of calls, credentials and what we run on
    ANOMALY = "anomaly", "Calls, openings or readings are out of the ordinary."
    CREDENTIAL_MISUSE = "credential_misuse", "A credential was asked for by what has no business with it."
    CREDENTIAL_EXPOSED = "credential_exposed", "A credential stands where it can be read."
    OWN_CREDENTIAL_BROKEN = "own_credential_broken", "Amazon no longer accepts our own credentials."
    ROTATION_FAILED = "rotation_failed", "A credential that is due for rotation could not be rotated."
    VULNERABLE_DEPENDENCY = "vulnerable_dependency", "Something that we run on has a known vulnerability."
    RECORDS_LOST = "records_lost", "Records of calls or of credential reads are missing."
    WATCHER_SILENT = "watcher_silent", "What watches open incidents has stopped."
    # What people declare
    STOLEN_CREDENTIAL = "stolen_credential", "A credential is, or may be, with somebody else."
    UNAUTHORIZED_ACCESS = "unauthorized_access", "Somebody saw or used what is not theirs."
    LOST_DEVICE = "lost_device", "A device that can reach personal data is lost."
    MISDELIVERY = "misdelivery", "Personal data went to the wrong place."
    OTHER = "other", "What no other kind says; the summary does."


DECLARED = (
    Kind.STOLEN_CREDENTIAL,
    Kind.UNAUTHORIZED_ACCESS,
    Kind.LOST_DEVICE,
    Kind.MISDELIVERY,
    Kind.OTHER,
)
"""The kinds that no detector finds; a person may declare the others, too."""


def said_of(kind: str) -> str:
    """Give the sentence of a kind on record; one of another version says its name."""
    return Kind(kind).sentence if kind in set(Kind) else kind.replace("_", " ")
