"""SARIF 2.1.0, which code hosts and editors read: written from findings, and read from what a scanner wrote."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.steps.scan.findings import SEVERITIES, Finding, Severity, what_is_odd, worst_first

VERSION = "2.1.0"
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 10_000
LONGEST_TEXT = 1_000
_LEVELS: dict[Severity, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "unknown": "warning",
}
_SCORES: dict[Severity, str] = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""The property `security-severity`, by which code hosts tell critical from high."""
_SEVERITY_OF_LEVEL: dict[str, Severity] = {"error": "high", "warning": "medium", "note": "low"}
_LEAST_SCORES: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.0, "low"))


class NotSarif(ValueError):
    """A document that is no SARIF 2.1.0."""


def to_sarif(findings: Sequence[Finding], tool: str, version: str = "") -> bytes:
    """The findings as a SARIF file; of very many the worst are in it, and it says that there are more."""
    shown = worst_first(findings)[:MOST_RESULTS]
    rules: dict[str, Finding] = {}
    for finding in shown:
        rules.setdefault(finding.rule, finding)
    places = {rule: place for place, rule in enumerate(rules)}
    driver: dict[str, JSON] = {"name": tool, "rules": [_rule(one) for one in rules.values()]}
    if version:
        driver["version"] = version
    run: dict[str, JSON] = {
        "tool": {"driver": driver},
        "results": [_result(one, places[one.rule]) for one in shown],
        "columnKind": "utf16CodeUnits",
    }
    if len(shown) < len(findings):
        run["properties"] = {"findings": len(findings), "shown": len(shown)}
    document = {"$schema": SCHEMA, "version": VERSION, "runs": [run]}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode(errors="replace")


def is_sarif(document: JSON) -> bool:
    """Whether a JSON document says that it is SARIF."""
    return isinstance(document, Mapping) and "runs" in document and "version" in document


def read_sarif(document: JSON) -> list[Finding]:
    """The findings of a SARIF document: not what passed, and not what was suppressed.

    Raises:
        NotSarif: it is not what SARIF 2.1.0 has to be.
    """
    try:
        if document["version"] != VERSION:
            raise NotSarif(f"version {VERSION} of SARIF is read, and this is {str(document['version'])[:20]!r}")
        return [finding for run in _list(document["runs"]) for finding in _of_run(run)]
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as fault:
        if isinstance(fault, NotSarif):
            raise
        raise NotSarif(f"it is not what SARIF {VERSION} has to be: {what_is_odd(fault)}"[:200]) from None


def _rule(finding: Finding) -> dict[str, JSON]:
    rule: dict[str, JSON] = {
        "id": finding.rule,
        "shortDescription": {"text": _cut(finding.title or finding.rule)},
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
    }
    if finding.link.startswith(("https://", "http://")):
        rule["helpUri"] = quote(finding.link, safe=":/?#[]@!$&'()*+,;=%~-._")
    if finding.severity in _SCORES:
        rule["properties"] = {"security-severity": _SCORES[finding.severity], "tags": ["security"]}
    return rule


def _result(finding: Finding, rule: int) -> dict[str, JSON]:
    result: dict[str, JSON] = {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": _cut(finding.message) or finding.rule},
        "partialFingerprints": {"wfexec/v1": _fingerprint(finding)},
        "properties": {"severity": finding.severity},
    }
    if finding.severity in _SCORES:
        result["properties"]["security-severity"] = _SCORES[finding.severity]
    if finding.file:
        place: dict[str, JSON] = {"artifactLocation": {"uri": quote(finding.file, safe="/")}}
        if finding.line > 0:
            place["region"] = {"startLine": finding.line}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _fingerprint(finding: Finding) -> str:
    """What stays when lines move, where something else tells the finding apart; never made of a secret."""
    parts = (finding.rule, finding.file, finding.identity or str(finding.line), finding.message)
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _of_run(run: Mapping[str, Any]) -> Iterator[Finding]:
    driver = run["tool"]["driver"]
    driver["name"].strip()
    rules = _list(driver.get("rules") or [])
    by_id = {rule["id"]: rule for rule in rules}
    for result in _list(run.get("results") or []):
        if result.get("kind", "fail") != "fail" or _is_suppressed(result):
            continue
        rule_id = result.get("ruleId") or result.get("rule", {}).get("id") or _by_index(rules, result).get("id")
        rule = by_id.get(rule_id) or _by_index(rules, result)
        found = _severity(result, rule)
        if found is None:
            continue
        file, line = _place(result)
        text = str(result["message"].get("text") or result["message"].get("markdown") or rule_id or "a finding")
        title = str((rule.get("shortDescription") or {}).get("text") or rule.get("name") or "")
        yield Finding(found, str(rule_id or "unnamed"), " ".join(text.split()), file, line, title)


def _severity(result: Mapping[str, Any], rule: Mapping[str, Any]) -> Severity | None:
    """A finding's own word says most, then its security score or its rule's; None for what has the level `none`."""
    word = (result.get("properties") or {}).get("severity")
    if word in SEVERITIES:
        return cast("Severity", word)
    for properties in (result.get("properties") or {}, rule.get("properties") or {}):
        if "security-severity" in properties:
            score = float(properties["security-severity"])
            return next((severity for least, severity in _LEAST_SCORES if score >= least), "unknown")
    level = result.get("level") or (rule.get("defaultConfiguration") or {}).get("level") or "warning"
    return None if level == "none" else _SEVERITY_OF_LEVEL.get(str(level), "unknown")


def _by_index(rules: list[Any], result: Mapping[str, Any]) -> Mapping[str, Any]:
    index = result.get("ruleIndex", (result.get("rule") or {}).get("index", -1))
    return rules[index] if isinstance(index, int) and 0 <= index < len(rules) else {}


def _is_suppressed(result: Mapping[str, Any]) -> bool:
    return any(one.get("status", "accepted") == "accepted" for one in result.get("suppressions") or ())


def _place(result: Mapping[str, Any]) -> tuple[str, int]:
    for location in result.get("locations") or ():
        physical = location.get("physicalLocation") or {}
        uri = (physical.get("artifactLocation") or {}).get("uri")
        if uri:
            return str(uri), int((physical.get("region") or {}).get("startLine") or 0)
    return "", 0


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise NotSarif("a list is missing")
    return value
