"""A SonarQube server and its scanner, as far as a step sees them: Web API of version 9.9 to 10.7, scanner of version 5.

The server takes a token as the user name of Basic credentials and refuses any other, works an analysis out in so many
steps, and gives issues in pages. The scanner refuses to run without a token or a project, and ends with another code
than 0 when the server refuses it, as the real one does.
"""

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.web_server import Asked, Reply, WebServer

SCANNER = """#!{python} -I
import json, os, sys, urllib.request, urllib.error, base64, pathlib
given = dict(one.removeprefix("-D").split("=", 1) for one in sys.argv[1:])
token = os.environ.get("SONAR_TOKEN", "")
assert token not in " ".join(sys.argv), "a token on the command line is seen by everybody"
base = pathlib.Path(given["sonar.projectBaseDir"])
properties = base / "sonar-project.properties"
if properties.exists():
    lines = [line.partition("=") for line in properties.read_text().splitlines()]
    given = {{**{{key: value for key, _, value in lines}}, **given}}
project = given.get("sonar.projectKey")
if not project:
    sys.exit("ERROR: You must define the following mandatory properties for 'Unknown': sonar.projectKey")
request = urllib.request.Request(given["sonar.host.url"] + "/api/ce/submit?projectKey=" + project, data=b"zip")
request.add_header("Authorization", "Basic " + base64.b64encode((token + ":").encode()).decode())
try:
    answer = json.load(urllib.request.urlopen(request))
except urllib.error.HTTPError as error:
    print("ERROR: Error during SonarScanner execution: Not authorized", error.code, file=sys.stderr)
    sys.exit(2)
print("INFO: ANALYSIS SUCCESSFUL, you can find the results at:", given["sonar.host.url"])
pathlib.Path(given["sonar.working.directory"]).mkdir(parents=True)
pathlib.Path(given["sonar.scanner.metadataFilePath"]).write_text(
    f"projectKey={{project}}\\nserverUrl=http://elsewhere.invalid\\nserverVersion=10.7.0.96327\\n"
    f"dashboardUrl=http://elsewhere.invalid/dashboard?id={{project}}\\nceTaskId={{answer['taskId']}}\\n"
    f"ceTaskUrl=http://elsewhere.invalid/api/ce/task?id={{answer['taskId']}}\\n"
)
"""


def scanner(folder: Path) -> Path:
    """Put a `sonar-scanner` into a folder."""
    program = folder / "sonar-scanner"
    program.write_text(SCANNER.format(python=sys.executable))
    program.chmod(0o755)
    return program


class SonarStub:
    """`with SonarStub() as sonar:` gives a server at `sonar.url`."""

    def __init__(self) -> None:
        self.token = "squ_0123456789abcdef0123456789abcdef01234567"
        self.pending = 1
        self.task_status = "SUCCESS"
        self.gate = "OK"
        self.conditions: Sequence[dict[str, Any]] = ()
        self.issues: list[dict[str, Any]] = []
        self.broken: dict[str, Reply] = {}
        self._asked = 0
        self._web = WebServer(self._answer)

    @property
    def url(self) -> str:
        return self._web.url

    @property
    def asked(self) -> list[Asked]:
        return self._web.asked

    def __enter__(self) -> "SonarStub":
        self._web.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._web.__exit__(*error)

    def _answer(self, asked: Asked) -> Reply:
        expected = "Basic " + base64.b64encode(f"{self.token}:".encode()).decode()
        if asked.headers.get("authorization") != expected:
            return Reply(401)
        url = urlsplit(asked.target)
        if url.path in self.broken:
            return self.broken[url.path]
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        found = self._found(url.path, query)
        if found is None:
            return Reply(404, json.dumps({"errors": [{"msg": "not found"}]}).encode())
        return Reply(200, json.dumps(found).encode(), {"content-type": "application/json"})

    def _found(self, path: str, query: dict[str, str]) -> dict[str, Any] | None:
        if path == "/api/ce/submit":
            return {"taskId": "AZ0-task_1", "projectId": "AZ0"}
        if path == "/api/ce/task" and query.get("id") == "AZ0-task_1":
            return {"task": self._task()}
        if path == "/api/qualitygates/project_status" and query.get("analysisId") == "AZ0-analysis":
            return {
                "projectStatus": {"status": self.gate, "conditions": list(self.conditions), "ignoredConditions": False}
            }
        if path == "/api/issues/search" and query.get("resolved") == "false":
            page, size = int(query["p"]), int(query["ps"])
            shown = self.issues[(page - 1) * size : page * size]
            paging = {"pageIndex": page, "pageSize": size, "total": len(self.issues)}
            return {"total": len(self.issues), "p": page, "ps": size, "paging": paging, "issues": shown}
        return None

    def _task(self) -> dict[str, Any]:
        self._asked += 1
        task = {"id": "AZ0-task_1", "type": "REPORT", "componentKey": "shop", "warnings": []}
        if self._asked <= self.pending:
            return {**task, "status": "IN_PROGRESS"}
        more = {"analysisId": "AZ0-analysis"} if self.task_status == "SUCCESS" else {"errorMessage": "no license left"}
        return {**task, "status": self.task_status, **more}
