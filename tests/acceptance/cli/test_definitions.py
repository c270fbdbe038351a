"""`validate`, `schema` and `graph`: what a person at a definition sees, without any server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_wfexec.cli.main import run_command
from tests.support.wfexec import Wfexec, plain_environment

GOOD = """
    version: 1
    name: rotate-keys
    steps:
      - {id: fetch, run: "echo fetched"}
      - {id: check, needs: [fetch], run: "echo ok"}
      - {id: swap, needs: [fetch], run: "echo swapped"}
      - {id: tell, needs: [check, swap], when: always, run: "echo told"}
"""
BAD = """
    version: 1
    name: Rotate Keys
    steps:
      - {id: fetch, run: "echo ${{ inputs.region }}"}
      - {id: swap, needs: [fetsh], run: "echo swapped", timout: 5m}
"""


@pytest.fixture
def wfexec(tmp_path: Path) -> Wfexec:
    """No server answers here, and none is needed."""
    return Wfexec({**plain_environment(), "PREFECT_API_URL": "http://127.0.0.1:9/api"}, tmp_path)


def test_a_good_definition_is_valid(wfexec: Wfexec) -> None:
    wfexec.write("good.yaml", GOOD)
    result = wfexec("validate", "good.yaml")
    assert (result.code, result.out, result.err) == (0, "good.yaml: valid\n", "")
    assert wfexec.json("validate", "good.yaml") == []


def test_every_fault_is_told_at_once_with_its_place_and_mend(wfexec: Wfexec) -> None:
    wfexec.write("bad.yaml", BAD)
    result = wfexec("validate", "bad.yaml")
    assert result.code == 2
    assert "bad.yaml:3:" in result.out
    assert "bad.yaml:5:" in result.out
    assert "did you mean 'fetch'?" in result.out
    assert "did you mean 'timeout'?" in result.out
    assert all(": error[" in line for line in result.out.splitlines())

    found = wfexec.json("validate", "bad.yaml", code=2)
    assert len(found) == len(result.out.splitlines())
    for diagnostic in found:
        assert list(diagnostic) == ["file", "line", "column", "severity", "code", "message", "hint"]
        assert diagnostic["file"] == "bad.yaml"
        assert isinstance(diagnostic["line"], int) and isinstance(diagnostic["column"], int)
        assert diagnostic["severity"] in {"error", "warning"}


def test_many_files_and_folders(wfexec: Wfexec) -> None:
    wfexec.write("flows/a.yaml", GOOD)
    wfexec.write("flows/deep/b.yml", GOOD)
    wfexec.write("flows/notes.txt", "no definition")
    wfexec.write("bad.yaml", BAD)
    assert wfexec("validate", "flows").out.splitlines() == ["flows/a.yaml: valid", "flows/deep/b.yml: valid"]
    both = wfexec("validate", "flows/a.yaml", "bad.yaml")
    assert both.code == 2
    assert "flows/a.yaml: valid" in both.out
    assert "bad.yaml: valid" not in both.out


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nowhere.yaml", None),
        ("empty.yaml", b""),
        ("list.yaml", b"- 1\n- 2\n"),
        ("binary.yaml", bytes(range(256)) * 4),
        ("open.yaml", b"version: 1\nname: {a: [\n"),
        ("deep.yaml", b"[" * 5000),
    ],
)
def test_what_is_no_definition_is_told_so(wfexec: Wfexec, name: str, content: bytes | None) -> None:
    if content is not None:
        (wfexec.folder / name).write_bytes(content)
    result = wfexec("validate", name)
    assert (result.code, result.err) == (2, "")
    assert result.out.startswith(f"{name}:")
    assert all(": error[" in line for line in result.out.splitlines())


def test_a_folder_without_a_definition_is_no_success(wfexec: Wfexec) -> None:
    (wfexec.folder / "bare").mkdir()
    result = wfexec("validate", "bare")
    assert result.code == 2
    assert "bare" in result.err


def test_validate_is_quick_and_imports_no_prefect(wfexec: Wfexec) -> None:
    wfexec.write("good.yaml", GOOD)
    program = (
        "import sys\nfrom prefect_wfexec.cli.main import run_command\ncode = run_command(['validate', 'good.yaml'])\n"
        "loaded = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "print([name for name in ('prefect', 'prefect_shell', 'httpx', 'slack_sdk') if name in loaded])\nsys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=wfexec.folder, env=wfexec.environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["good.yaml: valid", "[]"]


def test_the_schema_is_json_schema(wfexec: Wfexec) -> None:
    result = wfexec("schema")
    assert result.code == 0
    schema = json.loads(result.out)
    assert schema["type"] == "object"
    assert "steps" in schema["properties"]
    assert "terraform.apply" in result.out


def test_the_graph_shows_steps_and_edges(wfexec: Wfexec) -> None:
    wfexec.write("good.yaml", GOOD)
    text = wfexec("graph", "good.yaml")
    assert text.code == 0
    assert all(name in text.out for name in ("fetch", "check", "swap", "tell"))
    assert "flowchart" in wfexec("graph", "good.yaml", "--format", "mermaid").out
    graph = wfexec.json("graph", "good.yaml")
    assert "tell" in json.dumps(graph)
    wfexec.write("bad.yaml", BAD)
    error = wfexec.json("graph", "bad.yaml", code=2)["error"]
    assert len(error["diagnostics"]) > 1


def test_abbreviated_flags_are_refused(wfexec: Wfexec) -> None:
    wfexec.write("good.yaml", GOOD)
    assert wfexec("validate", "good.yaml", "--js").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("validate",),
        ("run",),
        ("show",),
        ("history", "--limit", "many"),
        ("history", "--limit", "0"),
        ("history", "--since", "yesterdayish"),
        ("history", "--since", "99999999999d"),
        ("history", "--status", "Bad"),
        ("history", "--triggered-by", "Magic"),
        ("logs", "wfr_x", "--stream", "both"),
        ("run", "good.yaml", "--frob"),
    ],
)
def test_wrong_use_is_one_line_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    path = Wfexec({}, tmp_path).write("good.yaml", GOOD)
    given = [str(path) if argument == "good.yaml" else argument for argument in arguments]
    assert run_command([*given, "--json"]) == 2
    told = capsys.readouterr()
    assert len(told.err.splitlines()) == 1
    assert told.err.startswith("wfexec: ")
    error = json.loads(told.out)["error"]
    assert list(error) == ["code", "message", "hint", "diagnostics"]
    assert error["message"] in told.err
    assert "_count" not in error["message"]
