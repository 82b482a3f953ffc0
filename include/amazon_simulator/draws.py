"""Chance that is not chance: the same seed and number always give the same bits."""

from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MARKS = {"#": "0123456789", "%": "02468", "@": "ABCDEFGHJKLMNPRSTUVWXYZ"}


def mix(number: int) -> int:
    """Scatter an integer over 64 bits (the finalizer of SplitMix64, Steele et al. 2014)."""
    number = (number * _GOLDEN) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


class Draw:
    """512 bits that belong to one key, taken from the low end."""

    __slots__ = ("_bits",)

    def __init__(self, *key: int) -> None:
        digest = blake2b(repr(key).encode(), digest_size=64).digest()
        self._bits = int.from_bytes(digest, "little")

    def below(self, limit: int) -> int:
        """Take a number from 0 to ``limit`` - 1."""
        self._bits, number = divmod(self._bits, limit)
        return number

    def chance(self, share: float) -> bool:
        """Take a yes or no that is yes in ``share`` of the cases (steps of one in 4096)."""
        return self.below(4096) < share * 4096

    def pick(self, choices: tuple[T, ...]) -> T:
        """Take one of the choices."""
        return choices[self.below(len(choices))]

    def fill(self, pattern: str) -> str:
        """Fill a pattern: ``#`` digit, ``%`` even digit, ``@`` letter; the rest stays."""
        number, filled = self.below(1 << 64), []
        for mark in pattern:
            choices = _MARKS.get(mark, mark)
            number, chosen = divmod(number, len(choices))
            filled.append(choices[chosen])
        return "".join(filled)
