"""Lines of a log that nobody reads any more."""

import logging
import os
from collections.abc import Iterator

import pytest
from prefect.logging.handlers import PrefectConsoleHandler

from prefect_wfexec.runtime.console import go_on_unread


@pytest.fixture
def unread() -> Iterator[logging.Logger]:
    """A logger of Prefect's kind whose lines go into a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    logger = logging.getLogger("tests.unread")
    logger.propagate = False
    stream = os.fdopen(write, "w")
    logger.addHandler(PrefectConsoleHandler(stream))
    try:
        yield logger
    finally:
        logger.handlers.clear()
        with pytest.raises(BrokenPipeError):
            stream.close()


def test_a_line_that_nobody_reads_ends_no_run(unread: logging.Logger) -> None:
    go_on_unread()
    unread.error("the worker is gone")
    unread.error("and stays so")


def test_without_that_it_would_end_the_process(unread: logging.Logger) -> None:
    with pytest.raises(SystemExit):
        unread.error("the worker is gone")
