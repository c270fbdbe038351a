"""`run` to its end, and what `show`, `outputs`, `history` and `audit` say of the run afterwards."""

import json
import re
import shlex
import subprocess
from typing import Any

import pytest

from prefect_wfexec.cli.main import run_command
from tests.support.server import PrefectServer
from tests.support.shapes import HISTORY_ROW, assert_execution, assert_shape
from tests.support.wfexec import COMMAND, Wfexec

EVERYTHING = """
    version: 1
    name: nightly-report
    description: Everything a plain run can meet.
    inputs:
      region: {type: string, enum: [eu, us], default: eu}
      rows: {type: integer, default: 3}
      ratio: {type: number, default: 0.25}
      dry: {type: boolean, default: true}
      hosts: {type: array, default: [a, b]}
      limits: {type: object, default: {cpu: {max: 2}}}
      label: {type: string}
    steps:
      - id: extract
        run: |
          echo "rows=$ROWS"
          echo "a warning" >&2
          printf 'count=%s\\n' "$ROWS" >> "$WFEXEC_OUTPUT"
        env: {ROWS: "${{ inputs.rows * inputs.limits.cpu.max }}"}
      - {id: north, needs: [extract], run: "until test -e south.mark; do sleep 0.05; done; touch north.mark"}
      - {id: south, needs: [extract], run: "touch south.mark; until test -e north.mark; do sleep 0.05; done"}
      - id: flaky
        name: Flaky Part
        needs: [north, south]
        run: 'echo "try $WFEXEC_ATTEMPT"; test "$WFEXEC_ATTEMPT" -ge 3'
        retry: {attempts: 3, delay: 1s}
      - {id: publish, if: "!inputs.dry", run: "exit 9"}
      - {id: lint, run: "echo untidy >&2; exit 4", on_failure: continue}
      - {id: mend, when: failure, run: "echo mending"}
      - {id: after, run: 'echo "$SEEN"', env: {SEEN: "${{ steps.lint.status }} ${{ steps.publish.status }}"}}
      - {id: undo, when: cancelled, run: "exit 1"}
      - {id: tell, when: always, run: 'echo "$HOW"', env: {HOW: "${{ workflow.name }} ${{ run.status }}"}}
    outputs:
      count: "${{ steps.extract.outputs.count }}"
      doubled: "${{ inputs.rows * 2 }}"
      ratio: "${{ inputs.ratio }}"
      dry: "${{ inputs.dry }}"
      hosts: "${{ inputs.hosts }}"
      first: "first is ${{ inputs.hosts[0] }} of ${{ size(inputs.hosts) }}"
      limits: "${{ inputs.limits }}"
      nothing: "${{ steps.publish.outputs.stdout }}"
"""
FAILING = """
    version: 1
    name: broken-load
    steps:
      - {id: fetch, run: "echo fetched"}
      - {id: load, name: Load Table, run: "echo 'relation does not exist' >&2; exit 17"}
      - {id: index, run: "echo indexed"}
      - {id: page, when: failure, run: "echo paging"}
      - {id: done, run: "echo done"}
"""


@pytest.fixture(scope="module")
def everything(wfexec: Wfexec) -> dict[str, Any]:
    wfexec.write("everything.yaml", EVERYTHING)
    inputs = ["-i", "rows=5", "-i", "label=x=y", "-i", 'hosts=["c", 2]', "--input", "dry=true"]
    result = wfexec("run", "everything.yaml", *inputs, "--json")
    assert result.code == 0, result.err
    assert result.err.startswith("Run wfr_")
    view = result.json()
    assert view["name"] == result.run
    return view


@pytest.fixture(scope="module")
def failing(wfexec: Wfexec) -> tuple[str, str]:
    """The name and the whole output of a run that failed."""
    wfexec.write("failing.yaml", FAILING)
    result = wfexec("run", "failing.yaml")
    assert result.code == 1
    return result.run, result.out


def test_a_run_has_every_key_of_its_shape(everything: dict[str, Any]) -> None:
    assert_execution(everything)
    assert everything["status"] == "Succeeded"
    assert everything["triggered_by"] == "Manual"
    assert everything["user"] == "jane"
    assert everything["trigger"]["type"] == "manual"
    assert re.fullmatch(r"[0-9a-f]{64}", everything["definition_digest"])
    assert everything["triggered_at"] <= everything["started"] <= everything["ended"]


