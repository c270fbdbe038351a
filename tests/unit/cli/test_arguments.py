"""The command line's grammar."""

import pytest

from prefect_wfexec import __version__
from prefect_wfexec.cli.arguments import make_parser
from prefect_wfexec.cli.main import _MODULES
from prefect_wfexec.errors import UsageError

COMMANDS = {
    "validate": ["x.yaml"],
    "schema": [],
    "graph": ["x.yaml"],
    "run": ["x.yaml"],
    "start": ["flow/name"],
    "execute": ["x.yaml"],
    "show": ["wfr_x"],
    "history": [],
    "logs": ["wfr_x"],
    "outputs": ["wfr_x"],
    "reports": ["wfr_x"],
    "approvals": [],
    "approve": ["wfr_x"],
    "reject": ["wfr_x"],
    "skip": ["wfr_a", "--step", "s", "--reason", "r"],
    "retry": ["wfr_x"],
    "cancel": ["wfr_x"],
    "reconcile": [],
    "audit": ["wfr_x"],
    "doctor": [],
}


def parsed(*argv: str) -> dict[str, object]:
    return vars(make_parser().parse_args(argv))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_module_and_takes_json(command: str) -> None:
    assert _MODULES[command]
    assert parsed(command, *COMMANDS[command])["command"] == command
    if command != "schema":
        assert parsed(command, *COMMANDS[command], "--json")["json"] is True
        assert parsed(command, *COMMANDS[command])["json"] is False


def test_every_module_has_its_command() -> None:
    for command in _MODULES:
        assert parsed(command, *COMMANDS.get(command, []))["command"] == command


def test_run() -> None:
    found = parsed("run", "flows/x.yaml", "-i", "a=1", "--input", "b=x y", "--yes")
    assert (found["path"], found["inputs"], found["yes"]) == ("flows/x.yaml", ["a=1", "b=x y"], True)
    assert (parsed("run", "x")["inputs"], parsed("run", "x")["yes"]) == ([], False)


def test_two_runs_do_not_share_their_inputs() -> None:
    parser = make_parser()
    parser.parse_args(["run", "x", "-i", "a=1"])
    assert parser.parse_args(["run", "x", "-i", "b=2"]).inputs == ["b=2"]


def test_history() -> None:
    found = parsed("history", "--status", "Failed", "--triggered-by", "Git", "--since", "7d", "--limit", "3")
    assert (found["status"], found["triggered_by"], found["since"], found["limit"]) == ("Failed", "Git", "7d", 3)
    assert parsed("history")["limit"] == 50


def test_logs() -> None:
    found = parsed("logs", "wfr_x", "--stream", "errors", "--search", "oh no", "--follow", "--download", "x.log")
    assert (found["stream"], found["search"], found["follow"], found["download"]) == ("errors", "oh no", True, "x.log")
    assert parsed("logs", "wfr_x")["stream"] == "all"


def test_decisions() -> None:
    found = parsed("reject", "wfr_x", "--step", "gate", "--comment", "not on Friday")
    assert (found["run"], found["step"], found["comment"]) == ("wfr_x", "gate", "not on Friday")


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nonsense"],
        ["run"],
        ["run", "x", "y"],
        ["run", "x", "--nope"],
        ["run", "x", "-i"],
        ["validate"],
        ["show"],
        ["logs", "x", "--stream", "stdout"],
        ["graph", "x", "--format", "svg"],
        ["history", "--limit", "0"],
        ["history", "--limit", "-1"],
        ["history", "--limit", "many"],
        ["history", "--limit", "1.5"],
    ],
)
def test_wrong_use_is_raised_in_words(argv: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        make_parser().parse_args(argv)
    assert caught.value.message
    assert "_count" not in caught.value.message
    assert "--help" in (caught.value.hint or "")


def test_help_and_version_end_well(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["run", "--help"], ["history", "--help"]):
        with pytest.raises(SystemExit) as caught:
            make_parser().parse_args(argv)
        assert caught.value.code == 0
    assert "usage: wfexec" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"wfexec {__version__}\n")
