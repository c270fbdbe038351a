"""Looks for a secret wherever a run may have left it."""

import base64
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx


def forms(secret: str) -> dict[str, bytes]:
    """The secret as it is, and as it looks encoded; base64 also in the middle of something longer."""
    raw = secret.encode()
    found = {
        "raw": raw,
        "json": json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        "json ascii": json.dumps(secret, ensure_ascii=True)[1:-1].encode(),
        "json of Go": _as_go_writes(json.dumps(secret, ensure_ascii=False)[1:-1]).encode(),
        "json of Go, ascii": _as_go_writes(json.dumps(secret)[1:-1]).encode(),
        "url": quote(secret, safe="").encode(),
        "url plus": quote_plus(secret).encode(),
    }
    for offset in range(3):
        # What comes before and behind decides the first and last characters: those are left out.
        encoded = base64.b64encode(b"x" * offset + raw)
        found[f"base64+{offset}"] = encoded[4 if offset else 0 : len(encoded) - 4]
    return found


def _as_go_writes(text: str) -> str:
    """Go's JSON, and so Terraform's, escapes what HTML would take for markup."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def leaks(data: bytes, secret: str) -> list[str]:
    """In which forms the secret is in the data."""
    return [name for name, form in forms(secret).items() if form in data]


def files_with(folder: Path, secret: str) -> list[str]:
    """The files below a folder that hold the secret in any form, with the forms."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            forms_found = leaks(path.read_bytes(), secret)
            if forms_found:
                found.append(f"{path.name}: {', '.join(forms_found)}")
    return found


def rows_with(database: Path, secret: str) -> list[str]:
    """The tables and columns of a SQLite database that hold the secret in any form."""
    found = set()
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        connection.text_factory = bytes
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (name,) in tables:
            table = name.decode()
            cursor = connection.execute(f'select * from "{table}"')
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, bytes) and leaks(value, secret):
                        found.add(f"{table}.{column}")
    finally:
        connection.close()
    return sorted(found)


def everything_of_a_run(url: str, run_id: str) -> Iterator[tuple[str, bytes]]:
    """Everything that Prefect's API tells of a run, piece by piece with what it is."""
    with httpx.Client(base_url=url, timeout=60) as client:
        yield "flow run", client.get(f"flow_runs/{run_id}").content
        yield "states", client.get("flow_run_states/", params={"flow_run_id": run_id}).content
        of_run = {"flow_runs": {"id": {"any_": [run_id]}}}
        tasks = client.post("task_runs/filter", json=of_run).json()
        yield "task runs", json.dumps(tasks, ensure_ascii=False).encode()
        for task in tasks:
            yield "task run states", client.get("task_run_states/", params={"task_run_id": task["id"]}).content
        yield from _pages(client, "artifacts/filter", of_run, "artifacts")
        yield from _pages(client, "logs/filter", {"logs": {"flow_run_id": {"any_": [run_id]}}}, "logs")
        for prefix in ("wfexec", ""):
            answer = client.post(f"flow_runs/{run_id}/input/filter", json={"prefix": prefix, "limit": 10_000})
            yield "inputs", answer.content


def _pages(client: httpx.Client, path: str, body: dict[str, Any], what: str) -> Iterator[tuple[str, bytes]]:
    offset = 0
    while True:
        page = client.post(path, json={**body, "limit": 200, "offset": offset}).json()
        yield what, json.dumps(page, ensure_ascii=False).encode()
        offset += len(page)
        if len(page) < 200:
            return
