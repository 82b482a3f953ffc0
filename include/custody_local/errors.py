"""What can go wrong with a local run; each message is for the person at the terminal.

LocalRunError
├── HomeInUse      another runner works in this home: stop it, or take another home
├── ProcessEnded   a process that was to stay up has ended; the message has the end of its log
├── NotReady       something did not come up, or did not finish, in its time
└── Unsupported    this machine lacks something, or the home was made by another version
"""


class LocalRunError(Exception):
    """The root; never raised itself."""


class HomeInUse(LocalRunError):
    """Another runner holds the home."""


class ProcessEnded(LocalRunError):
    """A process that was to stay up has ended."""


class NotReady(LocalRunError):
    """Something did not come up, or did not finish, in its time."""


class Unsupported(LocalRunError):
    """The machine, or a home made by another version, cannot be used."""
