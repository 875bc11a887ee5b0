"""The server goes and comes back: what was loaded stays, keys work, and everything goes on by itself."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
from aiohttp.test_utils import unused_port
from textual.pilot import Pilot
from textual.widgets import Static

from tenantai.client import Client, ClientError
from tenantai.providers.protocols import Vectors
from tenantai.providers.scripted import ScriptedEmbedding
from tenantai.server import keys
from tenantai.settings import Settings
from tenantai.tui import link, refusals
from tenantai.tui.app import Console, Start
from tenantai.tui.link import GONE, WITHOUT_KEY
from tenantai.tui.local_server import port_here
from tenantai.tui.memory import Memory
from tenantai.tui.screens.chat import Chat
from tenantai.tui.screens.connecting import Connecting
from tenantai.tui.screens.keys import Keys
from tenantai.tui.screens.store import StorePlace
from tenantai.tui.widgets.cited_markdown import CitedMarkdown
from tenantai.tui.widgets.column_chart import ColumnChart
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.said import Answer
from tenantai.tui.widgets.top_bar import StatusLine
from tests.e2e.test_kill import SERVED, call, register
from tests.running import Running, Tenant, until
from tests.tui.conftest import Opener, asked, settled

SAID = ["A long answer has many words. "] * 40
"""What `served.py` says, told how."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the console ask for the server more often than it would a person's."""
    monkeypatch.setattr(link, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(link, "WAIT_SECONDS_FIRST", 0.05)
    monkeypatch.setattr(link, "WAIT_SECONDS_MAX", 0.1)


@asynccontextmanager
async def served(data_dir: Path, port: int, how: str = "-") -> AsyncIterator[str]:
    """Run a server on a port while the block runs, then SIGKILL it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SERVED), str(data_dir), how, str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        yield (await process.stderr.readline()).decode().strip()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def told(console: Console) -> str:
    """Return what the line at the top says."""
    return str(console.screen.query_one(StatusLine).render())


def counts(console: Console) -> set[str]:
    """Return what the lists that are shown say of how many rows they have."""
    lists = [records for records in console.screen.query(RecordList) if records.region.area]
    return {str(records.query_one("#count", Static).render()) for records in lists}


async def opens_without_rows(console: Console, pilot: Pilot[None], key: str) -> None:
    """Go to a place for the first time; it says that nothing was loaded, not that there is nothing."""
    before = console.screen
    await pilot.press(key)
    await until(lambda: console.screen is not before and counts(console) == {GONE})
    assert "Nothing was used" not in drawn(console)


def drawn(console: Console) -> str:
    """Return what the charts show."""
    return "".join(str(chart.render()) for chart in console.screen.query(ColumnChart))


async def test_killed_and_started_again(settings: Settings, tmp_path: Path) -> None:
    """After a SIGKILL the list stays, the line at the top says so, keys work; after the restart everything is asked for anew."""
    port = unused_port()
    async with AsyncExitStack() as first, aiohttp.ClientSession() as session:
        url = await first.enter_async_context(served(settings.data_dir, port))
        await register(session, url)
        key = session.headers["x-api-key"]
        console = Console(Start(url, key, place="keys", folder=tmp_path / "user", memory=Memory(None)))
        async with console.run_test(size=(100, 30)) as pilot:
            await until(lambda: console.times_online == 1)
            await settled(console, pilot)
            place = console.screen
            assert isinstance(place, Keys)
            assert len(place.records.records) == 1
            await first.aclose()
            await until(lambda: console.link_state.status == "offline")
            await until(lambda: "next try in" in told(console))
            assert "what you see is" in told(console)
            assert not isinstance(console.screen, Connecting)
            assert told(console).startswith("✗ server gone · what you see is")
            assert told(console).index("ctrl+r now") < 80 - len("  ctrl+r now")
            for place_key in "345789":
                await opens_without_rows(console, pilot, place_key)
            await pilot.press("6")
            await until(lambda: console.screen is place)
            await pilot.press("slash", *"no such key", "enter", "escape", "colon", *"reload", "enter")
            await pilot.pause()
            assert len(place.records.records) == 1
            async with served(settings.data_dir, port):
                await call(session, "POST", f"{url}/api/v1/tenants/{console.tenant_id}/api-keys", json={"name": "second"})
                await until(lambda: console.link_state.status == "online")
                await until(lambda: len(place.records.records) == 2)
                assert "●" in told(console)
        assert not console._faults


async def test_killed_in_the_middle_of_an_answer(settings: Settings, tmp_path: Path) -> None:
    """After a SIGKILL and a restart what was drawn of the answer is still there, and that R asks again; also after a reload."""
    port = unused_port()
    async with AsyncExitStack() as first, aiohttp.ClientSession() as session:
        url = await first.enter_async_context(served(settings.data_dir, port, "saying"))
        await register(session, url)
        console = Console(Start(url, session.headers["x-api-key"], place="chat", folder=tmp_path / "user", memory=Memory(None)))
        async with console.run_test(size=(100, 30)) as pilot:
            await until(lambda: console.times_online == 1)
            await settled(console, pilot)
            place = console.screen
            assert isinstance(place, Chat)
            place.dialogue.prompt.focus()
            await pilot.press(*"Well?", "enter")
            await until(lambda: place.talk.messages and place.talk.messages[-1].text == "".join(SAID))
            await first.aclose()
            await until(lambda: console.link_state.status == "offline" and not place.dialogue.is_answering)
            async with served(settings.data_dir, port):
                await until(lambda: console.times_online == 2)
                for _ in range(2):
                    await settled(console, pilot)
                    await until(lambda: not any(w.group == "load-conversation" and not w.is_finished for w in console.workers))
                    await settled(console, pilot)
                    question, answer = place.talk.messages
                    assert (question.text, answer.text) == ("Well?", "".join(SAID))
                    assert isinstance(answer, Answer)
                    assert answer.note.endswith("R asks again.")
                    assert answer.query_one(CitedMarkdown).region.height > 1
                    await pilot.press("ctrl+r")
                assert place.dialogue.last_question == "Well?"
        assert not console._faults


async def test_a_request_that_fails_tells_at_once(opened: Opener, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds the server gone tells the link, which says so before its own next question."""
    async with opened(acme.key, place="keys") as (console, _):
        monkeypatch.setattr(link, "PROBE_SECONDS", 60.0)
        assert console.link.lost(ClientError("CONNECTION_LOST", "It broke."))
        assert console.link_state.status == "offline"
        await until(lambda: console.link_state.status == "online")
        assert not console.link.lost(ClientError("FORBIDDEN", "No."))


async def test_a_key_that_is_none(running: Running, tmp_path: Path) -> None:
    """A key that the server refuses is said in its words, with a question for another; the right one connects."""
    tenant = await running.register("Acme")
    start = Start(running.url, "sk_live_wrong", folder=tmp_path, memory=Memory(None))
    console = Console(start)
    async with console.run_test(size=(100, 30)) as pilot:
        await asked(console, pilot, Connecting)
        assert console.link_state.status == "refused"
        await pilot.click("#key")
        await pilot.press(*tenant.key, "enter")
        await until(lambda: console.tenant_id == tenant.id)
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240  small files of the test's own
    assert not [text for text in kept if tenant.key.encode() in text]


async def test_a_key_that_may_not_say_whose_it_is(running: Running, tmp_path: Path) -> None:
    """Each try of a key without `tenant:read` counts as its tenant's, and is audited: the next is a minute away."""
    key, _ = await running.issue(await running.register("Acme"), scopes=["chat:create"])
    console = Console(Start(running.url, key, folder=tmp_path, memory=Memory(None)))
    async with console.run_test(size=(100, 30)) as pilot:
        await asked(console, pilot, Connecting)
        assert "lacks the scope tenant:read" in console.link_state.reason
        assert console.link_state.next_try is not None
        assert console.link_state.next_try - time.monotonic() > link.KEY_SECONDS_FIRST / 2


async def test_no_server_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Where nothing answers here the console offers to start a server on that port; one that it started ends with it."""
    port = unused_port()
    monkeypatch.setenv("TENANTAI_EMBEDDING", "openai")
    monkeypatch.setenv("TENANTAI_OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    start = Start(f"http://127.0.0.1:{port}", None, data_dir=settings.data_dir, folder=tmp_path, memory=Memory(None))
    console = Console(start)
    async with console.run_test(size=(100, 30)) as pilot:
        await asked(console, pilot, Connecting)
        await pilot.press("ctrl+s")
        await until(lambda: console.times_online == 1)
        assert console.link_url == f"http://127.0.0.1:{port}"
        process = console.server._process
        assert process is not None
        assert process.returncode is None
        assert console.link_state.who is not None
        assert console.link_state.who.is_operator
        await pilot.press("ctrl+q")
        await until(lambda: process.returncode is not None)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://127.0.0.1:18499", 18499),
        ("http://localhost:8420/", 8420),
        ("http://[::1]:9000", 9000),
        ("http://127.0.0.1", 80),
        ("https://127.0.0.1:8420", None),
        ("http://127.0.0.1:8420/behind", None),
        ("http://example.org:8420", None),
        ("http://127.0.0.1:nonsense", None),
        ("nonsense", None),
    ],
)
def test_where_a_server_can_be_started(url: str, port: int | None) -> None:
    """A server is offered for plain addresses of this machine, on their port."""
    assert port_here(url) == port


async def test_a_key_that_is_revoked_meanwhile(opened: Opener, running: Running, acme: Tenant) -> None:
    """A 401 in mid-session is said with what to do, in a notice, at the top, and in lists opened since; rows stay."""
    key, key_id = await running.issue(acme)
    async with opened(key, place="keys", size=(80, 24)) as (console, pilot):
        place = console.screen
        assert isinstance(place, Keys)
        rows = len(place.records.records)
        await running.revoke(acme, key_id)
        running.app[keys.KEY_RING].forget_all()
        await pilot.press("ctrl+r")
        await until(lambda: console.link_state.status == "refused")
        await until(lambda: "ctrl+l takes another key" in told(console))
        assert "not accepted" in told(console)
        await until(lambda: any("ctrl+l takes another key" in notice.message for notice in console._notifications))
        assert len(place.records.records) == rows
        await pilot.press("5")
        await until(lambda: console.screen is not place and counts(console) == {WITHOUT_KEY})
        await pilot.press("ctrl+l")
        await asked(console, pilot, Connecting)
        await pilot.click("#key")
        await pilot.press(*acme.key, "enter")
        await until(lambda: console.link_state.status == "online")
        await until(lambda: counts(console) != {WITHOUT_KEY})


async def test_an_idle_console_notices_that_its_key_was_revoked(
    opened: Opener, running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no key pressed and nothing asked for, a revoked key is said once, with what to do; another one goes on."""
    monkeypatch.setattr(link, "KEY_SECONDS_FIRST", 0.2)
    key, key_id = await running.issue(acme)
    async with opened(key, place="keys", size=(80, 24)) as (console, pilot):
        place = console.screen
        assert isinstance(place, Keys)
        rows = len(place.records.records)
        await running.revoke(acme, key_id)
        running.app[keys.KEY_RING].forget_all()
        await until(lambda: console.link_state.status == "refused")
        assert console.link_state.is_key_refused
        await until(lambda: told(console).startswith("✗ key not accepted · ctrl+l takes another key"))
        assert refusals.KEY_ENDED in console.link_state.reason
        await until(lambda: len(console._notifications) > 0)
        notices = [notice.message for notice in console._notifications]
        assert notices == [f"{refusals.KEY_ENDED} ctrl+l takes another key."]
        assert len(place.records.records) == rows
        await pilot.press("ctrl+l")
        await asked(console, pilot, Connecting)
        await pilot.click("#key")
        await pilot.press(*acme.key, "enter")
        await until(lambda: console.link_state.status == "online")
        await until(lambda: told(console).startswith("Acme"))


async def test_a_stream_that_ends_with_its_key(
    opened: Opener, acme: Tenant, running: Running, monkeypatch: pytest.MonkeyPatch, gate: asyncio.Event
) -> None:
    """Where the server ends the live progress, as it does for a revoked key, the console asks at once."""
    embed = ScriptedEmbedding.embed

    async def waiting(self: ScriptedEmbedding, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        await gate.wait()
        return await embed(self, texts, purpose=purpose)

    monkeypatch.setattr(ScriptedEmbedding, "embed", waiting)
    key, key_id = await running.issue(acme)
    await running.post_file(acme, b"Words.", "words.txt")
    async with opened(key, place="store", size=(80, 24)) as (console, _):
        place = console.screen
        assert isinstance(place, StorePlace)
        await until(lambda: place.underway)
        await running.revoke(acme, key_id)
        running.app[keys.KEY_RING].forget_all()
        await until(lambda: console.link_state.is_key_refused)
        assert not place.underway
        gate.set()


async def test_a_key_that_may_do_less_meanwhile(
    opened: Opener, running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the role of a key's account is another, what the key may do no more is grey without a restart, and said."""
    monkeypatch.setattr(link, "KEY_SECONDS_FIRST", 0.2)
    account = await running.add_account(acme, "Desk", role="member")
    key, _ = await running.issue(acme, account=account)
    async with opened(key, place="store", size=(100, 30)) as (console, _):
        enabled = {offer.id for offer in console.offered() if offer.is_enabled}
        assert "store.upload" in enabled
        path = f"{acme.path}/accounts/{account.id}"
        assert (await running.send("PATCH", path, key=acme.key, json={"role": "viewer"})).status == 200
        await until(lambda: any("file:upload" in notice.message for notice in console._notifications))
        assert console.link_state.status == "online"
        enabled = {offer.id for offer in console.offered() if offer.is_enabled}
        assert "store.upload" not in enabled
        assert "store.search" in enabled


def test_what_asking_about_the_key_costs() -> None:
    """A console that nobody uses asks a hundred times a day at most, a tenth of a free tenant's requests."""
    waits, total = [link.KEY_SECONDS_FIRST], 0.0
    while (total := total + waits[-1]) < 86_400:
        waits.append(link.longer(waits[-1]))
    assert waits[:5] == [60, 120, 240, 480, 900]
    assert len(waits) <= 100
    assert link.longer(0.0) == link.KEY_SECONDS_FIRST


async def test_a_person_who_comes_back_has_the_key_asked_about(
    opened: Opener, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long nobody was there, the first key pressed has the server asked, unless it was asked just before."""
    async with opened(acme.key, place="keys", size=(80, 24)) as (console, pilot):
        monkeypatch.setattr(link, "PROBE_SECONDS", 600.0)
        before = console.link._key_asked_at
        await pilot.press("j")
        await pilot.pause()
        assert console.link._key_asked_at == before
        console.link._key_wait = 900.0
        console.link._key_asked_at -= 100
        await pilot.press("j")
        await until(lambda: console.link._key_asked_at > before)


async def test_a_list_says_which_scope_lacks(opened: Opener, running: Running, acme: Tenant) -> None:
    """Where a list may not be read, its own line says so for as long as it is shown, and what to do."""
    key, _ = await running.issue(acme, scopes=("tenant:read",))
    async with opened(key, place="audit", size=(80, 24)) as (console, _):
        await until(lambda: all("lacks the scope audit:read" in line for line in counts(console)) and counts(console))
        assert any("ctrl+l takes another key" in notice.message for notice in console._notifications)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("requests_per_month", "The month's requests are used up"),
        ("tokens_per_month", "The month's tokens are used up"),
        ("storage_bytes", "The storage is full"),
        (None, "A quota is used up"),
    ],
)
def test_which_quota_is_used_up(reason: str | None, said: str) -> None:
    """The heading of a refusal names the quota that it is about."""
    error = ClientError("QUOTA_EXCEEDED", "No.", details={"reason": reason} if reason else None)
    assert refusals.heading(error) == said


async def test_full_storage_is_said_as_such(
    opened: Opener, running: Running, acme: Tenant, operator: str, tmp_path: Path
) -> None:
    """An upload that finds no room is not told as a month's quota."""
    async with Client(running.url, operator) as client:
        await client.tenants.limit(acme.id, {"storageBytes": 10})
    async with opened(acme.key, place="store") as (console, _):
        path = tmp_path / "long.txt"
        path.write_text("More than ten bytes.")
        client = await console.link.client()
        with pytest.raises(ClientError) as refused:
            await client.files.upload(acme.id, acme.account.id, path=path)
        console.refused(refused.value)
        await until(lambda: [notice.title for notice in console._notifications] == ["The storage is full"])


@pytest.mark.parametrize(("url", "key"), [("nonsense", "sk_live_x"), ("http://127.0.0.1:1", "two\nlines")])
async def test_an_address_or_a_key_that_can_be_none(tmp_path: Path, url: str, key: str) -> None:
    """What can't be an address or a key is said at once, with the question for another, and is not tried again as it is."""
    console = Console(Start(url, key, folder=tmp_path, memory=Memory(None)))
    async with console.run_test(size=(100, 30)) as pilot:
        await asked(console, pilot, Connecting)
        assert (console.link_state.status, console.link_state.next_try) == ("refused", None)
        assert "ctrl+l" in told_below(console)


def told_below(console: Console) -> str:
    """Return what the line at the top of the place below a question says."""
    return str(console.screen_stack[0].query_one(StatusLine).render())
