"""A secret that a run uses everywhere is found nowhere but where its owner keeps it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.secrecy import everything_of_a_run, files_with, leaks, rows_with
from tests.support.server import PrefectServer, prefect_server
from tests.support.wfexec import Wfexec, user_environment

PASSWORD = 'Tr0ub4dor &3/="ünïcode" plus\\more'
TOKEN = "tok-91c2f7aa5e0b4d6c"
INFRASTRUCTURE = """
    variable "password" {
      type      = string
      sensitive = true
    }
    resource "terraform_data" "account" {
      input = var.password
    }
    output "connection" {
      value     = "db://admin:${var.password}@db.internal"
      sensitive = true
    }
    output "region" {
      value = "eu-west"
    }
"""
DEFINITION = r"""
    version: 1
    name: rotate-password
    steps:
      - id: spill
        env: {PASSWORD: "${{ secrets.db_password }}", TOKEN: "${{ secrets.api_token }}"}
        run: |
          echo "password is $PASSWORD"
          echo "token in the middle${TOKEN}of a word" >&2
          printf '%s' "$PASSWORD" | base64 -w0; echo
          printf 'xx%s' "$TOKEN" | base64 -w0; echo
          python3 -c 'import os, json; print(json.dumps({"p": os.environ["PASSWORD"]}))'
          python3 -c 'import os, urllib.parse as u; print(u.quote(os.environ["PASSWORD"], safe=""))'
          python3 -c 'import os, urllib.parse as u; print(u.quote_plus(os.environ["PASSWORD"]))'
          for n in $(seq 1 ${#TOKEN}); do printf '%s' "$(printf '%s' "$TOKEN" | cut -c "$n")"; sleep 0.01; done; echo
          echo "leak=$TOKEN" >> "$WFEXEC_OUTPUT"
      - {id: plan, uses: terraform.plan, with: {dir: infra, vars: {password: "${{ secrets.db_password }}"}}}
      - id: gate
        uses: approval
        with: {subject: "${{ steps.plan.outputs.plan }}", message: "With ${{ secrets.api_token }}?"}
      - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
      - id: use
        env: {CONNECTION: "${{ steps.apply.outputs.values.connection }}", LEAK: "${{ steps.spill.outputs.leak }}"}
        run: |
          echo "connecting to $CONNECTION with $LEAK"
          test "$LEAK" = "tok-91c2f7aa""5e0b4d6c"
      - id: fail
        env: {TOKEN: "${{ secrets.api_token }}"}
        on_failure: continue
        run: 'echo "cannot log in with $TOKEN" >&2; exit 7'
    outputs:
      connection: "${{ steps.apply.outputs.values.connection }}"
      region: "${{ steps.apply.outputs.values.region }}"
      leak: "${{ steps.spill.outputs.leak }}"
"""
SECRETS = (PASSWORD, TOKEN)


@pytest.fixture(scope="module")
def own_server() -> Iterator[PrefectServer]:
    """A server whose whole home can be searched."""
    with prefect_server() as started:
        yield started


def _save_secret(url: str, name: str, value: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        client.post("block_types/install_system_block_types")
        kind = client.get("block_types/slug/secret").json()["id"]
        schema = client.post("block_schemas/filter", json={"block_schemas": {"block_type_id": {"any_": [kind]}}}).json()
        body = {"name": name, "block_type_id": kind, "block_schema_id": schema[0]["id"], "data": {"value": value}}
        client.post("block_documents/", json=body).raise_for_status()


@pytest.mark.skipif(shutil.which("terraform") is None, reason="needs terraform")
def test_a_secret_is_found_nowhere(own_server: PrefectServer, tmp_path: Path) -> None:
    _save_secret(own_server.url, "db-password", PASSWORD)
    _save_secret(own_server.url, "api-token", TOKEN)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    wfexec = Wfexec({**user_environment(own_server.environment, "jane"), "TMPDIR": str(scratch)}, work)
    wfexec.write("rotate.yaml", DEFINITION)
    wfexec.write("infra/main.tf", INFRASTRUCTURE)

    ran = wfexec("run", "rotate.yaml", "--yes")
    assert ran.code == 0, ran.out[-4000:]
    view = wfexec.json("show", ran.run)
    assert [step["status"] for step in view["steps"]] == [*["Success"] * 5, "Failed"]
    assert view["outputs"]["region"] == "eu-west"

    printed = {"run": ran.out + ran.err, "show --json": json.dumps(view, ensure_ascii=False)}
    for command in ("show", "logs", "outputs", "audit", "history"):
        result = wfexec(command, *([] if command == "history" else [ran.run]))
        assert result.code == 0
        printed[command] = result.out + result.err
    assert "connecting to" in printed["logs"] and "cannot log in with" in printed["show"]

    # The search finds what is there to be found.
    assert [name.partition(":")[0] for name in files_with(work, PASSWORD)] == ["terraform.tfstate"]

    found: list[str] = []
    for secret in SECRETS:
        found += [f"printed by {name}" for name, text in printed.items() if leaks(text.encode(), secret)]
        for what, data in everything_of_a_run(own_server.url, view["id"]):
            found += [f"{what}: {form}" for form in leaks(data, secret)]
        found += files_with(own_server.home, secret)
        found += files_with(scratch, secret)
        found += [name for name in files_with(work, secret) if not name.startswith("terraform.tfstate:")]
        for database in own_server.home.glob("*.db"):
            found += rows_with(database, secret)
    assert found == []


def test_a_missing_secret_fails_its_step_with_the_mend(wfexec: Wfexec) -> None:
    wfexec.write(
        "missing.yaml",
        """
        version: 1
        name: missing-secret
        steps:
          - {id: use, run: "true", env: {X: "${{ secrets.never_saved }}"}}
        """,
    )
    view = wfexec.json("run", "missing.yaml", code=1)
    error = view["steps"][0]["error"]
    assert error["type"] == "missing_block"
    assert "never-saved" in error["message"] and "Secret" in error["message"]
