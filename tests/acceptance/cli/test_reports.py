"""Scans and reports as a person at the command line sees them, and files of a run that another machine takes up."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.sarif import valid_sarif
from tests.support.wfexec import Wfexec

pytest.importorskip("detect_secrets", reason="needs detect-secrets: pip install 'prefect-wfexec[scan]'")

KEY = "AKIA" + "QYLPMN5HFIQR7XYA"
DEFINITION = """
    version: 1
    name: scanned
    steps:
      - {id: secrets, uses: scan.detect_secrets, with: {path: src}}
      - id: own
        uses: scan.script
        when: always
        with: {fail_on: any}
        on_failure: continue
        env: {TOKEN: "a-token-of-somebody"}
        run: |
          echo '[{"severity": "low", "rule": "todo", "message": "see <b>this</b>", "file": "a.py"}]' > "$WFEXEC_REPORT"
      - {id: deploy, needs: [secrets], run: echo deployed}
    outputs: {counts: "${{ steps.secrets.outputs.counts }}"}
"""


@pytest.fixture(scope="module")
def scanned(wfexec: Wfexec) -> dict[str, Any]:
    wfexec.write("scanned.yaml", DEFINITION)
    wfexec.write("src/settings.py", f'aws = "{KEY}"\n')
    found: dict[str, Any] = wfexec.json("run", "scanned.yaml", code=1)
    return found


def test_a_planted_secret_stops_the_run_and_leaves_its_reports(wfexec: Wfexec, scanned: dict[str, Any]) -> None:
    status = {step["id"]: step["status"] for step in scanned["steps"]}
    assert status == {"secrets": "Failed", "own": "Failed", "deploy": "Skipped"}
    assert scanned["steps"][0]["error"]["type"] == "findings"
    assert scanned["outputs"]["counts"]["high"] == 1
    listed = [(one["step"], one["name"], one["kind"]) for one in scanned["reports"]]
    assert listed == [
        ("secrets", "detect-secrets.json", "json"),
        ("secrets", "detect-secrets.sarif", "sarif"),
        ("own", "own.json", "json"),
        ("own", "own.sarif", "sarif"),
    ]
    assert wfexec.json("reports", scanned["name"]) == scanned["reports"]
    shown = wfexec("reports", scanned["name"]).out.splitlines()
    assert shown[0].split() == ["Step", "Report", "Kind", "Size"]
    assert shown[2].split()[:3] == ["secrets", "detect-secrets.sarif", "sarif"]


def test_they_are_written_into_a_folder_and_nothing_is_overwritten(
    wfexec: Wfexec, scanned: dict[str, Any], tmp_path: Path
) -> None:
    target = tmp_path / "new" / "reports"
    rows = wfexec.json("reports", scanned["name"], "--download", target)
    files = {Path(row["file"]).name: Path(row["file"]).read_bytes() for row in rows}
    assert sorted(files) == [
        "own-own.json",
        "own-own.sarif",
        "secrets-detect-secrets.json",
        "secrets-detect-secrets.sarif",
    ]
    assert [len(files[Path(row["file"]).name]) for row in rows] == [row["size"] for row in rows]
    assert len(valid_sarif(files["secrets-detect-secrets.sarif"])["results"]) == 1
    assert not [name for name, data in files.items() if KEY.encode() in data]
    again = wfexec("reports", scanned["name"], "--download", target)
    assert (again.code, "would be overwritten" in again.err) == (2, True)


def test_the_history_counts_them(wfexec: Wfexec, scanned: dict[str, Any]) -> None:
    rows = {row["name"]: row["reports"] for row in wfexec.json("history", "--workflow", "scanned")}
    assert rows[scanned["name"]] == 4
    lines = wfexec("history", "--workflow", "scanned").out.splitlines()
    assert (lines[0].split()[-1], lines[1].split()[-1]) == ("Report", "4")


def test_prefect_has_pages_of_them(wfexec: Wfexec, scanned: dict[str, Any]) -> None:
    with httpx.Client(base_url=wfexec.environment["PREFECT_API_URL"], timeout=60) as client:
        body = {"artifacts": {"flow_run_id": {"any_": [scanned["id"]]}}}
        pages = {page["key"]: page["data"] for page in client.post("artifacts/filter", json=body).json()}
    by_name = {key.removeprefix(scanned["name"].replace("_", "-") + "-"): data for key, data in pages.items()}
    assert "| high | aws-access-key | settings.py:1 |" in by_name["scan-secrets"]
    assert "see &lt;b&gt;this&lt;/b&gt;" in by_name["scan-own"]
    assert "| secrets | detect-secrets.sarif | sarif |" in by_name["reports"]
    assert KEY not in json.dumps(pages)


def test_old_ones_are_removed(wfexec: Wfexec) -> None:
    wfexec.write(
        "short.yaml",
        """
        version: 1
        name: short-lived
        steps:
          - {id: own, uses: scan.script, run: 'echo "[]" > "$WFEXEC_REPORT"'}
        """,
    )
    view = wfexec.json("run", "short.yaml")
    assert len(view["reports"]) == 2
    acts = wfexec.json("reconcile")
    assert not [act for act in acts if act["run"] == view["name"]], "they are kept as long as the setting says"
    later = wfexec.with_environment(PREFECT_INTEGRATIONS_WFEXEC_KEEP_REPORTS="0s")
    acts = later.json("reconcile")
    assert [act["act"] for act in acts if act["run"] == view["name"]] == ["removed 2 reports"]
    assert wfexec.json("reports", view["name"]) == []
    assert wfexec.json("history", "--workflow", "short-lived")[0]["reports"] == 0
    audit = wfexec.json("audit", view["name"])
    assert audit["verified"]
    assert not [act for act in later.json("reconcile") if act["run"] == view["name"]]


MOVING = """
    version: 1
    name: moving
    steps:
      - id: build
        artifacts: ["$WFEXEC_WORKSPACE/dist"]
        run: |
          mkdir -p "$WFEXEC_WORKSPACE/dist/bin"
          printf '#!/bin/sh\\necho built on %s\\n' "$MACHINE" > "$WFEXEC_WORKSPACE/dist/bin/app"
          chmod +x "$WFEXEC_WORKSPACE/dist/bin/app"
          echo "app=$WFEXEC_WORKSPACE/dist/bin/app" >> "$WFEXEC_OUTPUT"
      - id: use
        env: {APP: "${{ steps.build.outputs.app }}"}
        run: |
          test "$MACHINE" = second || exit 1
          "$APP"; echo "app=$APP" >> "$WFEXEC_OUTPUT"
    outputs: {app: "${{ steps.use.outputs.app }}", said: "${{ steps.use.outputs.stdout }}"}
