"""Shell steps as real processes."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepResult
from prefect_wfexec.testing import log_of, make_context, run_step


async def shell(script: str, folder: Path, *, shell: str = "bash", **options: object) -> StepResult:
    return await run_step(make_context("shell", run=script, with_={"shell": shell}, folder=folder, **options))


async def failure_of(script: str, folder: Path, **options: object) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await shell(script, folder, **options)
    return caught.value


async def test_gives_exit_code_output_and_what_the_script_wrote(tmp_path) -> None:
    result = await shell('echo hello\necho "url=https://x/?a=b" >> "$WFEXEC_OUTPUT"', tmp_path)
    assert result.outputs == {"exit_code": 0, "stdout": "hello\n", "url": "https://x/?a=b"}
    assert result.sensitive == frozenset()


@pytest.mark.parametrize("name", ["bash", "sh", "python"])
async def test_every_shell_runs_its_own_language(tmp_path, name: str) -> None:
    script = {
        "bash": '[[ x == x ]] && a=(1 2); echo "${a[1]}"',
        "sh": "set -- 1 2; echo $2",
        "python": "import sys\nprint(1 + 1)",
    }[name]
    assert (await shell(script, tmp_path, shell=name)).outputs["stdout"] == "2\n"


async def test_streams_are_told_apart(tmp_path) -> None:
    context = make_context("shell", run="echo out; echo err >&2", folder=tmp_path)
    await run_step(context)
    assert log_of(context).text("stdout") == "out\n"
    assert log_of(context).text("stderr") == "err\n"


async def test_runs_in_dir_below_the_folder_of_the_definition(tmp_path) -> None:
    (tmp_path / "infra").mkdir()
    context = make_context("shell", run="pwd", with_={"dir": "infra"}, folder=tmp_path)
    assert (await run_step(context)).outputs["stdout"].strip() == str((tmp_path / "infra").resolve())


@pytest.mark.parametrize(("made", "problem"), [(False, "does not exist"), (True, "is not a folder")])
async def test_a_missing_dir_is_named(tmp_path, made: bool, problem: str) -> None:
    if made:
        (tmp_path / "infra").write_text("")
    context = make_context("shell", run="pwd", with_={"dir": "infra"}, folder=tmp_path)
    with pytest.raises(StepFailed, match=f"'infra'.*{problem}") as caught:
        await run_step(context)
    assert caught.value.type == "missing_path"


@pytest.mark.parametrize("script", ["", "  \n "])
async def test_nothing_to_run_is_said(tmp_path, script: str) -> None:
    assert (await failure_of(script, tmp_path)).type == "missing_script"


@pytest.mark.parametrize(
    ("name", "script", "code"),
    [
        ("bash", "false\necho not reached", 1),
        ("bash", "exit 3 | true\necho not reached", 3),
        ("sh", "false\necho not reached", 1),
        ("python", "raise SystemExit(7)", 7),
    ],
)
async def test_the_first_error_ends_the_script(tmp_path, name: str, script: str, code: int) -> None:
    failure = await failure_of(script, tmp_path, shell=name)
    assert (failure.type, failure.exit_code) == ("exit_code", code)
    assert failure.outputs["stdout"] == ""
    assert f"exit code {code}" in failure.message


async def test_a_failure_repeats_the_last_lines_and_keeps_the_outputs(tmp_path) -> None:
    script = 'echo "stage=two" >> "$WFEXEC_OUTPUT"; echo before; echo "no such table: users" >&2; exit 4'
    failure = await failure_of(script, tmp_path)
    assert "no such table: users" in failure.message
    assert "before" in failure.tail
    assert failure.outputs == {"exit_code": 4, "stdout": "before\n", "stage": "two"}


async def test_a_failing_script_with_bad_outputs_fails_by_its_exit_code(tmp_path) -> None:
    context = make_context("shell", run='echo nonsense >> "$WFEXEC_OUTPUT"; exit 4', folder=tmp_path)
    with pytest.raises(StepFailed) as caught:
        await run_step(context)
    assert caught.value.type == "exit_code"
    assert "line 1 is neither" in log_of(context).text("system")


async def test_bad_outputs_fail_a_script_that_ended_well(tmp_path) -> None:
    failure = await failure_of('printf "a=1\\nb<<EOF\\n" >> "$WFEXEC_OUTPUT"', tmp_path)
    assert failure.type == "bad_outputs"
    assert "line 2 opens 'b'" in failure.message
    assert failure.outputs == {"exit_code": 0, "stdout": "", "a": "1"}


async def test_a_signal_is_named(tmp_path) -> None:
    failure = await failure_of("kill -SEGV $$", tmp_path)
    assert (failure.type, failure.exit_code) == ("signal", None)
    assert "SIGSEGV" in failure.message


async def test_the_script_learns_which_run_it_belongs_to(tmp_path) -> None:
    script = 'echo "$WFEXEC_RUN_ID $WFEXEC_RUN_NAME $WFEXEC_WORKFLOW $WFEXEC_STEP $WFEXEC_ATTEMPT $MINE"'
    result = await shell(script, tmp_path, env={"MINE": "a b"}, attempt=2)
    assert result.outputs["stdout"] == "00000000-0000-4000-8000-000000000000 wfr_test test step 2 a b\n"


async def test_values_from_outside_stay_values(tmp_path) -> None:
    hostile = "$(touch pwned); `touch pwned` \" ' ; rm -rf /"
    result = await shell('printf %s "$TITLE"', tmp_path, env={"TITLE": hostile})
    assert result.outputs["stdout"] == hostile
    assert not list(tmp_path.iterdir())


async def test_the_worker_environment_is_not_handed_on(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "key-of-the-worker")
    result = await shell("env; true", tmp_path)
    assert "key-of-the-worker" not in result.outputs["stdout"]


async def test_script_and_output_file_are_private_and_gone_afterwards(tmp_path) -> None:
    left: list[Path] = []
    context = make_context("shell", run='stat -c "%a" "$0" "$WFEXEC_OUTPUT"; echo "$0"', folder=tmp_path)
    result = await run_step(context, seen=lambda scratch: left.extend(scratch.iterdir()))
    modes, path = result.outputs["stdout"].splitlines()[:2], result.outputs["stdout"].splitlines()[2]
    assert modes == ["600", "600"]
    assert not Path(path).exists()
    assert left == []


async def test_nothing_is_left_after_a_failure(tmp_path) -> None:
    left: list[Path] = []
    with pytest.raises(StepFailed):
        await run_step(
            make_context("shell", run="exit 1", folder=tmp_path), seen=lambda scratch: left.extend(scratch.iterdir())
        )
    assert left == []


async def test_a_secret_is_masked_in_the_log_and_marked_among_the_outputs(tmp_path) -> None:
    context = make_context(
        "shell",
        run='echo "token $TOKEN"; echo "url=https://x/$TOKEN" >> "$WFEXEC_OUTPUT"; echo plain=1 >> "$WFEXEC_OUTPUT"',
        env={"TOKEN": "s3cr3t-t0ken"},
        secrets=("s3cr3t-t0ken",),
        folder=tmp_path,
    )
    result = await run_step(context)
    assert "s3cr3t" not in log_of(context).text()
    assert "s3cr3t" not in result.outputs["stdout"]
    assert result.outputs["url"] == "https://x/s3cr3t-t0ken"
    assert result.sensitive == {("url",)}


async def test_a_short_secret_is_marked_when_it_is_the_whole_output(tmp_path) -> None:
    result = await shell('echo "pin=$PIN" >> "$WFEXEC_OUTPUT"', tmp_path, env={"PIN": "4711"}, secrets=("4711",))
    assert result.sensitive == {("pin",)}


async def test_a_secret_in_a_refused_output_line_is_masked(tmp_path) -> None:
    failure = await failure_of(
        'echo "$TOKEN is no key=1" >> "$WFEXEC_OUTPUT"',
        tmp_path,
        env={"TOKEN": "s3cr3t-t0ken"},
        secrets=("s3cr3t-t0ken",),
    )
    assert "s3cr3t" not in failure.message
    assert "s3cr3t" not in str(failure)


async def test_stdout_is_the_last_64_kib(tmp_path) -> None:
    result = await shell("seq 100000 120000; echo end", tmp_path)
    assert len(result.outputs["stdout"].encode()) == 64 * 1024
    assert result.outputs["stdout"].endswith("\nend\n")


async def test_python_is_unbuffered_and_may_be_the_only_one_there_is(tmp_path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    result = await shell("import sys; print(sys.executable)", tmp_path, shell="python", env={"PATH": str(tools)})
    assert Path(result.outputs["stdout"].strip()).resolve() == Path(sys.executable).resolve()
    result = await shell("import sys; print(sys.stdout.write_through)", tmp_path, shell="python")
    assert result.outputs["stdout"] == "True\n"


async def test_a_shell_that_is_not_there_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    failure = await failure_of("echo hello", tmp_path)
    assert failure.type == "missing_tool"
    assert "bash" in failure.message


async def test_the_script_reads_nothing_from_standard_input(tmp_path) -> None:
    assert (await shell("cat; echo done", tmp_path)).outputs["stdout"] == "done\n"


async def test_line_ends_and_unicode_of_the_script_are_kept(tmp_path) -> None:
    result = await shell("cat <<'EOF'\nGrüße 🚀\n\ttabs\nEOF", tmp_path)
    assert result.outputs["stdout"] == "Grüße 🚀\n\ttabs\n"


@pytest.mark.skipif(shutil.which("pgrep") is None, reason="pgrep tells whether the processes are gone")
async def test_a_cancelled_step_leaves_no_process(tmp_path) -> None:
    started = tmp_path / "started"
    context = make_context(
        "shell", run=f'echo $$ > "{started}.tmp"; mv "{started}.tmp" "{started}"; sleep 600', folder=tmp_path
    )
    task = asyncio.create_task(run_step(context))
    async with asyncio.timeout(30):
        while not started.exists():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{started.read_text().strip()}").exists()
