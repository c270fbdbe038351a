"""YAML text -> plain data with the place of every key and value.

Works on libyaml's events, so that limits are counted before anything is built and nothing but text, numbers,
booleans, null, lists and objects can come out.
"""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml

from prefect_wfexec.definition import traps
from prefect_wfexec.definition.diagnostics import MAX_DIAGNOSTICS, Diagnostic, Severity, TooMany, shown
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.scalars import loses_digits, resolve_plain

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32

_Event = Any
"""An event of libyaml, which has no types of its own."""

Place = tuple[int, int]
Path = Sequence[str | int]

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Mark(Protocol):
    """Where an event starts, both counted from 0."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """What a YAML text holds.

    Attributes:
        file: The name that diagnostics carry.
        lines: The text's lines, for hints.
        data: The top value; None when the text can't be read.
        is_readable: Whether `data` may be checked further.
        diagnostics: What is wrong with the YAML itself.
    """

    file: str
    lines: list[str]
    data: JSON = None
    is_readable: bool = False
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _marks: dict[int, dict[str | int, tuple[_Mark, _Mark]]] = field(default_factory=dict)
    _unread: set[Place] = field(default_factory=set)

    def report(self, code: str, message: str, place: Place, hint: str = "", severity: Severity = "error") -> None:
        self.add(Diagnostic(self.file, *place, severity, code, message, hint))

    def add(self, found: Diagnostic) -> None:
        """Note what is wrong.

        Raises:
            TooMany: enough is wrong already.
        """
        if len(self.diagnostics) >= MAX_DIAGNOSTICS:
            raise TooMany
        self.diagnostics.append(found)

    def key_place(self, path: Path) -> Place:
        """Where the key (or list item) at `path` starts; the nearest place around it when there is none."""
        return self._place(path, 0)

    def value_place(self, path: Path) -> Place:
        """Where the value at `path` starts; the nearest place around it when there is none."""
        return self._place(path, 1)

    def is_unread(self, place: Place) -> bool:
        """Whether the value there could not be read, so that nothing more is to be said of it."""
        return place in self._unread

    def _place(self, path: Path, which: int) -> Place:
        current, place = self.data, (1, 1)
        for part in path:
            marks = self._marks.get(id(current), {}).get(part)
            if marks is None:
                break
            place = _place(marks[which])
            current = current[part]
        return place


def read_document(text: str, file: str) -> Document:
    """The text as data; what is wrong with it stands in the document's diagnostics."""
    document = Document(file, text.splitlines())
    if _is_acceptable(text, document):
        with contextlib.suppress(TooMany):
            _Composer(document).compose(text)
    return document


def _is_acceptable(text: str, document: Document) -> bool:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        document.report(
            "too-large",
            f"the definition has {size // 1024} KiB; {MAX_BYTES // 1024} KiB are the most",
            (1, 1),
            "split it into several workflows, or move long scripts into files",
        )
        return False
    if found := _FORBIDDEN.search(text):
        before = text[: found.start()]
        place = (before.count("\n") + 1, found.start() - (before.rfind("\n") + 1) + 1)
        document.report(
            "control-character", f"the character U+{ord(found[0]):04X} can't stand in a definition", place, "remove it"
        )
        return False
    return True


@dataclass(slots=True)
class _Frame:
    """A list or object that is being built."""

    value: JSON
    start: _Mark
    marks: dict[str | int, tuple[_Mark, _Mark]] = field(default_factory=dict)
    key: str | None = None
    key_mark: _Mark | None = None
    is_flow: bool = False
    drops_value: bool = False


