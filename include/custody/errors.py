"""What can go wrong, told apart by what the caller has to do.

CustodyError
├── TryLater              nothing is lost: ask again
│   ├── Throttled         Amazon's quota is used up; ``wait`` says for how long, if known
│   └── Unavailable       Amazon answered nothing usable: 5xx, cut connection, unreadable page
├── Refused               the same request gets the same answer: stop asking, show a person
│   ├── AccessDenied      Amazon shuts this seller off (401, 403): stop with this seller, ask later
│   └── PageTokenRefused  Amazon no longer takes a pagination token: start the window again
├── OwnCredentialBroken   our own LWA secret: every seller is affected, none has left
├── SellerGone            this seller's grant is invalid: debounce, then off-board
├── HostNotAllowed        a call to a host that is not on the list
├── PurposeNotGranted     the contract does not grant this purpose
├── Contained             an incident forbids it for now: wait until its containment is lifted
├── CredentialRefused     whoever asks has no business with this credential: an incident says so
├── KeyUnavailable        a key is missing or destroyed: what it sealed stays closed
├── KeysDenied            AWS refuses us a key or a secret: a person corrects rights; no proof of anything
├── BadInput              a file, an argument or a setting that a person has to correct
│   ├── ContractFrozen    the contract is ending or has ended: give way
│   ├── CredentialTaken   the value is somebody else's already: each seller has its own
│   └── IllegalMove       an incident does not go there from its phase: ask for what it owes
├── Bounced               a channel refuses a notice for good: take the next channel
├── PurgeHalted           a purge is out of the ordinary: it waits for a second person
├── PurgeUnsound          a purge or its check did not do what it was to do
│   ├── NotVerified       something of a purge was left, or opens: no certificate, an incident of its own
│   ├── StillDue          what was due is there after a purge: the purge did nothing
│   └── ScanNotPerformed  a residue scan could not show that it sees: put its surface right, scan again
└── LogUnsound            the transparency log is not the one that was published

A message says what happened, to which reference, and what to do next.
It never holds a personal value, a token, a key or the body of a response.
"""

from datetime import timedelta


class CustodyError(Exception):
    """The root; never raised itself."""


class TryLater(CustodyError):
    """Nothing is lost; the same request may succeed later."""


class Throttled(TryLater):
    """The quota of an operation is used up."""

    def __init__(self, message: str, *, wait: timedelta | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Unavailable(TryLater):
    """Amazon, or the way to it, gave no usable answer."""


class Refused(CustodyError):
    """Amazon refuses this request for good; ``status`` is the HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class AccessDenied(Refused):
    """Amazon denies access: a role or the seller's authorization is missing, for all requests as a rule."""


class PageTokenRefused(Refused):
    """A page was refused by its token (expired after 24 h, or other filters): start the window again."""


class OwnCredentialBroken(CustodyError):
    """Our LWA client id or secret is not accepted; no seller has left."""


class SellerGone(CustodyError):
    """LWA answers ``invalid_grant`` for this seller's refresh token."""


class HostNotAllowed(CustodyError):
    """A call was stopped because its host is not one that Custody may reach."""


class PurposeNotGranted(CustodyError):
    """The contract does not grant the purpose for which a record was to be opened."""


class Contained(CustodyError):
    """What contains an incident forbids this for the contract, until it is lifted."""


class CredentialRefused(CustodyError):
    """A credential is not given to whoever asked: they have no business with it, or with this seller."""


class KeyUnavailable(CustodyError):
    """A key is missing, destroyed or unreadable."""


class KeysDenied(CustodyError):
    """AWS does not let us use a key or a secret, or the key is switched off; it may well be there."""


class BadInput(CustodyError):
    """Something that a person gave cannot be used and has to be corrected."""


class ContractFrozen(BadInput):
    """Nothing is taken in or sealed for this contract any more: it is ending, or has ended."""


class CredentialTaken(BadInput):
    """A value is already the credential of another contract, or of the application; nothing was stored."""


class Bounced(CustodyError):
    """A notice is refused for good by a channel; ``reached`` is how many recipients it was taken for."""

    def __init__(self, message: str, *, reached: int = 0) -> None:
        super().__init__(message)
        self.reached = reached


class IllegalMove(BadInput):
    """An incident cannot go from its phase to the one that was asked for; nothing was changed."""


class PurgeHalted(CustodyError):
    """A plan is out of the ordinary and erases nothing until a second person has released it."""


class PurgeUnsound(CustodyError):
    """A purge, its count or its verification did not hold; no certificate is issued."""


class NotVerified(PurgeUnsound):
    """The check after an erasure found something left, or something that opens."""


class StillDue(PurgeUnsound):
    """The count after a purge found what was due before it."""


class LogUnsound(CustodyError):
    """The log is not the one that was published, or says two things of one subject: nothing is added."""


class ScanNotPerformed(PurgeUnsound):
    """A residue scan missed its canary, or could not reach a surface: what it found says nothing."""
