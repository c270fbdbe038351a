"""A run of all tests takes some of the long stories, drawn at random, so that it ends in good time."""

import random
from collections.abc import Iterable, Sequence

import pytest

STORIES = tuple(
    f"tests/acceptance/{folder}/"
    for folder in ("browser", "cli", "console", "deployed", "gateway", "pipelines", "product")
)
SHARE = 3
ALWAYS = frozenset(
    {
        "tests/acceptance/browser/test_approving.py",
        "tests/acceptance/cli/test_run.py",
        "tests/acceptance/deployed/test_repository.py",
    }
)
"""The main job: it is in every sample."""


def seed_of(config: pytest.Config) -> str:
    """What the sample is drawn with."""
    given: str | None = config.getoption("--stories-seed")
    return given or str(random.SystemRandom().randrange(10**6))


def drawn(files: Iterable[str], seed: str) -> set[str]:
    """A third of the files of each folder of stories, and the main job."""
    found = sorted(set(files))
    taken = ALWAYS & set(found)
    for folder in STORIES:
        others = [name for name in found if name.startswith(folder) and name not in ALWAYS]
        random.Random(f"{seed} {folder}").shuffle(others)
        taken |= set(others[: -(-len(others) // SHARE)])
    return taken


def split(items: Sequence[pytest.Item], seed: str) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests to run, and those left out."""
    names = {item: item.nodeid.partition("::")[0] for item in items}
    stories = {name for name in names.values() if name.startswith(STORIES)}
    left_out = stories - drawn(stories, seed)
    return (
        [item for item in items if names[item] not in left_out],
        [item for item in items if names[item] in left_out],
    )
