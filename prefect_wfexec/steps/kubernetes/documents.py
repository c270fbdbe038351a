"""Kubernetes YAML, strictly: many documents, no aliases, no tags, nothing twice, limits counted while reading."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from prefect_wfexec.definition.model import JSON

MAX_DEPTH = 64
MAX_NODES = 200_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_AMBIGUOUS = frozenset({"yes", "no", "on", "off"})
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_OCTAL = re.compile(r"0o?([0-7]+)", re.ASCII)
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]+)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)


class NotYaml(Exception):
    """A text that is no strict YAML.

    Attributes:
        line: Where, counted from 1.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document of a text, and the line it starts at."""

    value: JSON
    line: int


def read_documents(text: str) -> list[YamlDocument]:
    """The documents of a text that hold something.

    Numbers and booleans are read as Kubernetes reads them: `0644` is octal; `yes`, `no`, `on` and `off`, which its
    tools take for booleans, have to be written as `true`, `false` or in quotes.

    Raises:
        NotYaml: the text is no YAML, or not strict.
    """
    loader = _LOADER(text)
    try:
        return list(_Reader(loader).documents())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        words = getattr(error, "problem", None) or "it is no YAML"
        raise NotYaml(str(words), (mark.line if mark is not None else 0) + 1) from None
    finally:
        loader.dispose()


class _Reader:
    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._nodes = 0

    def documents(self) -> Iterator[YamlDocument]:
        while self._loader.check_event():
            event = self._loader.get_event()
            if isinstance(event, yaml.DocumentStartEvent):
                first = self._loader.get_event()
                value = self._value(first, 0)
                if value is not None:
                    yield YamlDocument(value, first.start_mark.line + 1)

    def _value(self, event: Any, depth: int) -> JSON:
        self._check(event, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(depth)
        return _scalar(event)

    def _check(self, event: Any, depth: int) -> None:
        line = event.start_mark.line + 1
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise NotYaml(f"it holds more than {MAX_NODES} values", line)
        if depth > MAX_DEPTH:
            raise NotYaml(f"lists and objects stand more than {MAX_DEPTH} deep", line)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise NotYaml("anchors and aliases are not read: write the value out", line)
        if getattr(event, "tag", None) is not None:
            raise NotYaml(f"the tag {event.tag} is not read: quote the value instead", line)

    def _mapping(self, depth: int) -> JSON:
        result: dict[str, JSON] = {}
        while not isinstance(event := self._loader.get_event(), yaml.MappingEndEvent):
            self._check(event, depth)
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise NotYaml("a key is a text, not a list or object", line)
            key = event.value
            if event.implicit[0] and key == "<<":
                raise NotYaml("'<<' merges nothing here: write the values out", line)
            if key in result:
                raise NotYaml(f"the key '{key}' stands here twice", line)
            result[key] = self._value(self._loader.get_event(), depth + 1)
        return result

    def _sequence(self, depth: int) -> JSON:
        result: list[JSON] = []
        while not isinstance(event := self._loader.get_event(), yaml.SequenceEndEvent):
            result.append(self._value(event, depth + 1))
        return result


def _scalar(event: Any) -> JSON:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if text in _NULL:
        return None
    if text.lower() in _AMBIGUOUS:
        words = f"'{text}' may mean a text or a boolean: write true or false, or put it in quotes"
        raise NotYaml(words, event.start_mark.line + 1)
    return _number(text)


def _number(text: str) -> JSON:
    if len(text) > 40 or text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if found := _OCTAL.fullmatch(text):
        return int(found[1], 8)
    if found := _HEXADECIMAL.fullmatch(text):
        return int(found[1], 16)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else text
    return text


def size_of(value: JSON) -> int:
    """How many bytes a value takes as JSON."""
    return len(json.dumps(value, separators=(",", ":")).encode())
