"""Merkle trees as in RFC 9162 §2.1: roots, proofs of inclusion and of consistency, and their checks.

A batch's leaves are commitments: each hides its order behind a salt, so that whoever is given the
salt and the order id can recompute it, and nobody else learns which orders a batch held.

The proofs are made from *nodes*, complete subtrees known as (level, index): the node (l, i) is over
the leaves i·2^l to (i+1)·2^l. Whoever keeps nodes proves in time that grows with log n.
"""

import hmac
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import TypeAlias

from custody.orders.records import ContractId, OrderId, OrderRef

EMPTY = sha256(b"").digest()
Node: TypeAlias = tuple[int, int]
Range: TypeAlias = tuple[int, int]


def commitment(batch_salt: bytes, contract_id: ContractId, ref: OrderRef, order_id: OrderId) -> bytes:
    """Commit to one order of a batch: SHA-256 over its own salt, its contract and its id."""
    return commit(order_salt(batch_salt, ref), contract_id, order_id)


def commit(salt: bytes, contract_id: ContractId, order_id: OrderId) -> bytes:
    """Commit to one order by a salt of its own, as whoever was given that salt can do."""
    return sha256(b"%b|%b|%b" % (salt, contract_id.encode(), order_id.encode())).digest()


def order_salt(batch_salt: bytes, ref: OrderRef) -> bytes:
    """Give the salt of one order, which tells nothing of its neighbors': HMAC-SHA-256."""
    return hmac.digest(batch_salt, ref.encode(), "sha256")


def leaf_hash(data: bytes) -> bytes:
    """Hash the data of a leaf, RFC 9162 §2.1.1."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into the one above them, RFC 9162 §2.1.1."""
    return sha256(b"\1" + left + right).digest()


def root(commitments: Sequence[bytes]) -> bytes:
    """Give the Merkle tree hash of commitments in their order; of none, the hash of nothing."""
    return Tree([leaf_hash(each) for each in commitments]).root()


class Frontier:
    """The right edge of a growing tree: appends and gives its root with log n hashes in memory."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Go on from ``peaks``, the hashes of ``subtrees(0, size)``, the largest first."""
        self.size = size
        self._peaks = list(peaks)

    def append(self, leaf: bytes) -> tuple[bytes, ...]:
        """Take one leaf's hash; give the hashes of the nodes that it completes, levels 0 and up."""
        completed = [leaf]
        mark = self.size
        while mark & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            completed.append(leaf)
            mark >>= 1
        self._peaks.append(leaf)
        self.size += 1
        return tuple(completed)

    def root(self) -> bytes:
        """Give the Merkle tree hash of all that was appended."""
        return _folded(self._peaks)


class Tree:
    """A whole tree in memory, for many proofs over the same leaves; two hashes a leaf are kept."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self.size = len(leaf_hashes)
        self._levels = [list(leaf_hashes)]
        while len(below := self._levels[-1]) > 1:
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([node_hash(left, right) for left, right in pairs])

    def root(self) -> bytes:
        """Give the Merkle tree hash; of no leaves, the hash of nothing."""
        return range_hash((0, self.size), self._node)

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """Prove that the leaf of this index is in the tree, RFC 9162 §2.1.3.1."""
        return tuple(range_hash(each, self._node) for each in inclusion_ranges(index, self.size))

    def consistency(self, first: int) -> tuple[bytes, ...]:
        """Prove that the tree over the first so many leaves is a part of this one, RFC 9162 §2.1.4.1."""
        return tuple(range_hash(each, self._node) for each in consistency_ranges(first, self.size))

    def _node(self, node: Node) -> bytes:
        level, index = node
        return self._levels[level][index]


def inclusion(leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Prove one leaf of a tree; for many leaves of the same, make a ``Tree``."""
    return Tree(leaf_hashes).inclusion(index)


def consistency(leaf_hashes: Sequence[bytes], first: int, second: int) -> tuple[bytes, ...]:
    """Prove that the tree of the first ``first`` leaves is a part of that of the first ``second``."""
    return Tree(leaf_hashes[:second]).consistency(first)


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a path leads from a leaf's hash to the root, RFC 9162 §2.1.3.2."""
    if not 0 <= index < size or not _hashes((leaf, *path)):
        return False
    here, last = index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            leaf = node_hash(sibling, leaf)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            leaf = node_hash(leaf, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and hmac.compare_digest(leaf, root)


def check_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Tell whether a path shows that the second tree only adds to the first, RFC 9162 §2.1.4.2.

    The RFC leaves out a first tree of no leaves: here every tree adds to it, by an empty path.
    """
    if not 0 <= first <= second or not _hashes(path):
        return False
    if first == 0:
        return not path and first_root == EMPTY and (second > 0 or second_root == EMPTY)
    if first == second:
        return not path and hmac.compare_digest(first_root, second_root)
    hashes = list(path) if first & (first - 1) else [first_root, *path]
    if not hashes:
        return False
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old, new = node_hash(each, old), node_hash(each, new)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, each)
        here, last = here >> 1, last >> 1
    return last == 0 and hmac.compare_digest(old, first_root) and hmac.compare_digest(new, second_root)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """List the ranges of leaves whose hashes prove a leaf, the nearest first; raises IndexError."""
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} of {size}")
    start, end = 0, size
    path: list[Range] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """List the ranges of leaves whose hashes prove a smaller tree, the nearest first; raises IndexError."""
    if not 0 <= first <= second:
        raise IndexError(f"tree of {first} in a tree of {second}")
    if first in (0, second):
        return []
    start, end = 0, second
    path: list[Range] = []
    while first < end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return ([(start, end)] if start else []) + path[::-1]  # the first tree itself is known to who asks


def subtrees(start: int, end: int) -> Iterator[Node]:
    """Split a range of a proof into complete subtrees, the largest first."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def range_hash(leaves: Range, node: Callable[[Node], bytes]) -> bytes:
    """Give the Merkle tree hash of a range of leaves from the nodes that it is made of."""
    start, end = leaves
    size = end - start
    if size and not size & (size - 1):  # one complete subtree, as nearly all ranges of a proof are
        level = size.bit_length() - 1
        return node((level, start >> level))
    return _folded([node(each) for each in subtrees(*leaves)])


def _folded(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY
    *left, found = peaks
    for each in reversed(left):
        found = node_hash(each, found)
    return found


def _split(leaves: int) -> int:
    """Give the largest power of two below a number of leaves above one."""
    return 1 << (leaves - 1).bit_length() - 1


def _hashes(each: Sequence[bytes]) -> bool:
    return all(len(one) == 32 for one in each)  # SHA-256
