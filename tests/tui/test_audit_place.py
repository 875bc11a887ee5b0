"""The place of the audit log: scrolled, filtered, followed, proved and exported from the keyboard, against a real server."""

import json
from pathlib import Path

import pytest
from textual.widgets import Static

from tenantai.client import Client, ClientError
from tenantai.server import keys
from tenantai.storage import audit
from tenantai.storage.database import Transaction, compiled
from tenantai.tui import audit_rows
from tenantai.tui.app import Console
from tenantai.tui.audit_rows import Part, WholeLog
from tenantai.tui.screens.audit import Audit
from tenantai.tui.screens.audit_entry import leads
from tenantai.tui.screens.keys import Keys
from tenantai.tui.screens.questions import Choose
from tenantai.tui.widgets.details_pane import DetailsPane
from tenantai.tui.widgets.said import Asked
from tenantai.wire.audit import AuditRecord
from tests.running import API, Running, Tenant, until
from tests.tui.conftest import Opener, settled
from tests.vaults import Vault


def place_of(console: Console) -> Audit:
    screen = console.screen
    assert isinstance(screen, Audit)
    return screen


async def write(running: Running, tenant: Tenant, count: int, **given: object) -> None:
    """Write entries into a tenant's chain."""

    async def unit(transaction: Transaction) -> None:
        for number in range(count):
            told = {"event_type": "file.indexed", "details": {"name": f"file {number}.txt"}, **given}
            await audit.record(transaction, tenant.id, actor=audit.SYSTEM, **told)  # type: ignore[arg-type]

    await running.app[keys.DATABASE].write(unit)


async def listed(console: Console) -> Audit:
    """Return the place once every row that is seen is there."""
    place = place_of(console)
    table = place.records.vast
    await until(lambda: table.row_count and not place.records._is_loading and None not in map(table.row_at, range(*table.seen)))
    return place


def rows(place: Audit) -> list[str]:
    return [entry.event_type for entry in seen(place)]


def seen(place: Audit) -> list[AuditRecord]:
    """Return the entries that are seen and held."""
    table = place.records.vast
    return [entry for entry in map(table.row_at, range(*table.seen)) if entry is not None]


def exported(console: Console) -> list[Path]:
    """Return the files that were written."""
    return list((console.folder / "exports").glob("audit-*.jsonl"))


async def typed(console: Console, text: str) -> Audit:
    """Filter, and return the place once the answer is there."""
    place = place_of(console)
    before = place.log_shown
    place.records.action_filter(text)
    await until(lambda: place.log_shown is not before)
    return place


async def test_any_of_many_entries_is_there_where_one_looks(opened: Opener, running: Running, acme: Tenant) -> None:
    """`G` goes to the oldest entry at once, `g` back to the newest; in between nothing is asked for, and little is held."""
    await write(running, acme, 3_000)
    async with opened(acme.key, place="audit") as (console, pilot):
        place = await listed(console)
        newest = seen(place)[0]
        assert place.records.count_text().endswith(f"of {newest.sequence:,} entries")
        await pilot.press("G")
        await until(lambda: place.records.current is not None)
        assert place.records.current is not None
        assert (place.records.current.sequence, place.records.current.event_type) == (1, "tenant.created")
        assert isinstance(place.log_shown, WholeLog)
        assert place.log_shown.pages_held < 6
        await pilot.press("g")
        await listed(console)
        assert place.records.current == newest