def test_inputs_are_typed(everything: dict[str, Any]) -> None:
    assert everything["inputs"] == {
        "region": "eu",
        "rows": 5,
        "ratio": 0.25,
        "dry": True,
        "hosts": ["c", 2],
        "limits": {"cpu": {"max": 2}},
        "label": "x=y",
    }


def test_outputs_keep_their_types(everything: dict[str, Any]) -> None:
    assert everything["outputs"] == {
        "count": "10",
        "doubled": 10,
        "ratio": 0.25,
        "dry": True,
        "hosts": ["c", 2],
        "first": "first is c of 2",
        "limits": {"cpu": {"max": 2}},
        "nothing": None,
    }


def test_each_step_ended_as_its_definition_says(everything: dict[str, Any]) -> None:
    steps = {step["id"]: step for step in everything["steps"]}
    assert {name: step["status"] for name, step in steps.items()} == {
        "extract": "Success",
        "north": "Success",
        "south": "Success",
        "flaky": "Success",
        "publish": "Skipped",
        "lint": "Failed",
        "mend": "Success",
        "after": "Success",
        "undo": "Skipped",
        "tell": "Success",
    }
    assert steps["flaky"]["attempt"] == 3
    assert steps["flaky"]["name"] == "Flaky Part"
    assert steps["extract"]["outputs"]["count"] == "10"
    assert steps["after"]["outputs"]["stdout"] == "Failed Skipped\n"
    assert steps["tell"]["outputs"]["stdout"] == "nightly-report Succeeded\n"
    assert steps["lint"]["error"]["exit_code"] == 4
    assert steps["lint"]["error"]["type"] == "exit_code"
    assert "untidy" in steps["lint"]["error"]["tail"]
    assert "!inputs.dry" in steps["publish"]["reason"]
    assert steps["publish"]["started"] is None and steps["publish"]["duration_seconds"] is None
    assert steps["south"]["needs"] == ["extract"]


def test_show_tells_the_same_by_name_and_by_id(wfexec: Wfexec, everything: dict[str, Any]) -> None:
    by_name = wfexec.json("show", everything["name"])
    assert by_name == everything
    assert wfexec.json("show", everything["id"]) == by_name


def test_outputs_prints_the_outputs(wfexec: Wfexec, everything: dict[str, Any]) -> None:
    assert wfexec.json("outputs", everything["name"]) == everything["outputs"]


def test_audit_verifies(wfexec: Wfexec, everything: dict[str, Any]) -> None:
    view = wfexec.json("audit", everything["name"])
    assert view["verified"] is True and view["keyed"] is True
    assert view["head"] == view["entries"][-1]["digest"]
    kinds = [fact["kind"] for entry in view["entries"] for fact in entry["facts"]]
    assert kinds[0] == "opened" and kinds[-1] == "closed"
    assert kinds.count("step_started") == 10
    text = wfexec("audit", everything["name"])
    assert text.code == 0
    assert text.out.splitlines()[-1].startswith("verified; ")


def test_the_summary_has_the_products_form(wfexec: Wfexec, everything: dict[str, Any]) -> None:
    lines = wfexec("show", everything["name"]).out.splitlines()
    assert lines[0] == "Execution Summary"
    header = {key: value.strip() for key, _, value in (line.partition(":") for line in lines[1:6])}
    assert re.fullmatch(r"(\d+m )?\d+s \(including retry\)", header.pop("Total Duration"))
    assert header == {
        "Workflow": "nightly-report",
        "Run ID": everything["name"],
        "Status": "Completed ✓",
        "Triggered": "Manual (jane)",
    }
    steps = [line for line in lines if re.match(r" ?\d+\. ", line)]
    assert re.fullmatch(r" 1\. Extract +✓ \d+s", steps[0])
    assert re.fullmatch(r" 4\. Flaky Part ✓ \d+s ← Retry succeeded", steps[3])
    assert re.fullmatch(r" 5\. Publish +⊘ Skipped", steps[4])
    assert re.fullmatch(r" 6\. Lint +✗ \d+s ← FAILED", steps[5])
    assert re.fullmatch(r"10\. Tell +✓ \d+s", steps[9])
    assert any(line.strip().startswith("└─ ") for line in lines)
    assert not any(line.endswith(":") for line in lines if "└─" in line)


