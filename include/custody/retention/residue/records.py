"""What a residue scan gives: counts, where it looked, where it could not, and where it found something."""

from datetime import datetime

import msgspec

from custody.orders.records import OrderRef

PLANTED = "planted"  # the canary was written where the surface keeps its data
IN_THE_STREAM = "in the stream"  # nothing may be written there: the canary came by the way of its data


class Hit(msgspec.Struct, frozen=True):
    """A personal value outside its seal: where, in which form, of which order; never the value.

    ``unit`` is a file relative to its surface, or a table with column and row key.
    Where orders share the value, ``order_ref`` is one of them.
    """

    surface: str
    unit: str
    order_ref: OrderRef
    form: str


class Surface(msgspec.Struct, frozen=True):
    """One place that was searched; of several passes, the least of ``units`` and ``bytes``.

    ``unchanged`` counts files not read because nothing wrote to them since the values came in.
    ``hits`` counts all, also those that are not listed.
    """

    name: str
    units: int
    bytes: int
    unchanged: int
    hits: int
    self_test: str


class ResidueScan(msgspec.Struct, frozen=True):
    """A finished scan: ``values`` were searched for; ``too_short`` and ``ordinary`` ones prove nothing."""

    scanned_at: datetime
    orders: int
    values: int
    too_short: int
    ordinary: int
    surfaces: tuple[Surface, ...]
    not_visible: tuple[str, ...]
    self_tested: bool
    hits: tuple[Hit, ...] = ()

    @property
    def found(self) -> int:
        """Count all hits; only 0 is good."""
        return sum(surface.hits for surface in self.surfaces)
