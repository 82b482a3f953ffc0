"""The tables of credentials: what there is, who read it, who lost it."""

from custody.database.tables import metadata

__all__ = ["metadata"]
