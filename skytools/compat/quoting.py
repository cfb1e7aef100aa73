# SPDX-License-Identifier: ISC
"""SQL, COPY, JSON and form quoting, and back. Source: skytools.quoting of Skytools 3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from skytools.compat.keywords import KEYWORDS

__all__ = [
    "db_urldecode",
    "db_urlencode",
    "json_decode",
    "json_encode",
    "make_pgarray",
    "quote_bytea_copy",
    "quote_bytea_literal",
    "quote_bytea_raw",
    "quote_copy",
    "quote_fqident",
    "quote_ident",
    "quote_json",
    "quote_literal",
    "quote_statement",
    "unescape",
    "unescape_copy",
    "unquote_fqident",
    "unquote_ident",
    "unquote_literal",
]

_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_PLAIN_IDENT = re.compile(r"[a-z_][a-z0-9_]*")
_ESCAPED = re.compile(r"(?P<octal>(?:\\[0-7]{1,3})+)|\\(?P<letter>.|$)|''", re.DOTALL)
_LETTERS = {"a": "\a", "b": "\b", "n": "\n", "r": "\r", "t": "\t"}
_DOLLAR = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)?\$")
_BAD_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
_PLAIN_ELEMENT = re.compile(r"[%&()*+\-./0-9<=>_a-z]+")
_HEX = re.compile(r"%..")


def quote_literal(s: Any) -> str:
    """Return a value as an SQL literal; numbers are quoted too, None is null."""
    if s is None:
        return "null"
    text = str(s).replace("'", "''")
    if "\\" in text:
        return "E'" + text.replace("\\", "\\\\") + "'"
    return f"'{text}'"


def quote_copy(s: Any) -> str:
    r"""Return a value as a field of COPY's text format; None is \N."""
    return "\\N" if s is None else str(s).translate(_COPY_ESCAPES)


def quote_bytea_raw(s: bytes | None) -> str | None:
    """Return bytes in the server's escape format, not yet quoted."""
    if s is None:
        return None
    return "".join(_byte(byte) for byte in s)


def _byte(byte: int) -> str:
    if byte == 0x5C:
        return "\\\\"
    return chr(byte) if 0x20 <= byte <= 0x7E else f"\\{byte:03o}"


def quote_bytea_literal(s: bytes | None) -> str:
    """Return bytes as an SQL literal."""
    return quote_literal(quote_bytea_raw(s))


def quote_bytea_copy(s: bytes | None) -> str:
    """Return bytes as a field of COPY's text format."""
    return quote_copy(quote_bytea_raw(s))


def quote_statement(sql: str, dict_or_list: Mapping[str, Any] | Sequence[Any]) -> str:
    """Fill `%s` or `%(name)s` of a statement with quoted values."""
    if isinstance(dict_or_list, Mapping):
        return sql % {key: quote_literal(value) for key, value in dict_or_list.items()}
    return sql % tuple(quote_literal(value) for value in dict_or_list)


def quote_ident(s: str) -> str:
    """Return a name as an SQL identifier, quoted where it must be."""
    if _PLAIN_IDENT.fullmatch(s) and s not in KEYWORDS:
        return s
    return '"' + s.replace('"', '""') + '"'


def quote_fqident(s: str) -> str:
    """Return a `schema.name` as SQL identifiers; without a schema it is public."""
    schema, dot, name = s.partition(".")
    if not dot:
        return "public." + quote_ident(s)
    return f"{quote_ident(schema)}.{quote_ident(name)}"


def quote_json(s: str | None) -> str:
    """Return a text as a JSON string that is safe inside HTML too."""
    if s is None:
        return "null"
    return json.dumps(s, ensure_ascii=False).replace("/", "\\/")


def json_encode(val: Any = None, **kwargs: Any) -> str:
    """Return a value, or the keyword arguments, as JSON."""
    return json.dumps(kwargs if val is None else val)


def json_decode(s: str) -> Any:
    """Return the value of a JSON text."""
    return json.loads(s)


