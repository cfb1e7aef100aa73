# SPDX-License-Identifier: ISC
"""Decoding bytes that should be UTF-8. Source: skytools.utf8 of Skytools 3."""

from __future__ import annotations

import codecs
import re

__all__ = ["safe_utf8_decode", "sanitize_unicode"]

_NOT_FOR_THE_SERVER = re.compile("[\ud800-\udfff\0]")
_REPLACEMENT = "\ufffd"


def sanitize_unicode(u: str) -> str:
    """Return the text with NUL and lone surrogates replaced."""
    return _NOT_FOR_THE_SERVER.sub(_REPLACEMENT, u)


def safe_utf8_decode(s: bytes) -> tuple[bool, str]:
    """Return (True, text), or (False, text with what is bad replaced)."""
    try:
        text = s.decode("utf-8")
    except UnicodeDecodeError:
        return False, sanitize_unicode(codecs.decode(s, "utf-8", "skytools_replace"))
    clean = sanitize_unicode(text)
    return clean == text, clean


def _each_byte(exc: UnicodeError) -> tuple[str, int]:
    """Replace one bad byte, and look at the next on its own."""
    assert isinstance(exc, UnicodeDecodeError)
    return _REPLACEMENT, exc.start + 1


codecs.register_error("skytools_replace", _each_byte)
