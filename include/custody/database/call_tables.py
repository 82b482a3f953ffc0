"""The tables of outbound calls and findings about them."""

from custody.database.tables import metadata

__all__ = ["metadata"]