def test_a_failed_run_tells_what_failed_and_what_to_do(failing: tuple[str, str]) -> None:
    name, out = failing
    lines = out.splitlines()
    assert lines[0] == f"Run {name}"
    assert "Status:    Failed ✗" in lines
    assert any(re.fullmatch(r"Duration:  (\d+m )?\d+s", line) for line in lines)
    assert any(re.fullmatch(r"2\. Load Table ✗ \d+s ← FAILED", line) for line in lines)
    assert any(re.fullmatch(r"3\. Index +⊘ Skipped", line) for line in lines)
    assert any(re.fullmatch(r"4\. Page +✓ \d+s", line) for line in lines)
    assert any(re.fullmatch(r"5\. Done +⊘ Skipped", line) for line in lines)
    details = lines[lines.index("Error Details") :]
    assert details[1:3] == ["Step: Load Table (load)", "Status: Failed"]
    assert "Exit Code: 17" in details
    assert sum("relation does not exist" in line for line in details) == 1
    assert any(f"wfexec logs {name} --step load" in line for line in details)


def test_every_action_that_is_offered_exists(wfexec: Wfexec, failing: tuple[str, str]) -> None:
    offered = set(re.findall(r"\bwfexec ([a-z]+)", failing[1]))
    assert offered
    known = wfexec("--help").out
    assert [name for name in offered if not re.search(rf"^ +{name}\b", known, re.MULTILINE)] == []


def test_history_has_every_key_of_its_shape(
    wfexec: Wfexec, everything: dict[str, Any], failing: tuple[str, str]
) -> None:
    rows = wfexec.json("history")
    for row in rows:
        assert_shape(row, HISTORY_ROW)
    names = [row["name"] for row in rows]
    assert failing[0] in names
    triggered = [row["triggered_at"] for row in rows]
    assert triggered == sorted(triggered, reverse=True)
    mine = rows[names.index(everything["name"])]
    assert {key: mine[key] for key in ("id", "workflow", "status", "triggered_by", "user")} == {
        "id": everything["id"],
        "workflow": "nightly-report",
        "status": "Succeeded",
        "triggered_by": "Manual",
        "user": "jane",
    }
    assert mine["duration_seconds"] == pytest.approx(everything["duration_seconds"], abs=1)


