"""SARIF written and read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.steps.scan import sarif
from prefect_wfexec.steps.scan.findings import SEVERITIES, Finding, counted, failing, in_words, severity_named
from prefect_wfexec.steps.scan.sarif import NotSarif, read_sarif, to_sarif
from tests.support.sarif import valid_sarif

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
findings = st.builds(
    Finding,
    severity=st.sampled_from(SEVERITIES),
    rule=texts,
    message=texts,
    file=texts | st.just(""),
    line=st.integers(0, 10_000),
    title=texts | st.just(""),
    link=texts | st.sampled_from(["", "https://example.com/ä b", "javascript:alert(1)"]),
)


@given(st.lists(findings, max_size=8))
def test_what_is_written_is_valid_and_reads_back(found: list[Finding]) -> None:
    data = to_sarif(found, "tool", "1.2")
    run = valid_sarif(data)
    assert len(run["results"]) == len(found)
    assert all(rule.get("helpUri", "https:").startswith("https:") for rule in run["tool"]["driver"]["rules"])
    again = read_sarif(json.loads(data))
    assert counted(again) == counted(found)


def test_a_finding_of_unknown_severity_does_not_take_that_of_another_by_the_same_rule() -> None:
    found = [Finding("critical", "r", "a"), Finding("unknown", "r", "b")]
    assert counted(read_sarif(json.loads(to_sarif(found, "tool")))) == counted(found)


def test_of_very_many_the_worst_are_shown_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 2)
    found = [Finding("low", "a", "x"), Finding("critical", "b", "x"), Finding("high", "c", "x")]
    run = valid_sarif(to_sarif(found, "tool"))
    assert [one["ruleId"] for one in run["results"]] == ["b", "c"]
    assert run["properties"] == {"findings": 3, "shown": 2}


def result(**more: Any) -> dict[str, Any]:
    return {"ruleId": "r", "message": {"text": "m"}, **more}


def document(*results: Any, rules: Any = (), version: str = "2.1.0") -> dict[str, Any]:
    return {
        "version": version,
        "runs": [{"tool": {"driver": {"name": "t", "rules": list(rules)}}, "results": [*results]}],
    }


@pytest.mark.parametrize(
    ("one", "rule", "severity"),
    [
        ({}, {}, "medium"),
        ({"level": "error"}, {}, "high"),
        ({"level": "note"}, {}, "low"),
        ({}, {"defaultConfiguration": {"level": "error"}}, "high"),
        ({"level": "note"}, {"properties": {"security-severity": "9.8"}}, "critical"),
        ({"properties": {"security-severity": 7.0}}, {}, "high"),
        ({"properties": {"security-severity": "5"}}, {}, "medium"),
        ({"properties": {"security-severity": "0.1"}}, {}, "low"),
    ],
)
def test_severities_that_are_read(one: dict[str, Any], rule: dict[str, Any], severity: str) -> None:
    [found] = read_sarif(document(result(**one), rules=[{"id": "r", **rule}]))
    assert found.severity == severity


@pytest.mark.parametrize(
    "one",
    [
        {"level": "none"},
        {"kind": "pass"},
        {"kind": "notApplicable"},
        {"suppressions": [{"kind": "inSource"}]},
        {"suppressions": [{"kind": "external", "status": "accepted"}]},
    ],
)
def test_what_is_no_finding(one: dict[str, Any]) -> None:
    assert read_sarif(document(result(**one))) == []


def test_a_suppression_that_was_rejected_suppresses_nothing() -> None:
    assert len(read_sarif(document(result(suppressions=[{"kind": "external", "status": "rejected"}])))) == 1


def test_the_place_and_the_rule_by_index() -> None:
    place = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}}
    one = {"message": {"text": "m\nn"}, "ruleIndex": 0, "locations": [{}, place]}
    [found] = read_sarif(document(one, rules=[{"id": "r", "shortDescription": {"text": "about"}}]))
    assert (found.rule, found.file, found.line, found.title, found.message) == ("r", "a.py", 3, "about", "m n")


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"version": "2.1.0"},
        document(version="2.0.0"),
        {"version": "2.1.0", "runs": {}},
        {"version": "2.1.0", "runs": [{}]},
        {"version": "2.1.0", "runs": [None]},
        document({"ruleId": "r"}),
        document(result(properties={"security-severity": "high"})),
        document("text"),
        [],
        None,
    ],
)
def test_what_is_no_sarif_is_refused(odd: Any) -> None:
    with pytest.raises(NotSarif):
        read_sarif(odd)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["version", "runs", "tool", "driver", "results", "rules", "message", "level"]), inner
            )
        ),
    )
)
def test_nothing_but_its_own_error_is_raised(value: Any) -> None:
    try:
        read_sarif(value)
        read_sarif({"version": "2.1.0", "runs": value})
        read_sarif(document(value))
    except NotSarif:
        pass


ONE_EACH = [Finding(severity, "r", "m") for severity in SEVERITIES]


@pytest.mark.parametrize(
    ("fail_on", "severities"),
    [
        ("any", {"critical", "high", "medium", "low", "unknown"}),
        ("low", {"critical", "high", "medium", "low", "unknown"}),
        ("medium", {"critical", "high", "medium"}),
        ("high", {"critical", "high"}),
        ("critical", {"critical"}),
        ("never", set()),
    ],
)
def test_what_fails_a_step(fail_on: Any, severities: set[str]) -> None:
    assert {finding.severity for finding in failing(ONE_EACH, fail_on)} == severities


def test_words() -> None:
    assert in_words(counted([])) == "no findings"
    assert in_words(counted([ONE_EACH[1], ONE_EACH[1], ONE_EACH[0]])) == "1 critical, 2 high"
    assert [severity_named(word) for word in ("CRITICAL", "Moderate", "negligible", "what?", None)] == [
        "critical",
        "medium",
        "low",
        "unknown",
        "unknown",
    ]
