"""The tables of rotations of credentials."""

from custody.database.tables import metadata

__all__ = ["metadata"]
