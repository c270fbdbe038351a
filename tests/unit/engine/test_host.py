"""Which process runs a run."""

import os
import subprocess
import sys

from prefect_wfexec.engine.host import host_id, is_alive, process_started, this_process


def test_this_process_lives() -> None:
    pid, started = this_process()
    assert pid == os.getpid()
    assert started.isdecimal()
    assert is_alive(pid, started)


def test_a_pid_that_was_used_again_is_another_process() -> None:
    pid, started = this_process()
    assert not is_alive(pid, str(int(started) - 1))
    assert not is_alive(pid, "")


def test_a_process_that_ended_does_not_live_before_or_after_its_parent_looks() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = process_started(child.pid)
    assert is_alive(child.pid, started)
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid, started)
    child.wait()
    assert process_started(child.pid) == ""
    assert not is_alive(child.pid, started)


def test_a_program_may_be_named_to_mislead() -> None:
    child = subprocess.Popen(["bash", "-c", "exec -a 'x) R 1 2 3 (y' sleep 600"])
    try:
        assert is_alive(child.pid, process_started(child.pid))
        assert process_started(child.pid).isdecimal()
    finally:
        child.kill()
        child.wait()


def test_the_machine_is_named_the_same_by_all_its_processes() -> None:
    code = "from prefect_wfexec.engine.host import host_id; print(host_id())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == host_id().strip()
    assert len(host_id().split()) >= 2
