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
├── KeyUnavailable        a key is missing or destroyed: what it sealed stays closed
├── BadInput              a file, an argument or a setting that a person has to correct
│   └── ContractFrozen    the contract is ending or has ended: give way
├── PurgeHalted           a purge is out of the ordinary: it waits for a second person
├── PurgeUnsound          a purge or its check did not do what it was to do
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


class KeyUnavailable(CustodyError):
    """A key is missing, destroyed or unreadable."""


class BadInput(CustodyError):
    """Something that a person gave cannot be used and has to be corrected."""


class ContractFrozen(BadInput):
    """Nothing is taken in or sealed for this contract any more: it is ending, or has ended."""


class PurgeHalted(CustodyError):
    """A plan is out of the ordinary and erases nothing until a second person has released it."""


class PurgeUnsound(CustodyError):
    """A purge, its count or its verification did not hold; no certificate is issued."""


class LogUnsound(CustodyError):
    """The log is not the one that was published, or says two things of one subject: nothing is added."""


class ScanNotPerformed(PurgeUnsound):
    """A residue scan missed its canary, or could not reach a surface: what it found says nothing."""
