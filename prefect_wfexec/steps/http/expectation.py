"""What the answer to an HTTP check has to be."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.runtime.http import HttpResponse


class Mismatch(Exception):
    """An answer that is not the one wanted."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an answer has to be."""

    statuses: tuple[str, ...] = ("2xx",)
    texts: tuple[str, ...] = ()
    values: Mapping[str, JSON] | None = None

    @classmethod
    def of(cls, status: object, contains: object, values: Mapping[str, JSON] | None) -> "Expectation":
        statuses = tuple(str(item).lower() for item in as_list(status)) or ("2xx",)
        return cls(statuses, tuple(str(text) for text in as_list(contains)), values)

    def takes(self, code: int) -> bool:
        return any(wanted in {str(code), f"{code // 100}xx"} for wanted in self.statuses)

    def check(self, response: HttpResponse) -> None:
        """Raise `Mismatch` unless the answer is the one wanted."""
        if not self.takes(response.status_code):
            raise Mismatch("http_status", f"{status_line(response)} where {' or '.join(self.statuses)} is wanted")
        text = response.text
        cut = " in the first 1 MiB" if response.is_cut else ""
        for wanted in self.texts:
            if wanted not in text:
                raise Mismatch("http_mismatch", f"the body does not contain {_shortened(wanted)}{cut}")
        if self.values is not None:
            self._check_json(text, cut)

    def _check_json(self, text: str, cut: str) -> None:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise Mismatch("http_mismatch", f"the body is no JSON{cut}") from None
        for path, wanted in (self.values or {}).items():
            found = list(_at(document, path))
            if not found:
                raise Mismatch("http_mismatch", f"the body has no value at '{path}'")
            if not any(matches(wanted, value) for value in found):
                raise Mismatch(
                    "http_mismatch", f"'{path}' is {_shortened(found[0])} where {_shortened(wanted)} is wanted"
                )


def matches(wanted: JSON, found: JSON) -> bool:
    """Whether a value is the one wanted: mappings as a part, everything else as equal; `true` is not 1."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and matches(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(wanted) == len(found)
            and all(matches(*pair) for pair in zip(wanted, found, strict=True))
        )
    return isinstance(wanted, bool) == isinstance(found, bool) and bool(wanted == found)


def _at(document: JSON, path: str) -> Iterator[JSON]:
    """What stands at a path, which may also be a key that has dots in it; numbers count list items from 0."""
    if isinstance(document, dict) and path in document:
        yield document[path]
    steps = path.split(".")
    value = document
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and re.fullmatch("[0-9]{1,9}", step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return
    yield value


def as_list(value: object) -> list[object]:
    """A value that may be left out, stand alone or be a list, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def status_line(response: HttpResponse) -> str:
    """The status as it is shown, e.g. `HTTP 200 OK`."""
    return f"HTTP {response.status_code} {response.reason}".rstrip()


def _shortened(value: JSON, limit: int = 120) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[:limit]}…"
