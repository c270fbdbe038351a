"""Paths in a run's folder, as the journal holds them: without what differs from one machine to another."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prefect_wfexec.definition.model import JSON

MARK = "workspace:/"
"""What the run's folder is called in the journal and in views."""

Place = tuple[str, ...]
"""Where a value stands in the outputs: keys, and numbers in lists."""


def portable(outputs: Mapping[str, JSON], root: Path) -> tuple[dict[str, JSON], tuple[Place, ...]]:
    """The outputs with every path into `root` in its portable form, and where those stand."""
    places: list[Place] = []
    changed = _changed(dict(outputs), str(root), (), places)
    return changed, tuple(places)


def local(outputs: Mapping[str, JSON], places: Iterable[Place], root: Path) -> Mapping[str, JSON]:
    """The outputs with this machine's paths at `places`."""
    found: Any = outputs
    for place in places:
        found = _replaced(found, place, root)
    return dict(found) if found is not outputs else outputs


def local_path(value: JSON, root: Path) -> Path | None:
    """The path that a portable form stands for here; None when it is none, or leads outside."""
    if not isinstance(value, str) or not value.startswith(MARK):
        return None
    parts = value.removeprefix(MARK).split("/")
    return None if ".." in parts else root.joinpath(*parts)


def _changed(value: Any, root: str, place: Place, places: list[Place]) -> Any:
    if isinstance(value, str):
        if value != root and not value.startswith(f"{root}/"):
            return value
        places.append(place)
        return MARK + value[len(root) + 1 :]
    if isinstance(value, Mapping):
        return {key: _changed(item, root, (*place, str(key)), places) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, root, (*place, str(number)), places) for number, item in enumerate(value)]
    return value


def _replaced(value: Any, place: Place, root: Path) -> Any:
    if not place:
        path = local_path(value, root)
        return value if path is None else str(path)
    first, rest = place[0], place[1:]
    if isinstance(value, Mapping) and first in value:
        return {**value, first: _replaced(value[first], rest, root)}
    if isinstance(value, list) and first.isdecimal() and int(first) < len(value):
        number = int(first)
        return [*value[:number], _replaced(value[number], rest, root), *value[number + 1 :]]
    return value