"""


def machine(wfexec: Wfexec, home: Path, name: str) -> Wfexec:
    home.mkdir()
    return wfexec.with_environment(
        HOME=str(home),
        PREFECT_HOME=str(home / "prefect"),
        PREFECT_PROFILES_PATH=str(home / "profiles.toml"),
        MACHINE=name,
    )


def test_a_run_goes_on_where_its_files_are_not(wfexec: Wfexec, tmp_path: Path) -> None:
    wfexec.write("moving.yaml", MOVING)
    first, second = (machine(wfexec, tmp_path / name, name) for name in ("first", "second"))
    view = first.json("run", "moving.yaml", code=1)
    assert view["steps"][0]["outputs"]["app"] == "workspace:/dist/bin/app"
    files = tmp_path / "first" / "prefect" / "wfexec" / "workspaces" / view["id"] / "files"
    assert (files / "dist" / "bin" / "app").exists(), "a run that failed keeps its files for a retry"
    assert files.stat().st_mode & 0o777 == 0o700
    (tmp_path / "first").rename(tmp_path / "gone")
    retried = second.json("retry", view["name"], "--yes")
    assert retried["status"] == "Succeeded"
    assert retried["outputs"] == {"app": "workspace:/dist/bin/app", "said": "built on first\n"}
    assert [step["attempt"] for step in retried["steps"]] == [1, 2]
    assert "the files of step 'build' are not on this machine" in second("logs", view["name"], "--step", "use").out
    left = tmp_path / "second" / "prefect" / "wfexec" / "workspaces"
    assert list(left.iterdir()) == [], "a run that succeeded leaves nothing"
