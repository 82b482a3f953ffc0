"""The rules by which calls, openings and credential reads are found odd: data, each with its reason.

Two sorts:
- ``Plain`` rules know what is allowed; one row that is not makes a finding;
- ``Counted`` rules compare a count with what was usual in the four weeks before, by the hour of the day:
  it is found when it is above ``least``, above ``factor`` times the usual peak, and far from the median
  (``FAR`` robust deviations); ``share`` is of all calls of the same scope and span.

A seller's sale is ordinary, and triples or quadruples the volume for days: hence the factors of volume.
"""

from datetime import timedelta

import msgspec

HISTORY = timedelta(days=28)  # four of each day of the week
JUDGED = timedelta(days=1)  # beside today, yesterday: a record may arrive late
YOUNG = timedelta(days=7)  # a contract younger than that has nothing usual yet: its first pull reaches back
PEAK = 0.95  # of the hours of history; one odd day in 28 does not raise it
FAR = 12.0  # robust deviations (1.4826 MAD): what a Gauss would never reach


class Plain(msgspec.Struct, frozen=True):
    """A rule on what is allowed; ``says`` is the finding's sentence."""

    name: str
    says: str
    promise: str


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A rule on a count; ``scope`` is what it is counted over, ``span`` an hour or a day."""

    name: str
    metric: str
    says: str
    promise: str
    scope: tuple[str, ...]
    span: str = "hour"
    least: float
    factor: float
    share: float = 0.0
    of: str = "calls"
    grown: bool = False  # only where there is a history
    services: frozenset[str] = frozenset()  # empty: all
    alone: bool = (
        False  # not while the same share of all calls is half as large: then it is not about this one
    )
    family: str = ""  # of several rules of one family only the first one found tells it


UNKNOWN_ACTOR = Plain("unknown_actor", "calls by {subject}, which is no DAG or person of ours", "NP-3")
OFF_SCHEDULE = Plain("off_schedule", "calls by {subject}: its DAG has no run at that time", "NP-3")
NOT_ITS_WORK = Plain("not_its_work", "{subject} calls what is not its work", "NP-3")
UNKNOWN_HOST = Plain("unknown_host", "a call to {subject}, which is not on the list of hosts", "PR-4")
UNKNOWN_OPERATION = Plain("unknown_operation", "an operation that Custody does not know", "PR-1")
WEAK_TLS = Plain("weak_tls", "a call over {subject}, below TLS 1.2", "NP-1")
TLS_FELL = Plain("tls_fell", "calls to {subject} use an older TLS than ever before", "NP-1")
STRANGE_PEER = Plain("strange_peer", "a public host was resolved to {subject}, which is not public", "NP-1")
STRANGE_EGRESS = Plain("strange_egress", "calls went out from {subject}, which is not declared", "NP-3")
NEW_MACHINE = Plain("new_machine", "calls went out from {subject}, seen for the first time", "NP-3")
NEW_HOST = Plain("new_host", "calls to {subject}, seen for the first time", "PR-4")
NOT_CONTRACTED = Plain("not_contracted", "what the contract does not grant was asked for: {subject}", "PR-1")
NO_CONTRACT = Plain("no_contract", "calls for a contract that is {subject}", "PR-3")
CONTAINED = Plain("contained", "calls that an open incident forbids: {subject}", "IM-6")
WRONG_REGION = Plain("wrong_region", "calls to {subject}, which is not the contract's region", "CM-1")
PII_BY_PERSON = Plain("pii_by_person", "{subject} asked for personal data sets from the command line", "PR-1")
OPENED_BY_NOBODY = Plain("opened_by_nobody", "records opened by {subject}, which is no work of ours", "PR-1")
OPENED_WITHOUT_RUN = Plain(
    "opened_without_run", "records opened by {subject}, of which nothing else is on record", "PR-1"
)
OPENED_AGAIN = Plain("opened_again", "one record was opened again and again by {subject}", "PR-1")
READ_BY_NOBODY = Plain(
    "read_by_nobody", "credentials read by {subject}, which is no DAG or person of ours", "CM-7"
)
NEW_READER = Plain("new_reader", "{subject} reads such a credential for the first time", "CM-7")
TOKEN_SWEEP = Plain("token_sweep", "{subject} read the tokens of many sellers in an hour", "CM-7")
READ_WITHOUT_CALL = Plain(
    "read_without_call", "a seller's token is read far more often than it is used", "CM-7"
)
SILENCE = Plain("silence", "no calls any more", "NP-5")
DROP = Plain("drop", "a fraction of the usual calls", "NP-5")
DRIFT = Plain("drift", "calls grow steadily, day by day", "NP-5")

_EACH = ("contract_id", "service", "operation")
_CONTRACT = ("contract_id",)
_ALL: tuple[str, ...] = ()
AMAZON = frozenset({"sp-api", "lwa"})
_SP = frozenset({"sp-api"})

COUNTED = (
    # Amazon refuses one call of a token that has ended, and it is renewed at once: an hour holds a few.
    Counted(name="denied_burst", metric="denied", says="denied (401, 403, invalid grant)", promise="NP-5",
            scope=_CONTRACT, least=10, factor=4, family="denied", services=AMAZON),
    Counted(name="denied_everywhere", metric="denied", says="denied, over all contracts", promise="NP-5",
            scope=_ALL, least=40, factor=4, family="denied_all", services=AMAZON),
    # Who guesses order ids gets 404 for nearly each; an order that has vanished is asked for once or twice.
    Counted(name="enumeration", metric="missing", says="asked for what is not there (404)", promise="NP-5",
            scope=_EACH, least=20, factor=4, services=AMAZON),
    Counted(name="refused_burst", metric="refused", says="refused as wrong (other 4xx)", promise="NP-5",
            scope=_EACH, least=20, factor=4, share=0.2),
    # Personal data first: one anomaly of several measures is told once, by the first of its family.
    Counted(name="pii_volume", metric="pii", says="calls for personal data sets", promise="PR-1",
            scope=_EACH, least=40, factor=4, grown=True, family="volume", services=_SP),
    Counted(name="pii_day", metric="pii", says="calls for personal data sets in a day", promise="PR-1",
            scope=_EACH, span="day", least=100, factor=4, grown=True, family="volume", services=_SP),
    Counted(name="volume", metric="calls", says="calls", promise="NP-5",
            scope=_EACH, least=40, factor=4, grown=True, family="volume"),
    Counted(name="volume_day", metric="calls", says="calls in a day", promise="NP-5",
            scope=_EACH, span="day", least=100, factor=4, grown=True, family="volume"),
    Counted(name="bytes_in", metric="bytes_in", says="bytes received", promise="NP-5",
            scope=_EACH, least=5e6, factor=6, grown=True, family="volume"),
    # What Custody sends is small: tokens, confirmations, mail, wrapped keys.
    Counted(name="bytes_out", metric="bytes_out", says="bytes sent", promise="PR-4",
            scope=_EACH, least=1e6, factor=6, family="volume"),
    Counted(name="large_request", metric="largest", says="bytes in one request", promise="PR-4",
            scope=("service", "operation"), least=65_536, factor=4, grown=True, family="volume_request"),
    # searchOrders has 20 calls at once and one in three minutes: whoever runs dry all the time wastes it.
    Counted(name="throttled", metric="throttled", says="throttled (429)", promise="NP-5",
            scope=_EACH, least=20, factor=3, share=0.3, services=AMAZON),
    Counted(name="repeated", metric="repeated", says="identical calls, again and again", promise="NP-5",
            scope=_EACH, least=50, factor=3, share=0.5, services=_SP),
    Counted(name="failing", metric="failed", says="failed, while others' calls did not", promise="NP-5",
            scope=_CONTRACT, least=30, factor=4, share=0.8, alone=True, services=AMAZON),
    Counted(name="slow", metric="mean_ms", says="ms a call", promise="NP-5",
            scope=("service", "operation"), least=2_000, factor=5, of="", grown=True),
)  # fmt: skip
OPENED = Counted(name="opened_volume", metric="opened", says="records opened for {purpose}", promise="PR-1",
                 scope=("contract_id", "purpose"), least=40, factor=4, grown=True)  # fmt: skip
READ = Counted(name="read_volume", metric="reads", says="reads of {family}", promise="CM-7",
               scope=("contract_id", "family"), least=40, factor=4, grown=True)  # fmt: skip

REOPENED_MOST = 10  # openings of one record for one purpose in a day; a slip that jams is printed again
SWEPT_MOST = 5  # sellers whose tokens one person, or a DAG that has no work with them, reads in an hour
UNUSED_MOST = 10  # readings of a token in an hour beyond the calls that it was used for
MACHINES_MOST = 20  # above so many machines in four weeks their names are a cluster's, and say nothing
SILENT_HOURS = 4  # and twice the longest silence so far; a pull comes every 15 minutes
DROPPED_TO = 0.25  # of the least day of the history
DRIFTED_TO = 3.0  # times: the last week's median day to that of the first
DRIFT_LEAST = 100.0  # calls of an operation a day: below it a growth is a handful of orders
DRIFT_STEADY = 0.7  # rank correlation of days and calls; a sale that comes and goes stays below
EXPLAINED = 4.0  # calls for each order that was taken in: its recipient, its shipment, read back, once again
EXPLAINED_PII = 2.0  # of them for personal data: once, and once again
EXCEPTION_ROOM = 2.0  # an exception holds up to so many times what was judged
EXCEPTION_LONGEST = timedelta(days=92)  # to the next quarterly review (NP-6)
MOST_EVIDENCE = 100  # ids of rows kept with a finding