async def test_what_is_held_is_bounded(opened: Opener, running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far one scrolls, no more than so many pages are held, and every row is the right one."""
    monkeypatch.setattr(audit_rows, "PAGES_KEPT", 3)
    await write(running, acme, 2_000)
    async with opened(acme.key, place="audit") as (console, pilot):
        place = await listed(console)
        log = place.log_shown
        assert isinstance(log, WholeLog)
        for _ in range(12):
            place.records.table.cursor += 170
            await listed(console)
            first, _ = place.records.vast.seen
            assert [entry.sequence for entry in seen(place)[:3]] == [log.newest - first - n for n in range(3)]
            assert log.pages_held <= 3
        await pilot.press("g")
        await listed(console)


async def test_the_server_filters_what_is_typed(opened: Opener, running: Running, acme: Tenant) -> None:
    """A term narrows what the server sends; Tab completes names and values from the vocabulary; Escape shows all again."""
    await write(running, acme, 500)
    await running.issue(acme)
    async with opened(acme.key, place="audit") as (console, pilot):
        await listed(console)
        await pilot.press("slash", *"ev", "tab", *"account.c", "tab")
        place = place_of(console)
        assert place.records.filter_text == "event:account.created"
        await until(lambda: rows(place) == ["account.created"])
        assert place.records.count_text() == "1–1 of 1 entries"
        await pilot.press("escape")
        await until(lambda: isinstance(place.log_shown, WholeLog))
        assert len(rows(await listed(console))) > 20


async def test_words_and_inversion_are_sifted_here(opened: Opener, running: Running, acme: Tenant) -> None:
    """Words are looked for in all that an entry says; `!` shows what the filter hides."""
    await write(running, acme, 300)
    async with opened(acme.key, place="audit") as (console, pilot):
        await listed(console)
        place = await typed(console, "event:file.indexed 123.txt")
        await until(lambda: not place.records._is_loading)
        assert [entry.details["name"] for entry in seen(place)] == ["file 123.txt"]
        place = await typed(console, "event:file.indexed")
        before = place.log_shown
        await pilot.press("exclamation_mark")
        await until(lambda: place.log_shown is not before)
        assert set(rows(place)) == {"account.created", "tenant.created"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("event:file.inde", "Is it file.indexed?"),
        ("from:soon", "soon is no time"),
        ("actor:", "What actor?"),
        ("key:1 key:2", "twice"),
    ],
)
async def test_a_filter_that_means_nothing_is_said(opened: Opener, running: Running, acme: Tenant, text: str, said: str) -> None:
    """What can't be understood is said below the rows, and the rows stay."""
    async with opened(acme.key, place="audit") as (console, _):
        place = await listed(console)
        before = rows(place)
        place.records.action_filter(text)
        await until(lambda: said in place.records.count_text())
        assert rows(place) == before


async def test_new_entries_come_live_and_the_cursor_stays(opened: Opener, running: Running, acme: Tenant) -> None:
    """`f` follows: what is written comes on top, the cursor stays on its entry; `f` again ends it."""
    await write(running, acme, 100)
    async with opened(acme.key, place="audit") as (console, pilot):
        place = await listed(console)
        await pilot.press("j", "j", "f")
        await until(lambda: any(worker.group == "follow" for worker in console.workers))
        at = place.records.current
        await write(running, acme, 250, event_type="file.failed")
        await until(lambda: place.log_shown is not None and len(place.log_shown) == 352)
        assert place.records.current == at
        await pilot.press("g")
        assert set(rows(await listed(console))) == {"file.failed"}
        await pilot.press("f")
        assert "live" not in place.records.count_text()
        await write(running, acme, 1)
        await pilot.press("j")
        assert len(place.records.vast.held) == 352


async def test_a_filtered_log_is_followed_too(opened: Opener, running: Running, acme: Tenant) -> None:
    """Live entries pass the same filter, words too."""
    async with opened(acme.key, place="audit") as (console, _):
        await listed(console)
        place = await typed(console, "event:file.indexed 7.txt")
        before = place.log_shown
        place.action_follow_live()
        await until(lambda: place.log_shown is not before and any(worker.group == "follow" for worker in console.workers))
        await write(running, acme, 30)
        await until(lambda: len(place.records.vast.held) == 3)
        assert [entry.details["name"] for entry in seen(place)] == ["file 27.txt", "file 17.txt", "file 7.txt"]


async def test_details_show_what_changed(opened: Opener, running: Running, acme: Tenant) -> None:
    """The pane beside the rows tells who did it, and each field as it was and as it is."""
    await running.send("PATCH", acme.path, key=acme.key, json={"name": "Acme\x9b Ltd"})
    await running.send("PATCH", acme.path, key=acme.key, json={"name": "Acme Limited"})
    async with opened(acme.key, place="audit") as (console, _):
        await listed(console)
        text = place_of(console).query_one(DetailsPane).text
        assert "- Acme\N{REPLACEMENT CHARACTER} Ltd\n+ Acme Limited" in text
        assert "127.0.0.1" in text
        assert "\x9b" not in text


async def test_an_entry_leads_to_its_key(opened: Opener, running: Running, acme: Tenant) -> None:
    """`enter` on an entry about a key goes to the place of keys, with the cursor on that key."""
    made = await running.send("POST", f"{acme.path}/api-keys", key=acme.key, json={"name": "Shop"})
    await running.issue(acme)
    async with opened(acme.key, place="audit") as (console, pilot):
        await listed(console)
        await pilot.press("enter")
        await until(lambda: isinstance(console.screen, Choose))
        await pilot.press("enter")
        await until(lambda: console.current_mode == "keys")
        await settled(console, pilot)
        assert isinstance(console.screen, Keys)
        current = console.screen.records.current
        assert current is not None
        assert current.id == made.data["id"]


async def test_an_entry_leads_to_its_conversation(opened: Opener, running: Running, acme: Tenant) -> None:
    """`enter` on the entry of a question goes to the chat, with the conversation open in which it was asked."""
    await running.ask(acme, "When is rent due?")
    await running.ask(acme, "What is the late fee?")
    async with opened(acme.key, place="audit") as (console, pilot):
        await listed(console)
        await pilot.press("j", "enter")
        await until(lambda: isinstance(console.screen, Choose))
        await pilot.press("enter")
        await until(lambda: console.current_mode == "chat" and bool(console.screen.query(Asked)))
        assert [message.text for message in console.screen.query(Asked)] == ["When is rent due?"]


async def test_a_file_leads_to_the_vault_only_where_it_came_from_there(running: Running, acme: Tenant) -> None:
    """The entry of a file that was uploaded to the store names that file as its asset, too, which no vault has."""
    await running.upload(acme, "Rent is due on the first.")
    vault = Vault(running, acme)
    asset_id = await vault.put("lease.txt", b"Rent is due on the third.")
    await vault.sync()
    entries = await running.send("GET", f"{API}/audit", key=acme.key, params={"eventType": "file.indexed"})
    synced, uploaded = (leads(AuditRecord.model_validate(entry), can_read_logs=False) for entry in entries.data["logs"])
    assert [way.value for way in synced if way.value.startswith("assets")] == [f"assets {asset_id}"]
    assert [way.title for way in uploaded] == ["The file", "The account", "The tenant"]


async def test_the_chain_is_proved(opened: Opener, running: Running, acme: Tenant) -> None:
    """`v` proves the chain and tells its anchor, `a` copies that, and a proof with it holds."""
    await write(running, acme, 50)
    async with opened(acme.key, place="audit") as (console, pilot):
        place = await listed(console)
        await pilot.press("v")
        await until(lambda: place.proof is not None and place.proof.is_complete)
        assert "52 entries proved" in str(place.query_one("#proof", Static).content)
        await pilot.press("a")
        assert place.proof is not None
        assert console.clipboard == place.proof.proved.anchor
        place.proof = None
        place.action_verify(console.clipboard)
        await until(lambda: place.proof is not None and place.proof.is_valid)


async def test_a_broken_chain_names_its_first_broken_link(opened: Opener, running: Running, acme: Tenant) -> None:
    """An entry that was edited in the database is named."""
    await write(running, acme, 50)

    async def unit(transaction: Transaction) -> None:
        await transaction.run(compiled("UPDATE audit_entries SET actor = 'nobody' WHERE sequence = 20"))

    await running.app[keys.DATABASE].write(unit)
    async with opened(acme.key, place="audit") as (console, pilot):
        place = await listed(console)
        await pilot.press("v")
        await until(lambda: place.proof is not None and place.proof.broken is not None)
        assert "BROKEN at entry 20: edited" in str(place.query_one("#proof", Static).content)


@pytest.mark.parametrize("text", ["", "event:file.indexed", "5.txt"])
async def test_what_the_filter_leaves_is_exported(opened: Opener, running: Running, acme: Tenant, text: str) -> None:
    """`E` writes all entries that the filter leaves, not only those on the screen."""
    await write(running, acme, 300)
    async with opened(acme.key, place="audit") as (console, pilot):
        await listed(console)
        if text:
            await typed(console, text)
        await pilot.press("E")
        await until(lambda: isinstance(console.screen, Choose))
        await pilot.press("j", "enter")
        await until(lambda: exported(console))
        path = exported(console)[0]
        found = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(found) == {"": 302, "event:file.indexed": 300, "5.txt": 30}[text]
        assert path.stat().st_mode & 0o077 == 0


async def test_the_operator_reads_the_operators_own_log(opened: Opener, running: Running, acme: Tenant, operator: str) -> None:
    """`O` turns to the operator's own chain and back; a tenant's key can't."""
    await running.send("DELETE", f"{API}/tenants/{acme.id}", key=operator)
    globex = await running.register("Globex")
    async with opened(operator, place="audit") as (console, pilot):
        place = await listed(console)
        assert "tenant.deleted" not in rows(place)
        await pilot.press("O")
        await until(lambda: "tenant.deleted" in rows(place))
        await pilot.press("O")
        await until(lambda: "tenant.created" in rows(place))
    async with opened(globex.key, place="audit") as (console, pilot):
        place = await listed(console)
        await pilot.press("O")
        assert not place.is_operators


async def test_rows_that_a_limit_refused_come_after_its_wait(opened: Opener, running: Running, acme: Tenant) -> None:
    """Where the tenant's requests are used up, what is looked at is asked for again by itself once the limit lets it."""
    await write(running, acme, 1_200)
    async with opened(acme.key, place="audit") as (console, pilot):
        place = await listed(console)
        table = place.records.vast
        too_many = ClientError("RATE_LIMIT_EXCEEDED", "Too many requests.", retry_after=1)
        calls: list[int] = []
        log = place.log_shown
        assert log is not None
        part = log.part

        async def refused_once(client: Client, first: int, last: int) -> Part | None:
            calls.append(first)
            if len(calls) == 1:
                raise too_many
            return await part(client, first, last)

        log.part = refused_once  # type: ignore[method-assign]
        await pilot.press("G")
        await until(lambda: calls)
        await until(lambda: table.row_at(table.row_count - 1) is not None)
        assert len(calls) == 2


async def test_a_live_log_that_is_refused_says_so(opened: Opener, running: Running, acme: Tenant, operator: str) -> None:
    """Where no more streams are allowed, the place does not say that it is live."""
    limits = {"limits": {"streams": 1}}
    assert (await running.send("PATCH", acme.path, key=operator, json=limits)).status == 200
    headers = {"x-api-key": acme.key, "Accept": "text/event-stream"}
    async with running.session.get(f"{running.url}{API}/audit", headers=headers) as other:
        assert other.status == 200
        async with opened(acme.key, place="audit") as (console, pilot):
            place = await listed(console)
            await pilot.press("f")
            await until(lambda: "no longer live" in place.records.count_text())
            assert not place.is_following
        other.close()
