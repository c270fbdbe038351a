"""The JSON of a verified delivery, read strictly: what other programs might read in another way is refused."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import unquote_plus

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import UsageError
from prefect_wfexec.runtime.outside import refuse_unsafe, text_from_outside
from prefect_wfexec.triggers.event import Unreadable
from prefect_wfexec.triggers.received import Received

DEEPEST = 64
LONGEST_TEXT_CHARACTERS = 300
FORM = "application/x-www-form-urlencoded"
_FIELD = b"payload="
_DIRECTIONS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Characters that turn the direction of what follows them: text with them reads as what it is not."""


def read_json(received: Received, *, takes_form: bool = False) -> JSON:
    """The JSON of the body.

    Args:
        received: The delivery.
        takes_form: Whether it may stand in the field `payload` of a form.

    Raises:
        Unreadable: it is no such JSON, or holds what Prefect would resolve or can't store.
    """
    kind = _content_type(received)
    if takes_form and kind == FORM:
        return parse(_of_form(received.body))
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Unreadable("its content type is not application/json")
    return parse(received.body)


def read_object(received: Received, *, takes_form: bool = False) -> Mapping[str, JSON]:
    """The JSON object of the body.

    Raises:
        Unreadable: as above, or it is no object.
    """
    value = read_json(received, takes_form=takes_form)
    if not isinstance(value, dict):
        raise Unreadable("the JSON is no object")
    return value


def parse(body: bytes) -> JSON:
    """Strict JSON.

    Raises:
        Unreadable: it is none, or holds what Prefect would resolve or can't store.
    """
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)
    except UnicodeDecodeError:
        raise Unreadable("the body is no UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Unreadable(_reason(error)) from None
    _refuse_deep(value)
    try:
        refuse_unsafe(value)
    except UsageError as error:
        raise Unreadable(error.message) from None
    return value


def get(value: JSON, *path: str) -> JSON:
    """What stands at a path of keys, None when it is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def text(value: JSON, *path: str) -> str | None:
    """The text at a path, on one line and short enough to show; None when there is none."""
    found = get(value, *path)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    words = " ".join(text_from_outside(found).translate(_DIRECTIONS).split())
    if len(words) > LONGEST_TEXT_CHARACTERS:
        words = f"{words[: LONGEST_TEXT_CHARACTERS - 1]}…"
    return words or None


def exact(value: JSON, *path: str) -> str | None:
    """The text at a path that something is decided by: never another than what was sent.

    Raises:
        Unreadable: people would read it as another one than it is.
    """
    found = get(value, *path)
    if not isinstance(found, str) or not found:
        return None
    if text(found) != found:
        raise Unreadable(f"'{'.'.join(path)}' is too long, or holds characters that can't be shown")
    return found


def link(value: JSON, *path: str) -> str | None:
    """The web address at a path; None for any other."""
    found = text(value, *path)
    return found if found is not None and found.startswith(("https://", "http://")) else None


def moment(value: JSON, *path: str) -> datetime | None:
    """The time at a path, written as ISO 8601 or in seconds; None when it can't be read."""
    found = get(value, *path)
    try:
        if isinstance(found, int | float) and not isinstance(found, bool):
            return datetime.fromtimestamp(found, UTC)
        read = datetime.fromisoformat(found) if isinstance(found, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return read if read is None or read.tzinfo is not None else read.replace(tzinfo=UTC)


def first_line(value: JSON, *path: str) -> str | None:
    """The first line of the text at a path."""
    found = get(value, *path)
    return text(found.lstrip().partition("\n")[0]) if isinstance(found, str) else None


def listed(value: JSON, *path: str) -> Sequence[JSON]:
    """The list at a path; an empty one when there is none."""
    found = get(value, *path)
    return found if isinstance(found, list) else []


def _content_type(received: Received) -> str:
    values = received.values("content-type")
    if len(values) != 1:
        raise Unreadable("it has no content type" if not values else "it has more than one content type")
    kind, _, parameters = values[0].lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    if "charset=" in charset and "charset=utf-8" not in charset:
        raise Unreadable("its charset is not utf-8")
    return kind.strip()


def _of_form(body: bytes) -> bytes:
    """The field `payload`, which must be all there is: a JSON body can't be read as a form as well."""
    if not body.startswith(_FIELD) or b"&" in body or not body.isascii():
        raise Unreadable("the form is not the field 'payload' alone")
    try:
        return unquote_plus(body.removeprefix(_FIELD).decode(), errors="strict").encode()
    except UnicodeDecodeError:
        raise Unreadable("the form is no UTF-8") from None


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unreadable("a key stands twice in an object")
    return found


def _constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is no JSON")


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Unreadable("a number in it is too large")
    return value


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"the body is no JSON: line {error.lineno}, column {error.colno}"
    return "a number in it is too large"


def _refuse_deep(value: JSON) -> None:
    level: list[JSON] = [value]
    for _ in range(DEEPEST + 1):
        inner: list[JSON] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, int):
                _refuse_large(item)
        if not inner:
            return
        level = inner
    raise _too_deep()


def _refuse_large(value: int) -> None:
    try:
        float(value)
    except OverflowError:
        raise Unreadable("a number in it is too large") from None


def _too_deep() -> Unreadable:
    return Unreadable(f"it is nested more than {DEEPEST} deep")
