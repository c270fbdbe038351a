"""The secrets of triggers, as they are read again."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.gateway.catalog import Catalog, Target
from prefect_wfexec.steps.registry import catalog as step_catalog

DEFINITION = """
version: 1
name: release
triggers: [{id: push, type: github, events: [push], secret: service}]
steps: [{id: tell, run: echo}]
"""
WORKFLOW = load_text(DEFINITION, None, step_catalog())
TARGET = Target("release/main", uuid4(), WORKFLOW, WORKFLOW.triggers[0])


class Blocks:
    """Prefect's API, as far as it holds one block."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.is_away = False
        self.reads = 0

    async def read_block_document_by_name(self, _name: str, _slug: str) -> Any:
        self.reads += 1
        secret = self.secret
        await asyncio.sleep(0)
        if self.is_away:
            raise httpx.ConnectError("away")
        return SimpleNamespace(data={"secret": secret})


def values(catalog: Catalog) -> list[bytes]:
    return [one.value for one in catalog.secrets_of(TARGET).all]


async def test_a_secret_changed_just_now_is_seen_by_the_next_delivery_it_proves() -> None:
    blocks: Any = Blocks("first")
    catalog = Catalog(blocks)
    for secret in ("first", "second", "third"):
        blocks.secret = secret
        await catalog.secrets_again(TARGET)
        assert values(catalog) == [secret.encode()]


async def test_a_crowd_that_proves_nothing_shares_one_look() -> None:
    blocks: Any = Blocks("first")
    catalog = Catalog(blocks)
    await catalog.secrets_again(TARGET)
    blocks.secret, blocks.reads = "second", 0
    await asyncio.gather(*(catalog.secrets_again(TARGET) for _ in range(500)))
    assert (values(catalog), blocks.reads) == ([b"second"], 1)


async def test_secrets_stay_while_prefect_is_away() -> None:
    blocks: Any = Blocks("first")
    catalog = Catalog(blocks)
    await catalog.secrets_again(TARGET)
    blocks.is_away = True
    assert [one.value for one in (await catalog.secrets_again(TARGET)).all] == [b"first"]


async def test_a_secret_never_read_proves_nothing() -> None:
    blocks: Any = Blocks("first")
    blocks.is_away = True
    with pytest.raises(Exception, match="can't be read"):
        await Catalog(blocks).secrets_again(TARGET)
