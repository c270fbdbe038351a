"""Slack messages against a stand-in for Slack's Web API and a block saved on a real Prefect server."""

import asyncio
import logging
import uuid
from collections.abc import Iterator

import pytest

from prefect_wfexec.blocks import SlackBot
from prefect_wfexec.errors import EngineError, StepFailed, StepSkipped
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.testing import log_of, make_context, run_step
from tests.support.server import PrefectServer
from tests.support.slack_stub import Answer, SlackStub


@pytest.fixture
def slack() -> Iterator[SlackStub]:
    with SlackStub() as stub:
        yield stub


@pytest.fixture
async def bot(api: PrefectServer, slack: SlackStub) -> str:
    """The name of a saved bot that talks to the stub."""
    name = f"bot-{uuid.uuid4().hex[:8]}"
    await SlackBot(token=slack.token, base_url=slack.base_url).asave(name)
    return name


def message(bot: str, *, channel: str = "#deploys", text: str = "deployed", **options: object) -> StepContext:
    return make_context("slack.message", with_={"channel": channel, "text": text, "block": bot}, **options)


async def failure_of(context: StepContext) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await run_step(context)
    return caught.value


async def test_sends_the_message_and_gives_its_address(slack, bot) -> None:
    context = message(bot, text="production: *Succeeded* ✓")
    result = await run_step(context)
    assert result.summary == "Slack message sent"
    assert [(sent["channel"], sent["text"]) for sent in slack.messages] == [("#deploys", "production: *Succeeded* ✓")]
    ts = result.outputs["ts"]
    assert result.outputs["permalink"] == f"https://stub.slack.com/archives/C0DEPLOYS/p{ts.replace('.', '')}"


async def test_the_token_is_masked_from_then_on_and_never_logged(slack, bot, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    context = message(bot)
    await run_step(context)
    assert context.masker.mask(f"token {slack.token}") == "token ***"
    assert slack.token not in log_of(context).text()
    assert slack.token not in caplog.text


async def test_secrets_do_not_reach_the_channel(slack, bot) -> None:
    await run_step(message(bot, text="password is s3cr3t-t0ken", secrets=("s3cr3t-t0ken",)))
    assert slack.messages[0]["text"] == "password is ***"


async def test_a_text_of_more_than_40000_characters_is_cut(slack, bot) -> None:
    await run_step(message(bot, text="ü" * 40_000))
    await run_step(message(bot, text="ü" * 40_001))
    assert slack.messages[0]["text"] == "ü" * 40_000
    assert slack.messages[1]["text"] == "ü" * 39_999 + "…"


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        ("channel_not_found", "invite the bot"),
        ("not_in_channel", "invite the bot"),
        ("invalid_auth", "token"),
        ("missing_scope", "chat:write"),
        ("some_new_error", "some_new_error"),
    ],
)
async def test_what_slack_refuses_is_typed_and_mended(slack, bot, error: str, mend: str) -> None:
    slack.refuse("chat.postMessage", error)
    failure = await failure_of(message(bot))
    assert failure.type == f"slack_{error}"
    assert error in failure.message
    assert mend in (failure.hint or "")
    assert slack.messages == []


async def test_a_wrong_token_is_refused_without_being_shown(api, slack) -> None:
    await SlackBot(token="xoxb-wrong-token", base_url=slack.base_url).asave("wrong", overwrite=True)
    context = message("wrong")
    failure = await failure_of(context)
    assert failure.type == "slack_invalid_auth"
    assert "xoxb-wrong-token" not in failure.message + log_of(context).text()


async def test_a_rate_limit_is_waited_out(slack, bot) -> None:
    slack.rate_limit("chat.postMessage", "0.2", times=2)
    context = message(bot)
    await run_step(context)
    assert len(slack.messages) == 1
    assert log_of(context).text("system").count("Slack asks to wait 0.2 s") == 2


async def test_a_rate_limit_longer_than_the_step_may_take_fails_at_once(slack, bot) -> None:
    slack.rate_limit("chat.postMessage", "600")
    failure = await failure_of(message(bot, timeout_seconds=30))
    assert failure.type == "slack_ratelimited"
    assert slack.messages == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b"<html>oops</html>", {"Content-Type": "text/html"}),
        Answer(502, b"bad gateway", {"Content-Type": "text/plain"}),
        Answer(200, b"{broken", {"Content-Type": "application/json"}),
        Answer(200, b"[1]", {"Content-Type": "application/json"}),
        Answer(200, b"[]", {"Content-Type": "application/json"}),
        Answer(200, b"{}", {"Content-Type": "application/json"}),
    ],
)
async def test_an_answer_without_a_reason_is_a_failure(slack, bot, answer: Answer) -> None:
    slack.answer("chat.postMessage", answer)
    failure = await failure_of(message(bot))
    assert failure.type == "slack_unreachable"
    assert str(answer.status) in failure.message


async def test_nobody_there_is_unreachable(api) -> None:
    await SlackBot(token="xoxb-any-token", base_url="http://127.0.0.1:1/").asave("nobody", overwrite=True)
    assert (await failure_of(message("nobody"))).type == "slack_unreachable"


async def test_an_api_that_does_not_answer_is_a_fault_of_the_engine(tmp_path) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api", PREFECT_HOME: tmp_path}),
        pytest.raises(EngineError, match=r"can't be read from Prefect's API"),
    ):
        await run_step(message("slack"))


@pytest.mark.parametrize("answer", [Answer(500, b"oops"), Answer(200, b"[1]", {"Content-Type": "application/json"})])
async def test_no_link_is_no_failure(slack, bot, answer: Answer) -> None:
    slack.answer("chat.getPermalink", answer)
    result = await run_step(message(bot))
    assert result.outputs["permalink"] == ""
    assert len(slack.messages) == 1


async def test_a_bot_nobody_saved_is_missing(api) -> None:
    failure = await failure_of(message("nobody-saved-this"))
    assert failure.type == "missing_block"
    assert "'nobody-saved-this'" in failure.message
    assert "prefect block register" in (failure.hint or "")


async def test_an_optional_message_without_a_bot_is_skipped(api) -> None:
    context = make_context(
        "slack.message", with_={"channel": "#d", "text": "t", "block": "nobody-saved-this", "optional": True}
    )
    with pytest.raises(StepSkipped, match="no Slack block 'nobody-saved-this' is saved, and the step is optional"):
        await run_step(context)


async def test_the_bot_is_called_slack_when_none_is_named() -> None:
    assert make_context("slack.message", with_={"channel": "#d", "text": "t"}).inputs.block == "slack"


async def test_a_slack_that_never_answers_leaves_open_whether_the_message_was_sent(slack, bot) -> None:
    slack.hang("chat.postMessage")
    failure = await failure_of(message(bot, timeout_seconds=2))
    assert failure.type == "timeout"
    assert failure.message.endswith("\nSlack had not answered: the message may or may not have been sent")


async def test_a_message_that_was_sent_is_not_sent_again_because_its_link_takes_long(slack, bot) -> None:
    slack.hang("chat.getPermalink")
    context = message(bot)
    task = asyncio.create_task(run_step(context))
    async with asyncio.timeout(60):
        while "sent to #deploys" not in log_of(context).text():
            await asyncio.sleep(0.01)
    task.cancel()
    result = await task
    assert (result.outputs["ts"], result.outputs["permalink"]) == ("1700000000.000000", "")
    assert len(slack.messages) == 1
