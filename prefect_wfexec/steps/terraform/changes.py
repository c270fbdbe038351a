"""What a plan would change, in a form that can be compared and kept: digests instead of values."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from prefect_wfexec.definition.model import JSON

Kind = Literal["resource", "output", "action"]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a plan.

    Attributes:
        kind: What changes: a resource, an output, or an action that is invoked.
        address: Its address, e.g. `module.a.terraform_data.x["a b"]`; for an output its name.
        action: create, update, delete, replace, read, forget, import, move or invoke.
        reason: Terraform's reason, e.g. `replace_because_tainted`.
        known: The keyed digest of each leaf value known now, by JSON pointer. Leaves under `/after` are what will be,
            under `/before` what goes; `/provisioners` stands for the code and variables its provisioners run with.
        unknown: The JSON pointers of leaves known only after apply.
    """

    kind: Kind
    address: str
    action: str
    reason: str = ""
    known: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def as_json(self) -> dict[str, JSON]:
        return {
            "kind": self.kind,
            "address": self.address,
            "action": self.action,
            "reason": self.reason,
            "known": dict(self.known),
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Everything a plan would change, and the lineage of the state it is made for (empty for a new state)."""

    lineage: str
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, JSON]:
        return {"version": 1, "lineage": self.lineage, "changes": [change.as_json() for change in self.changes]}

    def canonical(self) -> bytes:
        """The one spelling of this change set, ASCII."""
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":")).encode("ascii")

    def digest(self, key: bytes) -> str:
        """The same for two plans of unchanged code; another one when any address, action or value differs."""
        return hmac.new(key, self.canonical(), hashlib.sha256).hexdigest()


def change_set(plan: Mapping[str, Any], key: bytes, *, lineage: str = "", code_digest: str = "") -> ChangeSet:
    """The change set of a plan.

    Args:
        plan: The JSON of `show -json`, read by `load_json` so that long decimals keep every digit.
        key: Key of the digests, since values may be guessed.
        lineage: The lineage of the state the plan is made for.
        code_digest: Digest of the configuration's text. What provisioners do stands nowhere in the planned values, so
            changes of resources with provisioners carry it, together with the variables.
    """
    provisioned = _provisioned_types(plan)
    code = f"{code_digest}:{_canonical(plan.get('variables', {}))}"
    changes = [
        _resource_change(item, key, code if (item.get("type"), item.get("name")) in provisioned else None)
        for item in plan.get("resource_changes", ())
    ]
    changes += [_output_change(name, change, key) for name, change in plan.get("output_changes", {}).items()]
    changes += [_invocation(item, key) for item in plan.get("action_invocations", ())]
    real = [change for change in changes if change is not None]
    return ChangeSet(lineage, tuple(sorted(real, key=lambda change: (change.kind, change.address, change.action))))


def load_json(text: str | bytes) -> Any:
    """JSON with decimals kept exactly."""
    return json.loads(text, parse_float=Decimal)


def action_of(change: Mapping[str, Any], *, previous_address: str | None = None) -> str | None:
    """The one word for a change's actions; None for no change at all."""
    actions = list(change.get("actions", ()))
    if actions in ([], ["no-op"]):
        if change.get("importing"):
            return "import"
        return "move" if previous_address else None
    return str(actions[0]) if len(actions) == 1 else "replace"


def counts_of_plan(plan: Mapping[str, Any]) -> dict[str, int]:
    """How many resources the plan adds, changes and destroys, as terraform counts them."""
    counts = {"add": 0, "change": 0, "destroy": 0}
    for item in plan.get("resource_changes", ()):
        actions = item.get("change", {}).get("actions", ())
        if item.get("mode") == "managed":
            counts["add"] += "create" in actions
            counts["change"] += "update" in actions
            counts["destroy"] += "delete" in actions
    return counts


def _resource_change(item: Mapping[str, Any], key: bytes, code: str | None) -> Change | None:
    change = item.get("change", {})
    action = action_of(change, previous_address=item.get("previous_address"))
    if action is None:
        return None
    address = str(item.get("address"))
    if item.get("deposed"):
        address += f" (deposed {item['deposed']})"
    known, unknown = _leaves(change, address, key, is_gone=action in {"delete", "forget"})
    for name, value in (("/import", change.get("importing")), ("/moved_from", item.get("previous_address"))):
        if value:
            known[name] = _keyed(key, address, name, _canonical(value))
    if code is not None and action in {"create", "replace", "delete"}:
        known["/provisioners"] = _keyed(key, address, "/provisioners", code)
    return Change("resource", address, action, str(item.get("action_reason", "")), known, tuple(sorted(unknown)))


def _output_change(name: str, change: Mapping[str, Any], key: bytes) -> Change | None:
    action = action_of(change)
    if action is None:
        return None
    known, unknown = _leaves(change, f"output.{name}", key, is_gone=action == "delete")
    return Change("output", name, action, "", known, tuple(sorted(unknown)))


def _invocation(item: Mapping[str, Any], key: bytes) -> Change:
    address = str(item.get("address"))
    known = {
        pointer: _keyed(key, address, pointer, _canonical(value))
        for pointer, value in _walk(item.get("config_values"), None, ("config",), lambda path: path[-1])
        if value is not _UNKNOWN
    }
    unknown = _canonical(item.get("config_unknown"))
    return Change(
        "action", address, "invoke", _trigger(item), {**known, "/unknown": _keyed(key, address, "?", unknown)}
    )


def _trigger(item: Mapping[str, Any]) -> str:
    trigger = item.get("lifecycle_action_trigger") or {}
    return str(trigger.get("action_trigger_event", ""))


def _leaves(change: Mapping[str, Any], address: str, key: bytes, *, is_gone: bool) -> tuple[dict[str, str], list[str]]:
    side = "before" if is_gone else "after"
    marks = change.get(f"{side}_sensitive")
    unknowns = None if is_gone else change.get("after_unknown")
    known: dict[str, str] = {}
    unknown: list[str] = []

    def name(path: Path) -> str:
        return _segment(key, address, path, marks)

    for pointer, value in _walk(change.get(side), unknowns, (side,), name):
        if value is _UNKNOWN:
            unknown.append(pointer)
        else:
            known[pointer] = _keyed(key, address, pointer, _canonical(value))
    return known, unknown


_UNKNOWN = object()


def _walk(
    value: Any, unknown: Any, path: Path, name: Callable[[Path], str], pointer: str | None = None
) -> Iterator[tuple[str, Any]]:
    """Every leaf as (JSON pointer, value or _UNKNOWN); empty containers are leaves too."""
    here = f"/{path[0]}" if pointer is None else pointer
    if unknown is True:
        yield here, _UNKNOWN
        return
    children = list(_children(value, unknown))
    if not children:
        yield here, value
    for segment, child, child_unknown in children:
        inner = (*path, segment)
        yield from _walk(child, child_unknown, inner, name, f"{here}/{_escape(name(inner))}")


def _children(value: Any, unknown: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(value, Mapping) or (value is None and isinstance(unknown, Mapping)):
        values, unknowns = value or {}, unknown if isinstance(unknown, Mapping) else {}
        for segment in sorted({*values, *(name for name, mark in unknowns.items() if _has_unknown(mark))}):
            yield segment, values.get(segment), unknowns.get(segment)
    elif isinstance(value, list) or (value is None and isinstance(unknown, list)):
        items, marks = value or [], unknown if isinstance(unknown, list) else []
        for index in range(max(len(items), len(marks))):
            yield str(index), _at(items, index), _at(marks, index)


def _has_unknown(mark: Any) -> bool:
    if isinstance(mark, Mapping):
        return any(_has_unknown(item) for item in mark.values())
    return any(_has_unknown(item) for item in mark) if isinstance(mark, list) else mark is True


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _segment(key: bytes, address: str, path: Path, marks: Any) -> str:
    """The name of a path's last part; hidden when it is a key inside something sensitive as a whole."""
    for part in path[1:-1]:
        marks = marks.get(part) if isinstance(marks, Mapping) else _item(marks, part)
    if marks is True:
        return "~" + _keyed(key, address, "key", "/".join(path))[:16]
    return path[-1]


def _item(marks: Any, part: str) -> Any:
    if isinstance(marks, list) and part.isdecimal() and int(part) < len(marks):
        return marks[int(part)]
    return marks if marks is True else None


def _escape(segment: str) -> str:
    return segment.replace("~", "~0").replace("/", "~1")


def _keyed(key: bytes, address: str, pointer: str, value: str) -> str:
    return hmac.new(
        key, "\0".join((address, pointer, value)).encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()


def _canonical(value: Any) -> str:
    """One spelling of a JSON value; a decimal is tagged, so that it never equals the text of it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_decimal)


def _decimal(value: object) -> list[str]:
    return ["decimal", str(value)]


def _provisioned_types(plan: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(type, name) of every resource with provisioners, in any module: too many is harmless, too few is not."""
    found: set[tuple[str, str]] = set()
    modules = [plan.get("configuration", {}).get("root_module", {})]
    while modules:
        module = modules.pop()
        modules += [call.get("module", {}) for call in module.get("module_calls", {}).values()]
        found |= {(item["type"], item["name"]) for item in module.get("resources", ()) if item.get("provisioners")}
    return found
