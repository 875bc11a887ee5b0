"""Uploads at once share the room that their tenant has: at the limit one gets through, and what the others held is free again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from tenantai.identifiers import now
from tenantai.server import keys
from tenantai.settings import Plan, Plans, Settings
from tests.running import Reply, Running, Tenant, serving, until

LIMIT, PART = 1_500_000, 600_000


class Sending:
    """An upload whose second half waits until it is told."""

    def __init__(self, running: Running, tenant: Tenant, letter: str, *, is_asset: bool = False) -> None:
        self.rest = asyncio.Event()
        path = f"{tenant.path}/assets?path={letter}" if is_asset else tenant.files
        self.task = asyncio.create_task(self._send(running, tenant, path, letter.encode()))

    async def _send(self, running: Running, tenant: Tenant, path: str, letter: bytes) -> Reply:
        form = aiohttp.FormData()
        form.add_field("file", self._content(letter), filename="a.txt")
        return await running.send("POST", path, key=tenant.key, data=form)

    async def _content(self, letter: bytes) -> AsyncIterator[bytes]:
        yield letter * PART
        await self.rest.wait()
        yield letter * PART


@pytest.fixture
async def small(settings: Settings) -> AsyncIterator[Running]:
    """A server whose tenants may store little."""
    async with serving(settings.model_copy(update={"plans": Plans(pro=Plan(storage_bytes=LIMIT))})) as running:
        yield running


def held(running: Running, tenant: Tenant) -> int:
    return running.app[keys.DOCUMENTS]._room._held[tenant.id]


def incoming(running: Running) -> list[Path]:
    return list((running.app[keys.SETTINGS].data_dir / "files" / "incoming").iterdir())


@pytest.mark.parametrize("is_asset", [False, True])
async def test_two_at_once(small: Running, is_asset: bool) -> None:
    """Of two that fit alone and not together one is refused before its end, the other is taken, and nothing stays held."""
    acme = await small.register("Acme")
    one, other = Sending(small, acme, "a"), Sending(small, acme, "b", is_asset=is_asset)
    await until(lambda: held(small, acme) > PART)
    other.rest.set()
    refused = await other.task
    assert (refused.status, refused.error["code"]) == (429, "QUOTA_EXCEEDED")
    details = refused.error["details"]
    assert (details["reason"], details["limit"]) == ("storage_bytes", LIMIT)
    assert 0 < details["used"] <= PART
    wait = (datetime.fromisoformat(details["resetAt"]) - now()).total_seconds()
    assert wait == pytest.approx(int(refused.headers["Retry-After"]), abs=5)
    one.rest.set()
    assert (await one.task).status == 202
    assert (held(small, acme), incoming(small)) == (0, [])
    assert (await small.post_file(acme, b"c" * (LIMIT - 2 * PART), "c.txt")).status == 202


async def test_client_that_leaves(small: Running) -> None:
    """What an upload held whose client left is free again; another tenant's uploads are its own."""
    acme, globex = await small.register("Acme"), await small.register("Globex")
    leaving, theirs = Sending(small, acme, "a"), Sending(small, globex, "b")
    await until(lambda: held(small, acme) and held(small, globex))
    theirs.rest.set()
    assert (await theirs.task).status == 202
    leaving.task.cancel()
    with suppress(asyncio.CancelledError):
        await leaving.task
    await until(lambda: not held(small, acme) and not incoming(small))


async def test_bytes_that_are_there_already(small: Running) -> None:
    """A full tenant may send what it has: an upload that is alone is judged at its end."""
    acme = await small.register("Acme")
    assert (await small.post_file(acme, b"a" * PART, "a.txt")).status == 202
    assert (await small.post_file(acme, b"b" * (LIMIT - PART), "b.txt")).status == 202
    again = await small.post_file(acme, b"a" * PART, "again.txt")
    assert (again.status, again.data["isNew"]) == (202, False)
