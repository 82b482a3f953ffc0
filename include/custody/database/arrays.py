"""Many values as one parameter: a list of them, one each, costs more to write and to plan than to find."""

from collections.abc import Collection

from sqlalchemy import Column, ColumnElement, Text, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY


def among(column: Column[str], values: Collection[str]) -> ColumnElement[bool]:
    """Say that a text column holds one of the values."""
    return column == any_(literal(list(values), ARRAY(Text)))