def unescape(val: str) -> str:
    """Undo C escapes with octal numbers. Raises ValueError on a backslash at the end."""
    return _unescape(val, double_quotes=False)


def _unescape(text: str, *, double_quotes: bool) -> str:
    def one(match: re.Match[str]) -> str:
        if match["octal"]:  # bytes of a UTF-8 text
            numbers = match["octal"].split("\\")[1:]
            return bytes(int(number, 8) & 0xFF for number in numbers).decode()
        escaped = match["letter"]
        if escaped is None:
            return "'" if double_quotes else "''"
        if not escaped:
            raise ValueError(f"backslash at the end of {text!r}")
        return _LETTERS.get(escaped, escaped)

    return _ESCAPED.sub(one, text)


def unescape_copy(val: str) -> str | None:
    r"""Return the value of a field of COPY's text format; \N is None."""
    return None if val == "\\N" else unescape(val)


def unquote_literal(val: str, stdstr: bool = False) -> str | None:
    """Return the value of an SQL literal; what is none is returned as it is.

    `stdstr`: backslashes mean nothing without an E, as with standard_conforming_strings.
    Raises ValueError when a dollar quote is not closed.
    """
    if val[:1] in "'Ee" and val[-1:] == "'" and (val[0] == "'" or val[1:2] == "'"):
        return _unquote_string(val, stdstr)
    if val.lower() == "null":
        return None
    if start := _DOLLAR.match(val):
        tag = start[0]
        body = val[len(tag) : -len(tag)]
        if len(val) < 2 * len(tag) or not val.endswith(tag) or tag in body:
            raise ValueError(f"bad dollar quote: {val}")
        return body
    return val


def _unquote_string(val: str, stdstr: bool) -> str:
    escapes = val[0] != "'"
    body = val[2:-1] if escapes else val[1:-1]
    if len(val) < (3 if escapes else 2):
        return val
    if escapes or not stdstr:
        return _unescape(body, double_quotes=True)
    if "'" in body.replace("''", ""):
        raise ValueError(f"stray quote in {val}")
    return body.replace("''", "'")


def unquote_ident(val: str) -> str:
    """Return the name that an SQL identifier stands for: lower case unless quoted."""
    if len(val) > 1 and val[0] == val[-1] == '"':
        return val[1:-1].replace('""', '"')
    if '"' in val:
        raise ValueError(f"bad identifier: {val}")
    return val.lower()


def unquote_fqident(val: str) -> str:
    """Return the `schema.name` that SQL identifiers stand for."""
    schema, dot, name = val.partition(".")
    return unquote_ident(schema) + (dot + unquote_ident(name) if dot else "")


def db_urlencode(dict_val: Mapping[str, Any]) -> str:
    """Return a row as form text, the format of logutriga; None is a key without `=`."""
    return "&".join(
        _to_form(key) if value is None else f"{_to_form(key)}={_to_form(value)}"
        for key, value in dict_val.items()
    )


def _to_form(value: Any) -> str:
    text = quote_plus(str(value)).replace("~", "%7e")
    return _HEX.sub(lambda match: match[0].lower(), text) if "%" in text else text


def db_urldecode(qs: str) -> dict[str, str | None]:
    """Return the row of a form text. Raises ValueError on a bad `%`."""
    if _BAD_PERCENT.search(qs):
        raise ValueError(f"bad %-escape in {qs!r}")
    out: dict[str, str | None] = {}
    for item in qs.split("&"):
        if item:
            key, equals, value = item.partition("=")
            out[_form_text(key)] = _form_text(value) if equals else None
    return out


def _form_text(text: str) -> str:
    if "%" in text:
        return unquote_plus(text, errors="strict")
    return text.replace("+", " ")


def make_pgarray(lst: Iterable[Any]) -> str:
    """Return the text of a PostgreSQL array; None is NULL."""
    return "{" + ",".join(_element(value) for value in lst) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    if _PLAIN_ELEMENT.fullmatch(text) and text != "null":
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