def test_history_filters(
    api: PrefectServer,
    everything: dict[str, Any],
    failing: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for flags, finds_everything, finds_failing in (
        ("--status success", True, False),
        ("--status COMPLETED", True, False),
        ("--status Failed", False, True),
        ("--status terminated", False, False),
        ("--status all --user jane --triggered-by manual", True, True),
        ("--triggered-by Git", False, False),
        ("--workflow broken-load", False, True),
        ("--user nobody", False, False),
        ("--since 24h --search NIGHTLY", True, False),
        ("--since 2200-01-01", False, False),
        ("--until 2020-01-31", False, False),
    ):
        assert run_command(["history", *flags.split(), "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        names = {row["name"] for row in rows}
        assert (everything["name"] in names, failing[0] in names) == (finds_everything, finds_failing), flags


def test_history_as_a_table(wfexec: Wfexec, failing: tuple[str, str]) -> None:
    lines = wfexec("history", "--workflow", "broken-load", "--limit", "1").out.splitlines()
    titles = ["Run", "ID", "Workflow", "Status", "Triggered", "By", "User", "Started", "Duration", "Report"]
    assert lines[0].split() == titles
    assert len(lines) == 2
    assert lines[1].split()[:3] == [failing[0], "broken-load", "Failed"]


def test_an_unknown_run_is_2(api: PrefectServer, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("show", "outputs", "logs", "audit", "approve"):
        assert run_command([command, "wfr_neverwas00", "--json"]) == 2
        error = json.loads(capsys.readouterr().out)["error"]
        assert error["code"] == "unknown-run"
        assert "wfr_neverwas00" in error["message"]
    assert run_command(["show", "11111111-1111-4111-8111-111111111111"]) == 2


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        (["label=a", "lable=b"], "lable"),
        ([], "label"),
        (["label=a", "rows=many"], "rows"),
        (["label=a", "rows=1.5"], "rows"),
        (["label=a", "region=mars"], "region"),
        (["label=a", "dry=perhaps"], "dry"),
        (["label=a", "hosts={}"], "hosts"),
        (["label=a", "limits=[1]"], "limits"),
        (["label=a", "ratio=NaN"], "ratio"),
        (["label=a", 'limits={"$ref": "x"}'], "$ref"),
        (["label"], "label"),
    ],
)
def test_wrong_inputs_are_2_and_start_nothing(
    wfexec: Wfexec, capsys: pytest.CaptureFixture[str], inputs: list[str], named: str
) -> None:
    path = wfexec.write("everything.yaml", EVERYTHING)
    flags = [flag for pair in inputs for flag in ("-i", pair)]
    assert run_command(["run", str(path), *flags, "--json"]) == 2
    told = capsys.readouterr()
    assert named in json.loads(told.out)["error"]["message"]
    assert "Run wfr_" not in told.err


def test_a_bad_definition_is_2_with_every_diagnostic(wfexec: Wfexec) -> None:
    wfexec.write("bad.yaml", "version: 1\nname: Bad Name\nsteps:\n  - {id: a, ran: x}\n  - {id: a, run: y}\n")
    error = wfexec.json("run", "bad.yaml", code=2)["error"]
    assert len(error["diagnostics"]) >= 3
    assert wfexec("run", "nowhere.yaml").code == 2


def test_an_api_that_does_not_answer_is_5_in_one_line(wfexec: Wfexec) -> None:
    wfexec.write("failing.yaml", FAILING)
    away = wfexec.with_environment(PREFECT_API_URL="http://127.0.0.1:9/api")
    for arguments in (("run", "failing.yaml"), ("history",), ("approve", "wfr_x")):
        result = away(*arguments, "--json")
        assert result.code == 5
        assert len(result.err.splitlines()) == 1, result.err
        assert result.json()["error"]["code"] == "unreachable"
        assert "127.0.0.1:9" in result.json()["error"]["message"]


@pytest.mark.shows("trouble.timeout")
def test_a_step_that_takes_too_long_is_stopped(wfexec: Wfexec) -> None:
    wfexec.write(
        "slow.yaml",
        """
        version: 1
        name: slow-step
        steps:
          - {id: stuck, run: "echo begun; sleep 300", timeout: 1s}
          - {id: never, run: "true"}
        """,
    )
    view = wfexec.json("run", "slow.yaml", code=1)
    assert view["status"] == "Failed"
    stuck, never = view["steps"]
    assert stuck["error"]["type"] == "timeout"
    assert "begun" in stuck["error"]["tail"]
    assert never["status"] == "Skipped"
    assert view["duration_seconds"] < 60


def test_an_expression_that_fails_fails_its_step_with_a_mend(wfexec: Wfexec) -> None:
    wfexec.write(
        "expression.yaml",
        """
        version: 1
        name: bad-expression
        steps:
          - {id: first, run: "echo a=1 >> $WFEXEC_OUTPUT"}
          - {id: second, run: "true", env: {X: "${{ steps.first.outputs.b }}"}}
        """,
    )
    result = wfexec("run", "expression.yaml")
    assert result.code == 1
    assert "Traceback" not in result.out + result.err
    assert "outputs.b" in result.out


def test_a_retry_without_a_delay_is_tried_at_once(wfexec: Wfexec) -> None:
    wfexec.write(
        "at-once.yaml",
        """
        version: 1
        name: at-once
        steps:
          - {id: a, run: 'test "$WFEXEC_ATTEMPT" = 2', retry: {attempts: 2, delay: 0s}}
        """,
    )
    ended = wfexec.start("run", "at-once.yaml", "--json").end(60)
    assert ended.code == 0
    assert ended.json()["steps"][0]["attempt"] == 2


def test_a_reader_that_goes_away_takes_no_run_down(wfexec: Wfexec) -> None:
    wfexec.write(
        "chatty.yaml",
        """
        version: 1
        name: chatty
        steps:
          - {id: talk, run: "until test -e gone.mark; do sleep 0.05; done; seq 1 5000"}
          - {id: after, run: "echo after"}
        """,
    )
    # The reader leaves after the first line; the exit code is the run's all the same.
    script = f"{shlex.join(COMMAND)} run chatty.yaml | head -n 1; echo ${{PIPESTATUS[0]}}"
    piped = subprocess.Popen(
        ["bash", "-c", script], cwd=wfexec.folder, env=wfexec.environment, stdout=subprocess.PIPE, text=True
    )
    assert piped.stdout is not None
    name = piped.stdout.readline().split()[1]
    wfexec.write("gone.mark", "")
    assert piped.communicate(timeout=120)[0] == "0\n"
    assert wfexec.json("show", name)["status"] == "Succeeded"
