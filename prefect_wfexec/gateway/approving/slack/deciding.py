"""What comes of a button that was pressed, or of the form behind it, after Slack has its answer."""

import logging
from dataclasses import replace

from prefect_wfexec.engine.approvals.links import NoLink, read_button
from prefect_wfexec.engine.notices.senders import NotSent, ask_slack
from prefect_wfexec.engine.notices.texts import headline, outcome_words, slack_message
from prefect_wfexec.errors import Unreachable, UsageError
from prefect_wfexec.gateway.approving.giving import Wish, give
from prefect_wfexec.gateway.approving.question import Question, about, load_question, within_reach
from prefect_wfexec.gateway.approving.showing import line
from prefect_wfexec.gateway.approving.slack.answers import change, tell
from prefect_wfexec.gateway.approving.slack.bots import Bot
from prefect_wfexec.gateway.approving.slack.forms import COMMENT, form_of, given_fields, needs_form
from prefect_wfexec.gateway.approving.slack.payloads import Sent
from prefect_wfexec.gateway.approving.slack.people import person_of
from prefect_wfexec.gateway.services import Services
from prefect_wfexec.journal.facts import Actor, utc_now

logger = logging.getLogger(__name__)
_OLD = "This button opens nothing: its time is over, or what it asked about has changed since."


async def handle(services: Services, signed_for: dict[str, Bot], sent: Sent) -> None:
    """Do what somebody asked for in Slack, and tell them what came of it.

    Args:
        services: What the gateway works with.
        signed_for: The bots that Slack signed the request for.
        sent: What it says.
    """
    any_bot = next(iter(signed_for.values()))
    try:
        binding = read_button(services.keys.links, sent.press.button, utc_now())
        # What one workspace's Slack signs says nothing of another's.
        bot = signed_for.get(binding.holder)
        if bot is None:
            raise NoLink("the button is another bot's")
        async with within_reach():
            await _answered(services, bot, await load_question(services, binding), sent)
    except NoLink:
        await tell(any_bot.access, sent.press, _OLD)
    except UsageError as refused:
        words = refused.message + (f": {refused.hint}" if refused.hint else "")
        await tell(any_bot.access, sent.press, f"Not counted: {line(words)}.")
    except (Unreachable, NotSent) as fault:
        logger.warning("a decision in Slack was not taken: %s", fault.message)
        await tell(any_bot.access, sent.press, f"Not now: {line(fault.message)}. Press the button again.")
    except Exception:
        logger.exception("a decision in Slack was not taken")
        await tell(any_bot.access, sent.press, "Not now: the gateway has a fault, which its log names.")


async def _answered(services: Services, bot: Bot, question: Question, sent: Sent) -> None:
    gate, press = question.gate, sent.press
    if not gate.is_open or question.is_over:
        await _show(services, bot, question, sent)
        words = outcome_words(gate) if gate.outcome else "The run has ended"
        await tell(bot.access, press, f"There is nothing left to decide. {line(words)}.")
        return
    person = await person_of(bot.access, sent.user)
    if sent.filled is None and needs_form(gate, press.decision):
        view = form_of(gate, press, line(headline("asked", about(services, question))))
        await ask_slack(bot.access, "views.open", {"trigger_id": sent.trigger, "view": view})
        return
    filled = sent.filled or {}
    wish = Wish(press.decision, filled.get(COMMENT, ""), given_fields(filled))
    outcome = await give(services, question, person, wish)
    await _show(services, bot, question, sent, _note(person, press.decision) if outcome == "requested" else "")


async def _show(services: Services, bot: Bot, question: Question, sent: Sent, note: str = "") -> None:
    """Have the message say how it stands by now."""
    gate = question.gate
    shown = replace(about(services, question), button=sent.press.button, note=note)
    text, blocks = slack_message("changed" if gate.decisions or not gate.is_open else "asked", shown)
    await change(bot.access, sent.press, text, blocks)


def _note(person: Actor, decision: str) -> str:
    return f"{person.name} chose to {decision}. It is on record, and the run takes it up when its process next looks."
