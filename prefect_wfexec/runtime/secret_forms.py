"""The forms in which a secret is likely to be printed: as it is, encoded, escaped, quoted, line by line."""

import base64
import json
import re
from collections.abc import Iterator
from shlex import quote as shell_quote
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Strings under this many characters are left alone in running text: they would mask half of it."""

_RICH_LINES = 100
"""Up to this many lines of a secret are looked for in every form; the rest as they stand."""

_ALWAYS_ESCAPED = re.compile(r"[^A-Za-z0-9_@%+=:,./-]")


def forms_of(secret: str) -> set[str]:
    """Every string to look for so that `secret` does not show; empty for a secret that is too short.

    A secret's outer whitespace is no part of what is looked for, unless too little would be left.
    """
    if len(secret) < SHORTEST:
        return set()
    core = secret.strip()
    forms = set(_encodings(core if len(core) >= SHORTEST else secret))
    if core != secret:
        forms.update(_whole_encodings(_as_bytes(secret)))
    lines = [line for line in (part.strip() for part in core.splitlines()) if len(line) >= SHORTEST]
    if lines and lines != [core]:
        for line in lines[:_RICH_LINES]:
            forms.update(_encodings(line))
        forms.update(lines)
        forms.add(core.replace("\r\n", "\n"))
        forms.add(core.replace("\r\n", "\n").replace("\n", "\r\n"))
    return {form for form in forms if len(form) >= SHORTEST}


def _encodings(text: str) -> Iterator[str]:
    data = _as_bytes(text)
    yield text
    yield data.hex()
    yield data.hex().upper()
    yield from _whole_encodings(data)
    yield from _embedded_base64(data)
    yield from _url_forms(data)
    yield from _escaped_forms(text)


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _whole_encodings(data: bytes) -> Iterator[str]:
    """Base64 of exactly these bytes, in both alphabets, padded or not, whole or wrapped as tools wrap it."""
    for encoded in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        yield encoded
        yield encoded.rstrip("=")
        for width in (76, 64):
            if len(encoded) > width:
                yield from (encoded[start : start + width] for start in range(0, len(encoded), width))


def _embedded_base64(data: bytes) -> Iterator[str]:
    """What these bytes look like inside the base64 of a longer text, for each of the three alignments.

    Only characters that depend on these bytes alone are in it, so at most five bits on either side are not.
    """
    for shift in range(3):
        first = -(-8 * shift // 6)
        last = 8 * (shift + len(data)) // 6
        encoded = base64.b64encode(bytes(shift) + data).decode()[first:last]
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")


def _url_forms(data: bytes) -> Iterator[str]:
    for encoded in (
        quote(data),
        quote(data, safe=""),
        quote_plus(data),
        quote(data, safe="!'()*~"),
        quote(data, safe="$&+,:;=@"),
        quote(data, safe="$&+,;="),
    ):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), encoded)


def _escaped_forms(text: str) -> Iterator[str]:
    """As JSON (also in JSON within JSON, and as Go and PHP write it), HCL, Python, HTML and shells show it."""
    plain = json.dumps(text, ensure_ascii=False)[1:-1]
    for escaped in (json.dumps(text)[1:-1], plain, _as_go_writes(plain), plain.replace("/", "\\/")):
        yield escaped
        yield re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match.group()[2:].upper(), escaped)
        yield json.dumps(escaped, ensure_ascii=False)[1:-1]
    yield plain.replace("${", "$${").replace("%{", "%%{")
    yield repr(text)[1:-1]
    yield text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield _as_html_attribute(text, "&#x27;")
    yield _as_html_attribute(text, "&#39;")
    yield shell_quote(text)
    yield text.replace("'", "'\\''")
    yield text.replace("'", "'\"'\"'")
    yield text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    yield _ALWAYS_ESCAPED.sub(lambda match: "\\" + match.group(), text)


def _as_go_writes(escaped: str) -> str:
    return escaped.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def _as_html_attribute(text: str, apostrophe: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace('"', "&quot;").replace("'", apostrophe)