class _Composer:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.frames: list[_Frame] = []
        self.documents = 0
        self.skipping = 0

    def compose(self, text: str) -> None:
        loader = _LOADER(text)
        try:
            while loader.check_event():
                if not self._take(loader.get_event()):
                    return
        except yaml.YAMLError as error:
            self.document.add(traps.explain(error, self.document.file, self.document.lines))
            return
        finally:
            loader.dispose()
        if self.documents == 0:
            self.document.report("empty", "the definition is empty", (1, 1), "start with 'version: 1' and a 'name'")
            return
        self.document.is_readable = True

    def _take(self, event: _Event) -> bool:
        """Use one event; False when nothing more may be read."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            return self._open(event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            return self._document(event)
        return True

    def _document(self, event: _Event) -> bool:
        self.documents += 1
        if self.documents == 1:
            return True
        self.document.report(
            "several-documents",
            "a second YAML document starts here",
            _place(event.start_mark),
            "one file holds one workflow: remove the '---' and what follows it, or make two files",
        )
        return False

    def _open(self, event: _Event) -> bool:
        if len(self.frames) + self.skipping >= MAX_DEPTH:
            self.document.report(
                "too-deep",
                f"lists and objects stand more than {MAX_DEPTH} deep",
                _place(event.start_mark),
                "make the value flatter",
            )
            return False
        self._refuse_anchor_and_tag(event)
        if self.skipping or self._is_key():
            self._skip_key(event)
            return True
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        frame = _Frame({} if is_mapping else [], event.start_mark, is_flow=bool(event.flow_style))
        self._place_value(frame.value, event.start_mark)
        self.document._marks[id(frame.value)] = frame.marks
        self.frames.append(frame)
        return True

    def _close(self) -> None:
        if self.skipping:
            self.skipping -= 1
            if self.skipping == 0:
                self.frames[-1].drops_value = True
            return
        self.frames.pop()

    def _scalar(self, event: _Event) -> None:
        if self.skipping:
            return
        text: str = event.value
        if event.anchor is not None or event.tag is not None:
            self._refuse_anchor_and_tag(event)
            self.document._unread.add(_place(event.start_mark))
        if not text.isprintable() and (found := _FORBIDDEN.search(text)):
            self.document.report(
                "control-character",
                f"the character U+{ord(found[0]):04X} can't stand in a text",
                _place(event.start_mark),
                "remove it",
            )
        if self._is_key():
            self._take_key(text, event.start_mark)
        elif event.implicit[0]:
            self._plain(text, event.start_mark)
        else:
            self._place_value(text, event.start_mark)

    def _plain(self, text: str, mark: _Mark) -> None:
        value = resolve_plain(text)
        if type(value) in {int, float} and loses_digits(text):
            self.document.report(
                "number-changes",
                f"{shown(text)} is read as the number {value}",
                _place(mark),
                f'to keep it as it is, put it in quotes: "{text}"',
                "warning",
            )
        self._place_value(value, mark)

    def _alias(self, event: _Event) -> None:
        self._report_alias(event, f"'*{event.anchor}' refers to another part of the file: aliases are not allowed")
        if self.skipping:
            return
        if self._is_key():
            self._take_key(f"*{event.anchor}", event.start_mark)
            return
        self.document._unread.add(_place(event.start_mark))
        self._place_value(None, event.start_mark)

    def _refuse_anchor_and_tag(self, event: _Event) -> None:
        if event.anchor is not None:
            self._report_alias(event, f"'&{event.anchor}' names a part of the file: anchors are not allowed")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.document.report(
                "tag",
                f"the tag {shown(tag)} can't stand in a definition",
                _place(event.start_mark),
                "remove it; put a text that begins with '!' in quotes",
            )

    def _report_alias(self, event: _Event, message: str) -> None:
        hint = "write the value out where it is needed; put a text that begins with '*' or '&' in quotes"
        self.document.report("alias", message, _place(event.start_mark), hint)

    def _is_key(self) -> bool:
        if not self.frames:
            return False
        frame = self.frames[-1]
        return isinstance(frame.value, dict) and frame.key is None and not frame.drops_value

    def _take_key(self, text: str, mark: _Mark) -> None:
        frame = self.frames[-1]
        if text in frame.value:
            first = frame.marks[text][0].line + 1
            self.document.report(
                "duplicate-key",
                f"the key {shown(text)} stands twice in one object, first in line {first}",
                _place(mark),
                "keep one of the two",
            )
        frame.key, frame.key_mark = text, mark

    def _skip_key(self, event: _Event) -> None:
        """A list or object where a key belongs: nearly always an expression without quotes."""
        if self.skipping == 0:
            self.document._unread.add(_place(self.frames[-1].start))
            is_braces = isinstance(event, yaml.MappingStartEvent) and self.frames[-1].is_flow
            self.document.add(
                traps.compound_key(_place(event.start_mark), self.document.file, self.document.lines, is_braces)
            )
        self.skipping += 1

    def _place_value(self, value: JSON, mark: _Mark) -> None:
        if not self.frames:
            self.document.data = value
            return
        frame = self.frames[-1]
        if frame.drops_value:
            frame.drops_value = False
            return
        if frame.key is None:
            frame.marks[len(frame.value)] = (mark, mark)
            frame.value.append(value)
            return
        if frame.key not in frame.value:
            frame.value[frame.key] = value
            frame.marks[frame.key] = (frame.key_mark or mark, mark)
        frame.key = None


def _place(mark: _Mark) -> Place:
    return mark.line + 1, mark.column + 1
