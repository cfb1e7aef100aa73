# SPDX-License-Identifier: ISC
"""zstd and lz4 by their libraries, which every server since PostgreSQL 15 has with it.

A program for each segment costs half as much time again as the work itself. Where a library is
missing, `find` says so and codec.py runs the program. Formats are those of the programs, with a
checksum of the content.
"""

from __future__ import annotations

import ctypes
import os

from skytools.walmgr.wal import WalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

Size = ctypes.c_size_t
Pointer = ctypes.c_void_p

LIBRARIES = {"zstd": "libzstd.so.1", "lz4": "liblz4.so.1"}
CHUNK = 1 << 18  # stays in the processor's cache
LEVEL = 1
WORKERS = 2  # no more work in all, but a third less time where two processors are free
# ZSTD_cParameter and ZSTD_EndDirective of zstd.h
_ZSTD_LEVEL, _ZSTD_CHECKSUM, _ZSTD_WORKERS, _ZSTD_CONTINUE, _ZSTD_END = 100, 201, 400, 0, 2
# lz4frame.h: LZ4F_VERSION; blocks of up to 256 kB, each for itself
_LZ4_VERSION, _LZ4_BLOCK, _LZ4_INDEPENDENT = 100, 5, 1


class _Part(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer; filled or used up to `pos`."""

    _fields_ = (("data", Pointer), ("size", Size), ("pos", Size))


class _Preferences(ctypes.Structure):
    """LZ4F_preferences_t, with LZ4F_frameInfo_t at its head."""

    _fields_ = (
        ("block", ctypes.c_int), ("mode", ctypes.c_int), ("checksum", ctypes.c_int),
        ("kind", ctypes.c_int), ("content_size", ctypes.c_ulonglong), ("dictionary", ctypes.c_uint),
        ("block_checksum", ctypes.c_int), ("level", ctypes.c_int), ("flush", ctypes.c_uint),
        ("favor_speed", ctypes.c_uint), ("reserved", ctypes.c_uint * 3),
    )  # fmt: skip


def find(codec: str) -> Zstd | Lz4 | None:
    """Return the codec's library, None where it is missing or lacks what we need."""
    try:
        return Zstd() if codec == "zstd" else Lz4()
    except (OSError, AttributeError):
        return None


def _chunks(source: int) -> Iterator[tuple[int, int]]:
    """Yield address and size of each piece of a file; at its end (address, 0)."""
    buffer = ctypes.create_string_buffer(CHUNK)
    address = ctypes.addressof(buffer)
    while size := os.readv(source, [buffer]):
        yield address, size
    yield address, 0


def _write(target: int, buffer: ctypes.Array[ctypes.c_char], size: int) -> None:
    view = memoryview(buffer)[:size]
    while view:
        view = view[os.write(target, view) :]


class Zstd:
    """libzstd. Both functions raise WalError, OSError."""

    def __init__(self) -> None:
        self._lib = lib = ctypes.CDLL(LIBRARIES["zstd"])
        for name in ("ZSTD_createCCtx", "ZSTD_createDCtx"):
            getattr(lib, name).restype = Pointer
        for name in ("ZSTD_freeCCtx", "ZSTD_freeDCtx", "ZSTD_getErrorName"):
            getattr(lib, name).argtypes = (Size if name.endswith("Name") else Pointer,)
        lib.ZSTD_getErrorName.restype = ctypes.c_char_p
        lib.ZSTD_isError.argtypes = (Size,)
        lib.ZSTD_CCtx_setParameter.argtypes = (Pointer, ctypes.c_int, ctypes.c_int)
        parts = (ctypes.POINTER(_Part), ctypes.POINTER(_Part))
        lib.ZSTD_compressStream2.argtypes = (Pointer, *parts, ctypes.c_int)
        lib.ZSTD_decompressStream.argtypes = (Pointer, *parts)
        for name in ("ZSTD_compressStream2", "ZSTD_decompressStream"):
            getattr(lib, name).restype = Size

    def compress(self, source: int, target: int) -> None:
        """Copy the rest of a file to another, compressed."""
        lib = self._lib
        context = lib.ZSTD_createCCtx()
        try:
            for parameter, value in (
                (_ZSTD_LEVEL, LEVEL), (_ZSTD_CHECKSUM, 1),
                (_ZSTD_WORKERS, WORKERS),  # refused by a library without threads
            ):  # fmt: skip
                lib.ZSTD_CCtx_setParameter(context, parameter, value)
            out = ctypes.create_string_buffer(CHUNK)
            for address, size in _chunks(source):
                given, left = _Part(address, size, 0), 1
                while given.pos < size or (size == 0 and left):
                    filled = _Part(ctypes.addressof(out), CHUNK, 0)
                    how = _ZSTD_CONTINUE if size else _ZSTD_END
                    left = self._good(lib.ZSTD_compressStream2(context, filled, given, how))
                    _write(target, out, filled.pos)
        finally:
            lib.ZSTD_freeCCtx(context)

    def expand(self, source: int, target: int) -> None:
        """Copy the rest of a compressed file to another in the clear."""
        lib = self._lib
        context = lib.ZSTD_createDCtx()
        try:
            out, left = ctypes.create_string_buffer(CHUNK), 1
            for address, size in _chunks(source):
                given, full = _Part(address, size, 0), False
                while given.pos < size or (full and left):
                    filled = _Part(ctypes.addressof(out), CHUNK, 0)
                    left = self._good(lib.ZSTD_decompressStream(context, filled, given))
                    _write(target, out, filled.pos)
                    full = filled.pos == CHUNK
            if left:
                raise WalError("damaged zstd file: it ends too early")
        finally:
            lib.ZSTD_freeDCtx(context)

    def _good(self, code: int) -> int:
        if self._lib.ZSTD_isError(code):
            raise WalError(f"damaged zstd file: {self._lib.ZSTD_getErrorName(code).decode()}")
        return code


class Lz4:
    """liblz4. Both functions raise WalError, OSError."""

    def __init__(self) -> None:
        self._lib = lib = ctypes.CDLL(LIBRARIES["lz4"])
        made = (ctypes.POINTER(Pointer), ctypes.c_uint)
        wanted = ctypes.POINTER(_Preferences)
        size = ctypes.POINTER(Size)
        for name, arguments in (
            ("createCompressionContext", made), ("createDecompressionContext", made),
            ("freeCompressionContext", (Pointer,)), ("freeDecompressionContext", (Pointer,)),
            ("compressBound", (Size, wanted)),
            ("compressBegin", (Pointer, Pointer, Size, wanted)),
            ("compressUpdate", (Pointer, Pointer, Size, Pointer, Size, Pointer)),
            ("compressEnd", (Pointer, Pointer, Size, Pointer)),
            ("decompress", (Pointer, Pointer, size, Pointer, size, Pointer)),
            ("getErrorName", (Size,)),
        ):  # fmt: skip
            function = getattr(lib, f"LZ4F_{name}")
            function.argtypes, function.restype = arguments, Size
        lib.LZ4F_getErrorName.restype = ctypes.c_char_p
        lib.LZ4F_isError.argtypes = (Size,)

    def compress(self, source: int, target: int) -> None:
        """Copy the rest of a file to another, compressed."""
        lib, context = self._lib, Pointer()
        self._good(lib.LZ4F_createCompressionContext(context, _LZ4_VERSION))
        try:
            wanted = _Preferences(
                block=_LZ4_BLOCK, mode=_LZ4_INDEPENDENT, checksum=1, level=LEVEL, flush=1
            )
            room = self._good(lib.LZ4F_compressBound(CHUNK, wanted))
            out = ctypes.create_string_buffer(room)
            _write(target, out, self._good(lib.LZ4F_compressBegin(context, out, room, wanted)))
            for address, size in _chunks(source):
                if size:
                    done = lib.LZ4F_compressUpdate(context, out, room, address, size, None)
                else:
                    done = lib.LZ4F_compressEnd(context, out, room, None)
                _write(target, out, self._good(done))
        finally:
            lib.LZ4F_freeCompressionContext(context)

    def expand(self, source: int, target: int) -> None:
        """Copy the rest of a compressed file to another in the clear."""
        lib, context = self._lib, Pointer()
        self._good(lib.LZ4F_createDecompressionContext(context, _LZ4_VERSION))
        try:
            out, left = ctypes.create_string_buffer(CHUNK), 1
            for address, size in _chunks(source):
                at, full = 0, False
                while at < size or (full and left):
                    used, filled = Size(size - at), Size(CHUNK)
                    code = lib.LZ4F_decompress(context, out, filled, address + at, used, None)
                    left = self._good(code)
                    _write(target, out, filled.value)
                    at, full = at + used.value, filled.value == CHUNK
            if left:
                raise WalError("damaged lz4 file: it ends too early")
        finally:
            lib.LZ4F_freeDecompressionContext(context)

    def _good(self, code: int) -> int:
        if self._lib.LZ4F_isError(code):
            raise WalError(f"damaged lz4 file: {self._lib.LZ4F_getErrorName(code).decode()}")
        return code
