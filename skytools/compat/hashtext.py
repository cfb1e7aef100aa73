# SPDX-License-Identifier: ISC
"""PostgreSQL's hashtext() on the client, for partitioning by it.

Bob Jenkins's public domain hashes, lookup2 (servers up to 8.3) and lookup3.
"""

from __future__ import annotations

from struct import unpack

__all__ = ["hashtext_new", "hashtext_old"]

MASK = 0xFFFFFFFF
GOLDEN = 0x9E3779B9
SEED = 3923095

# Bits by which each step moves: right, left, right, and again.
_OLD_SHIFTS = (13, 8, 13, 12, 16, 5, 3, 10, 15)
_NEW_ROTATIONS = (4, 6, 8, 16, 19, 4)


def hashtext_old(v: str | bytes) -> int:
    """Return what hashtext() of PostgreSQL 8.3 and older returns: a signed 32-bit number."""
    data = v.encode() if isinstance(v, str) else bytes(v)
    a = b = GOLDEN
    c = SEED
    full = len(data) - len(data) % 12
    for start in range(0, full, 12):
        x, y, z = unpack("<3I", data[start : start + 12])
        a, b, c = _old_mix(a + x, b + y, c + z)
    x, y, z = unpack("<3I", _old_tail(data[full:]))
    a, b, c = _old_mix(a + x, b + y, c + z + len(data))
    return _signed(c)


def _old_tail(rest: bytes) -> bytes:
    # The lowest byte of the third word is the length's.
    return (rest[:8].ljust(8, b"\0") + b"\0" + rest[8:]).ljust(12, b"\0")


def _old_mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    words = [a & MASK, b & MASK, c & MASK]
    for step, shift in enumerate(_OLD_SHIFTS):
        this, following, last = step % 3, (step + 1) % 3, (step + 2) % 3
        other = words[last]
        moved = other << shift if this == 1 else other >> shift
        words[this] = ((words[this] - words[following] - other) & MASK) ^ (moved & MASK)
    return words[0], words[1], words[2]


def hashtext_new(v: str | bytes) -> int:
    """Return what hashtext() of PostgreSQL 8.4 and newer returns: a signed 32-bit number."""
    data = v.encode() if isinstance(v, str) else bytes(v)
    a = b = c = (GOLDEN + len(data) + SEED) & MASK
    full = len(data) - len(data) % 12
    for start in range(0, full, 12):
        x, y, z = unpack("<3I", data[start : start + 12])
        a, b, c = _new_mix(a + x, b + y, c + z)
    rest = data[full:]
    # As in the old one, the lowest byte of the third word is left out.
    x, y, z = unpack("<3I", _old_tail(rest))
    return _signed(_new_final((a + x) & MASK, (b + y) & MASK, (c + z) & MASK))


def _rotate(x: int, bits: int) -> int:
    return ((x << bits) | (x >> (32 - bits))) & MASK


def _new_mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    words = [a & MASK, b & MASK, c & MASK]
    for step, bits in enumerate(_NEW_ROTATIONS):
        this, following, last = step % 3, (step + 1) % 3, (step + 2) % 3
        words[this] = ((words[this] - words[last]) & MASK) ^ _rotate(words[last], bits)
        words[last] = (words[last] + words[following]) & MASK
    return words[0], words[1], words[2]


def _new_final(a: int, b: int, c: int) -> int:
    for first, second, third in ((14, 11, 25), (16, 4, 14)):
        c = ((c ^ b) - _rotate(b, first)) & MASK
        a = ((a ^ c) - _rotate(c, second)) & MASK
        b = ((b ^ a) - _rotate(a, third)) & MASK
    return ((c ^ b) - _rotate(b, 24)) & MASK


def _signed(value: int) -> int:
    return value - (1 << 32) if value & 0x80000000 else value
