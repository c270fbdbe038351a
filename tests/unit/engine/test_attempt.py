"""One attempt of a step, however it ends. Real parts but for the secrets and claims of a run."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from prefect_wfexec.definition.catalog import StepSpec
from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.engine.attempt import Attempt, Finish
from prefect_wfexec.engine.outputs import StoredOutputs
from prefect_wfexec.engine.steplog import read_stored_log
from prefect_wfexec.engine.stopped import how_it_stopped, in_words, shortened
from prefect_wfexec.errors import EngineError, StepFailed, StepSkipped, StepStopped, SupervisorError, UsageError
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.runtime.command import CommandResult
from prefect_wfexec.runtime.masking import MASK
from prefect_wfexec.status import StepStatus
from prefect_wfexec.steps.base import Artifact, Report, StepContext, StepResult, StepType, WithModel
from prefect_wfexec.testing import MemoryBlobs
from tests.unit.engine.lent import SECRET, Lent
from tests.unit.engine.support import step

Work = Callable[[StepContext], Awaitable[StepResult]]


class Given(WithModel):
    text: str = ""
    count: int = 0


def doing(work: Work) -> type[StepType]:
    """A step type that does this."""

    class Doing(StepType):
        Inputs = Given
        spec = StepSpec("test.doing", Given, StepType.Outputs)

        async def run(self, context: StepContext) -> StepResult:
            return await work(context)

    return Doing


@pytest.fixture
def lent(tmp_path: Path) -> Lent:
    return Lent(tmp_path)


def attempt(lent: Lent, work: Work, one: Step | None = None, scope: dict[str, JSON] | None = None) -> Attempt:
    return Attempt(one or step("a"), 1, doing(work), scope or {}, lent)


async def lines_of(finish: Finish, lent: Lent) -> list[tuple[str, str]]:
    return [(line.stream, line.message) for line in await read_stored_log(finish.log, lent.blobs)]


async def test_a_success(lent: Lent) -> None:
    seen: list[StepContext] = []

    async def work(context: StepContext) -> StepResult:
        seen.append(context)
        (context.scratch / "file").write_text("kept for as long as the step runs")
        assert context.scratch.stat().st_mode & 0o777 == 0o700
        context.log.stdout("working\n")
        return StepResult({"n": 1}, "done", artifacts=(Artifact("page", "# Page"),))

    finish = await attempt(lent, work, step("a", with_={"text": "x"}, timeout_seconds=60.0)).run()
    assert (finish.status, finish.summary, finish.fault) == (StepStatus.SUCCESS, "done", None)
    assert (finish.outputs, finish.values) == (StoredOutputs({"n": 1}, None), {"n": 1})
    assert finish.artifacts == (Artifact("page", "# Page"),)
    assert await lines_of(finish, lent) == [("stdout", "working")]
    [context] = seen
    assert (context.inputs.text, context.attempt, context.folder, context.timeout_seconds) == (
        "x",
        1,
        lent.folder,
        60.0,
    )
    assert not context.scratch.exists()


async def test_expressions_are_worked_out_when_it_starts(lent: Lent) -> None:
    async def work(context: StepContext) -> StepResult:
        return StepResult({"text": context.inputs.text, "count": context.inputs.count, "env": dict(context.env)})

    one = step(
        "a",
        with_={"text": "${{ env.ZONE }}-${{ inputs.name }}", "count": "${{ inputs.count }}"},
        env={"ZONE": "${{ inputs.zone }}", "COUNT": "${{ inputs.count }}", "NONE": None},
    )
    inputs = {"zone": "eu", "name": "x", "count": 3}
    finish = await attempt(lent, work, one, {"inputs": inputs}).run()
    assert finish.values == {"text": "eu-x", "count": 3, "env": {"ZONE": "eu", "COUNT": "3", "NONE": ""}}


async def test_secrets_reach_the_step_and_nothing_else(lent: Lent) -> None:
    async def work(context: StepContext) -> StepResult:
        assert context.inputs.text == SECRET
        assert context.env["CONFIG"] == f'{{"token": "{SECRET}"}}'
        context.log.stdout(f"it is {SECRET}\n")
        page = Artifact("page", f"# {SECRET}", SECRET)
        return StepResult({"text": SECRET, "pin": 12345678}, f"used {SECRET}", artifacts=(page,))

    one = step("a", with_={"text": "${{ secrets.password }}"}, env={"CONFIG": "${{ secrets.config }}"})
    told: list[str] = []
    running = attempt(lent, work, one)
    running.sink = lambda _stream, text: told.append(text)
    finish = await running.run()
    assert finish.summary == f"used {MASK}"
    assert finish.outputs.shown["text"] == MASK
    assert finish.values["text"] == SECRET
    assert finish.artifacts == (Artifact("page", f"# {MASK}", MASK),)
    assert SECRET not in f"{told} {await lines_of(finish, lent)} {finish.outputs.shown}"


async def test_outputs_called_secret_are_hidden_from_then_on(lent: Lent) -> None:
    async def work(_context: StepContext) -> StepResult:
        return StepResult({"made": {"key": SECRET}}, f"made {SECRET}", frozenset({("made", "key")}))

    finish = await attempt(lent, work).run()
    assert (finish.outputs.shown, finish.summary) == ({"made": {"key": MASK}}, f"made {MASK}")


def raising(error: BaseException) -> Work:
    async def work(context: StepContext) -> StepResult:
        context.log.stderr(f"before {SECRET}\n")
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (StepFailed("exit code 1", type="exit_code", hint="look"), "exit_code", "exit code 1\nlook"),
        (EngineError("prefect is gone"), "internal", "prefect is gone"),
        (SupervisorError("it died"), "outcome_unknown", "it died"),
        (UsageError("a block is missing", code="missing-block"), "missing_block", "a block is missing"),
        (ValueError("odd"), "internal", "ValueError: odd"),
        (RecursionError("deep"), "internal", "RecursionError: deep"),
    ],
)
async def test_a_failure_of_any_kind_is_told(lent: Lent, error: Exception, kind: str, message: str) -> None:
    finish = await attempt(lent, raising(error)).run()
    assert finish.status is StepStatus.FAILED
    assert finish.fault is not None
    assert (finish.fault["type"], finish.fault["message"]) == (kind, message)
    assert finish.fault["tail"] == f"before {SECRET}"
    assert (await lines_of(finish, lent))[0] == ("stderr", f"before {SECRET}")
    assert finish.retryable is isinstance(error, StepFailed)


async def test_a_failure_keeps_what_the_step_said_and_made(lent: Lent) -> None:
    lent.masker.add(SECRET)
    failed = StepFailed(f"no {SECRET}", exit_code=7, tail=SECRET, retryable=False, outputs={"made": SECRET, "n": 1})
    finish = await attempt(lent, raising(failed)).run()
    assert finish.fault == {"type": "failed", "message": f"no {MASK}", "exit_code": 7, "tail": MASK}
    assert (finish.outputs.shown, finish.values) == ({"made": MASK, "n": 1}, {"made": SECRET, "n": 1})
    assert not finish.retryable


async def test_a_step_with_nothing_to_do_is_skipped(lent: Lent) -> None:
    lent.masker.add(SECRET)
    finish = await attempt(lent, raising(StepSkipped(f"no {SECRET}"))).run()
    assert (finish.status, finish.reason, finish.fault) == (StepStatus.SKIPPED, f"no {MASK}", None)


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (step("a", with_={"text": "${{ inputs.missing }}"}), "expression"),
        (step("a", with_={"count": "${{ inputs.name }}"}), "bad_with"),
        (step("a", with_={"text": "${{ 1 + }}"}), "expression"),
    ],
)
async def test_a_with_that_can_not_be_had_fails_the_step_before_it_starts(lent: Lent, one: Step, kind: str) -> None:
    async def work(_context: StepContext) -> StepResult:
        raise AssertionError("it started")

    finish = await attempt(lent, work, one, {"inputs": {"name": "x"}}).run()
    assert finish.fault is not None
    assert finish.fault["type"] == kind
    assert not finish.retryable


async def hanging(context: StepContext) -> StepResult:
    context.log.stdout("begun\n")
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_step_is_stopped_by_a_cancel(lent: Lent) -> None:
    begun = asyncio.Event()

    async def work(context: StepContext) -> StepResult:
        begun.set()
        return await hanging(context)

    running = attempt(lent, work)
    task = asyncio.create_task(running.run())
    await begun.wait()
    running.stop("cancelled")
    running.stop("timeout")
    finish = await task
    assert (finish.status, finish.reason, finish.fault) == (StepStatus.CANCELLED, "the run was cancelled", None)


async def test_a_step_stopped_before_it_began_does_not_begin(lent: Lent) -> None:
    async def work(_context: StepContext) -> StepResult:
        raise AssertionError("it started")

    running = attempt(lent, work)
    running.stop("cancelled")
    assert (await running.run()).status is StepStatus.CANCELLED


async def test_a_step_that_takes_too_long_is_stopped_and_may_be_retried(lent: Lent) -> None:
    finish = await attempt(lent, hanging, step("a", timeout_seconds=0.05)).run()
    assert finish.fault is not None
    assert finish.fault["type"] == "timeout"
    assert finish.fault["message"] == "timed out after 0.05 s; last output: begun"
    assert (finish.status, finish.retryable) == (StepStatus.FAILED, True)


@pytest.mark.parametrize(("kind", "retryable"), [("stopped", True), ("stopped", False), ("outcome_unknown", False)])
async def test_a_step_that_timed_out_says_how_far_it_was(lent: Lent, kind: str, retryable: bool) -> None:
    one = step("a", timeout_seconds=0.05)
    finish = await attempt(lent, ending(kind, retryable=retryable), one).run()
    assert finish.fault is not None
    assert finish.fault["type"] == ("timeout" if kind == "stopped" else kind)
    assert finish.fault["message"] == "timed out after 0.05 s; last output: begun\nhalf of it is done"
    assert (finish.fault["exit_code"], finish.retryable, finish.values) == (7, retryable, {"done": 1})


async def test_a_cancelled_step_says_how_far_it_was_and_is_cancelled_only_when_that_is_known(lent: Lent) -> None:
    async def cancelled(kind: str) -> Finish:
        running = attempt(lent, ending(kind))
        asyncio.get_running_loop().call_later(0.05, running.stop, "cancelled")
        return await running.run()

    known = await cancelled("stopped")
    assert (known.status, known.reason) == (StepStatus.CANCELLED, "the run was cancelled; half of it is done")
    assert known.values == {"done": 1}
    unknown = await cancelled("outcome_unknown")
    assert unknown.status is StepStatus.FAILED
    assert unknown.fault is not None
    assert unknown.fault["type"] == "outcome_unknown"
    assert unknown.fault["message"] == "the run was cancelled\nhalf of it is done"


async def test_a_flow_that_is_cancelled_is_cancelled_though_the_step_says_how_far_it_was(lent: Lent) -> None:
    task = asyncio.create_task(attempt(lent, ending("stopped")).run())
    asyncio.get_running_loop().call_later(0.05, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


def ending(kind: str, *, retryable: bool = True) -> Work:
    """Works until it is stopped, and says how far it was."""

    async def work(context: StepContext) -> StepResult:
        try:
            return await hanging(context)
        except asyncio.CancelledError:
            raise StepStopped(
                "half of it is done", type=kind, exit_code=7, retryable=retryable, outputs={"done": 1}
            ) from None

    return work


async def test_a_change_of_infrastructure_that_timed_out_is_never_simply_run_again(lent: Lent) -> None:
    kind = doing(hanging)
    kind.spec = replace(kind.spec, changes_infrastructure=True)
    finish = await Attempt(step("a", timeout_seconds=0.05), 1, kind, {}, lent).run()
    assert (finish.status, finish.retryable) == (StepStatus.FAILED, False)


async def test_a_step_that_has_ended_is_not_stopped_while_its_log_is_stored(lent: Lent) -> None:
    running: list[Attempt] = []

    class SlowBlobs(MemoryBlobs):
        async def put(self, data: bytes) -> BlobRef:
            running[0].stop("cancelled")
            await asyncio.sleep(0.2)
            return await super().put(data)

    lent.blobs = SlowBlobs()

    async def work(context: StepContext) -> StepResult:
        context.log.stdout(random.Random(1).randbytes(5000).hex() + "\n")
        return StepResult({"n": 1}, "done")

    running.append(attempt(lent, work, step("a", timeout_seconds=0.1)))
    finish = await running[0].run()
    assert (finish.status, finish.values, finish.fault) == (StepStatus.SUCCESS, {"n": 1}, None)
    assert len(await lines_of(finish, lent)) == 1


async def test_a_failure_stays_what_it_was_though_the_timeout_comes_right_after_it(lent: Lent) -> None:
    running: list[Attempt] = []

    async def work(_context: StepContext) -> StepResult:
        asyncio.get_running_loop().call_soon(running[0].stop, "timeout")
        raise StepFailed("it is broken", type="broken")

    running.append(attempt(lent, work))
    finish = await running[0].run()
    assert finish.fault is not None
    assert finish.fault["type"] == "broken"


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, ""),
        (CommandResult(0), ""),
        (CommandResult(130, stopped="cancelled", signals_sent=("SIGINT",)), ""),
        (
            CommandResult(None, 15, "cancelled", ("SIGINT", "SIGTERM")),
            "its command did not end on SIGINT, but on SIGTERM",
        ),
        (
            CommandResult(None, 9, "timeout", ("SIGINT", "SIGTERM", "SIGKILL")),
            "its command did not end on SIGINT and SIGTERM, and was killed",
        ),
    ],
)
def test_how_a_command_took_its_stop(result: CommandResult | None, words: str) -> None:
    assert how_it_stopped(result) == words


def test_a_last_line_of_output_is_cut() -> None:
    assert shortened("x" * 200) == "x" * 200
    assert shortened("x" * 5000) == "x" * 199 + "…"


async def test_a_stopped_step_has_the_time_it_takes_to_end_well(lent: Lent) -> None:
    order: list[str] = []
    begun = asyncio.Event()

    async def work(_context: StepContext) -> StepResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            order.append("step has stopped")
        raise AssertionError

    running = attempt(lent, work)
    task = asyncio.create_task(running.run())
    await begun.wait()
    running.stop("cancelled")
    await task
    order.append("attempt has ended")
    assert order == ["step has stopped", "attempt has ended"]


async def test_a_flow_that_is_cancelled_waits_for_the_step_however_often_it_is_told(lent: Lent) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work(_context: StepContext) -> StepResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            ended.set()
        raise AssertionError

    task = asyncio.create_task(attempt(lent, work).run())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


@pytest.mark.parametrize(
    ("end", "status", "kind"),
    [
        (SupervisorError("the supervisor is gone"), StepStatus.FAILED, "outcome_unknown"),
        (StepResult(outputs={}), StepStatus.SUCCESS, ""),
    ],
)
async def test_how_a_step_ended_counts_though_its_flow_was_cancelled(
    lent: Lent, end: StepResult | Exception, status: StepStatus, kind: str
) -> None:
    begun = asyncio.Event()

    async def work(_context: StepContext) -> StepResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if isinstance(end, Exception):
                raise end from None
        assert isinstance(end, StepResult)
        return end

    task = asyncio.create_task(attempt(lent, work).run())
    await begun.wait()
    task.cancel()
    finish = await task
    assert (finish.status, finish.fault["type"] if finish.fault else "") == (status, kind)


async def test_a_step_that_ended_well_though_it_was_stopped_is_a_success(lent: Lent) -> None:
    begun = asyncio.Event()

    async def work(_context: StepContext) -> StepResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return StepResult({"n": 1})
        raise AssertionError

    running = attempt(lent, work)
    task = asyncio.create_task(running.run())
    await begun.wait()
    running.stop("cancelled")
    assert (await task).status is StepStatus.SUCCESS


async def test_a_cancellation_out_of_the_step_itself_is_a_failure(lent: Lent) -> None:
    finish = await attempt(lent, raising(asyncio.CancelledError())).run()
    assert finish.status is StepStatus.FAILED


async def test_a_log_that_can_not_be_kept_does_not_undo_the_step(lent: Lent) -> None:
    class Broken(MemoryBlobs):
        async def put(self, data: bytes) -> BlobRef:
            raise EngineError("the store is full")

    async def work(context: StepContext) -> StepResult:
        for number in range(2000):
            context.log.stdout(f"{number} {number * 7919 % 10007}\n")
        return StepResult({"n": 1})

    lent.blobs = Broken()
    finish = await attempt(lent, work).run()
    assert (finish.status, finish.log) == (StepStatus.SUCCESS, ({"lost": "the store is full"},))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (12, "12 s"), (60, "1 m"), (90, "1 m 30 s"), (1800, "30 m"), (3900, "1 h 5 m"), (86400, "24 h")],
)
def test_a_deadline_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


async def test_reports_and_pages_are_kept_of_a_step_that_failed_too(lent: Lent) -> None:
    lent.masker.add(SECRET)
    report, page = Report("a.sarif", "sarif", SECRET.encode()), Artifact("page", SECRET)

    async def failing(context: StepContext) -> StepResult:
        raise StepFailed("3 findings", type="findings", reports=[report], artifacts=[page])

    async def succeeding(context: StepContext) -> StepResult:
        return StepResult(reports=(report,), artifacts=(page,))

    for work in (failing, succeeding):
        finish = await attempt(lent, work).run()
        [kept] = finish.reports
        assert await lent.blobs.get(BlobRef.from_json(kept)) == MASK.encode()
        assert (kept["name"], finish.artifacts[0].markdown) == ("a.sarif", MASK)


async def test_reports_that_can_t_be_kept_do_not_hide_why_the_step_failed(lent: Lent) -> None:
    class Full(MemoryBlobs):
        async def put(self, data: bytes, /) -> BlobRef:
            if data == b"report":
                raise EngineError("the disk is full")
            return await super().put(data)

    lent.blobs = Full()

    async def work(context: StepContext) -> StepResult:
        raise StepFailed("3 findings", type="findings", reports=[Report("a.sarif", "sarif", b"report")])

    finish = await attempt(lent, work).run()
    assert (finish.fault or {})["message"] == "3 findings"
    assert ("system", "its reports are lost: the disk is full") in await lines_of(finish, lent)
