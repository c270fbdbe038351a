"""Stops a command whose supervisor died: the flow process still has its pipes, and knows what was sent to it."""

import asyncio
import signal
import time

from prefect_wfexec.runtime.running import RunningCommand
from prefect_wfexec.runtime.supervision.processes import (
    Process,
    all_processes,
    find_process,
    ignores_interrupt,
    marker_of,
)
from prefect_wfexec.runtime.supervision.stopping import GroupSignals, StopSequence
from prefect_wfexec.runtime.supervision.sweeping import GIVE_UP_SECONDS, Sweep

_LOOK_SECONDS = 0.05
_BIRTH_SECONDS = 0.5
"""How long a command may take to appear that was being started when the supervisor died."""


async def stop_without_supervisor(running: RunningCommand) -> None:
    """Stop the command by its own policy until nothing of it is left; a SIGINT that may have been sent is not sent."""
    await _find_leader(running)
    await _stop_group(running)
    await _sweep(running)


async def _find_leader(running: RunningCommand) -> None:
    """Learn the pid of a command that was started but not yet told of."""
    until = time.monotonic() + _BIRTH_SECONDS
    while running.pid is None and time.monotonic() < until:
        for process in _marked(running):
            if process.session == process.pid:
                running.pid, running.started = process.pid, process.started
        await asyncio.sleep(_LOOK_SECONDS)


async def _stop_group(running: RunningCommand) -> None:
    pid = running.pid
    if pid is None:
        return
    policy = running.command.stop
    signals = GroupSignals(pid, may_terminate=policy.terminate_seconds is not None)
    sequence = StopSequence(
        policy.interrupt_seconds, policy.terminate_seconds, send=lambda number: _send(running, signals, number)
    )
    now = time.monotonic()
    if running.stop_asked_at is not None:
        sequence.continue_from(running.signals_sent, since=running.stop_asked_at)
    elif _group(running):
        running.note_stop("supervisor_died")
        sequence.begin(now)
    given_up = float("inf")
    while (group := _group(running)) and now < given_up:
        if all(process.pid != pid for process in group):
            signals.leader_ended()
            if all(ignores_interrupt(process.pid) for process in group):
                sequence.hurry(now)
        sequence.advance(now)
        if sequence.has_killed and given_up == float("inf"):
            given_up = now + GIVE_UP_SECONDS
        await asyncio.sleep(_LOOK_SECONDS)
        now = time.monotonic()
    running.signals_sent = sequence.sent


async def _sweep(running: RunningCommand) -> None:
    now = time.monotonic()
    sweep = Sweep(now, may_terminate=running.command.stop.terminate_seconds is not None)
    while (left := _marked(running)) and not sweep.is_hopeless(now):
        sweep.advance(left, now)
        await asyncio.sleep(_LOOK_SECONDS)
        now = time.monotonic()


def _send(running: RunningCommand, signals: GroupSignals, number: signal.Signals) -> None:
    if _group(running):
        signals.send(number)


def _group(running: RunningCommand) -> list[Process]:
    """The living processes of the command's group; none when its pid has come to mean another process."""
    pid = running.pid
    leader = find_process(pid) if pid else None
    if leader is not None and running.started and leader.started != running.started:
        return []
    return [process for process in all_processes() if process.group == pid and process.is_alive]


def _marked(running: RunningCommand) -> list[Process]:
    return [process for process in all_processes() if process.is_alive and marker_of(process.pid) == running.id]
