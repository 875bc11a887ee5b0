"""The place of the store: files uploaded, followed, excluded, deleted, synced and searched, against a real server."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from textual.widgets import Input, Select, Static

from tenantai.providers.protocols import Vectors
from tenantai.providers.scripted import ScriptedEmbedding
from tenantai.server import keys
from tenantai.storage.database import Transaction, compiled
from tenantai.tui.app import Console
from tenantai.tui.screens.outcomes import Outcomes
from tenantai.tui.screens.pick_files import PickFiles
from tenantai.tui.screens.questions import Confirm
from tenantai.tui.screens.store import StorePlace
from tenantai.tui.screens.store_changes import StoreChanges
from tenantai.tui.screens.store_settings import EditSettings
from tenantai.tui.widgets.search_trial import IDLE
from tenantai.tui.widgets.store_file import state_of
from tests.running import API, Running, Tenant, until
from tests.tui.conftest import Opener, settled
from tests.vaults import Vault


def place_of(console: Console) -> StorePlace:
    assert isinstance(console.screen, StorePlace)
    return console.screen


def picker_of(console: Console) -> PickFiles | None:
    """Return the picker, once it lists a folder."""
    screen = console.screen
    is_ready = isinstance(screen, PickFiles) and screen.query("RecordList") and screen.files.records
    return screen if is_ready and isinstance(screen, PickFiles) else None


def states(place: StorePlace) -> dict[str, str]:
    return {file.name: state_of(file) for file in place.records.records}


def said(place: StorePlace, name: str) -> str:
    return str(place.query_one(name, Static).content)


async def at(pilot: Any, place: StorePlace, name: str) -> None:
    """Put the cursor on a file."""
    place.records.table.cursor = next(row for row, file in enumerate(place.records.table.rows) if file.name == name)
    await pilot.pause()


async def test_files_are_listed_with_how_they_stand(opened: Opener, running: Running, acme: Tenant) -> None:
    """A row says name, state, size and chunks; beside it is why a file failed; above are bytes, quota and counts."""
    await running.upload(acme, "The office opens at nine.", "hours.txt")
    await running.post_file(acme, b"%PDF-1.4 broken", "broken.pdf")
    await running.settled(acme)
    async with opened(acme.key, place="store") as (console, pilot):
        place = place_of(console)
        assert states(place) == {"hours.txt": "ready", "broken.pdf": "failed"}
        assert place.records.count_text() == "1–2 of 2 files"
        await at(pilot, place, "broken.pdf")
        broken = place.records.current
        assert broken is not None
        assert broken.error_message
        assert f"why: {broken.error_message}" in said(place, "#about")
        assert "1 active" in said(place, "#summary")
        assert "1 failed" in said(place, "#summary")


async def test_an_empty_store_says_what_to_do(opened: Opener, acme: Tenant) -> None:
    """Where there is no file yet, the place says which key uploads one."""
    async with opened(acme.key, place="store") as (console, _):
        assert place_of(console).records.count_text() == "No files yet. u uploads some, i imports the vault's."


async def test_several_files_are_uploaded_from_a_folder(opened: Opener, running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`u` lists a folder; marked files go to the chosen account, are indexed, and their rows follow."""
    folder = tmp_path / "documents"
    (folder / "inner").mkdir(parents=True)
    for name in ("one.txt", "two.txt", "three.txt"):
        (folder / name).write_text(f"This is {name}.")
    async with opened(acme.key, place="store") as (console, pilot):
        console.memory.set("pick.folder", str(folder))
        second = await running.add_account(acme, "Second")
        await pilot.press("ctrl+r")
        await settled(console, pilot)
        await pilot.press("u")
        await until(lambda: picker_of(console) is not None)
        picker = picker_of(console)
        assert picker is not None
        assert [entry.name for entry in picker.files.records] == ["..", "inner/", "one.txt", "three.txt", "two.txt"]
        picker.query_one("#choice", Select).value = second.id
        await pilot.press("G", "space", "k", "space", "ctrl+s")
        await until(lambda: console.screen is not picker)
        place = place_of(console)
        await until(lambda: states(place) == {"three.txt": "ready", "two.txt": "ready"})
        assert {file.account_id for file in place.records.records} == {second.id}


async def test_a_typed_pattern_uploads_all_that_match(opened: Opener, acme: Tenant, tmp_path: Path) -> None:
    """A path typed in the picker takes all files that it matches; one that names nothing is said, and the picker stays."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("one.txt", "two.txt", "three.md"):
        (folder / name).write_text(f"This is {name}.")
    async with opened(acme.key, place="store") as (console, pilot):
        console.run_line(f"upload {folder}", console.offered())
        await until(lambda: picker_of(console) is not None)
        picker = console.screen
        picker.query_one("#path", Input).focus()
        await pilot.press(*"*.pdf", "enter")
        await until(lambda: any("*.pdf" in note.message for note in console._notifications))
        assert console.screen is picker
        picker.query_one("#path", Input).value = "*.txt"
        await pilot.press("enter")
        await until(lambda: console.screen is not picker)
        await until(lambda: states(place_of(console)) == {"one.txt": "ready", "two.txt": "ready"})


async def test_a_path_is_typed_on_the_list(opened: Opener, acme: Tenant, tmp_path: Path) -> None:
    """`/` on the list begins a path, which ctrl+s takes; `f` filters the names."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "one.txt").write_text("Words.")
    async with opened(acme.key, place="store") as (console, pilot):
        console.run_line(f"upload {folder}", console.offered())
        await until(lambda: picker_of(console) is not None)
        picker = picker_of(console)
        assert picker is not None
        await pilot.press("f", *"one", "escape")
        assert console.screen is picker
        await pilot.press(*str(folder / "one.txt"))
        assert picker.query_one("#path", Input).value == str(folder / "one.txt")
        assert not picker.files.filter_text
        await pilot.press("ctrl+s")
        await until(lambda: console.screen is not picker)
        await until(lambda: states(place_of(console)) == {"one.txt": "ready"})


@pytest.mark.parametrize(("key", "rest"), [("tilde", "/papers/one.txt"), ("full_stop", "/one.txt")])
async def test_a_path_begins_at_home_or_here(
    opened: Opener, acme: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, rest: str
) -> None:
    """`~` on the list begins a path from the home folder, `.` one from the folder that is shown; both are taken."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "one.txt").write_text("Words.")
    async with opened(acme.key, place="store") as (console, pilot):
        console.run_line(f"upload {folder}", console.offered())
        await until(lambda: picker_of(console) is not None)
        picker = picker_of(console)
        assert picker is not None
        await pilot.press(key, *rest)
        assert picker.query_one("#path", Input).value == {"tilde": "~", "full_stop": "."}[key] + rest
        await pilot.press("ctrl+s")
        await until(lambda: console.screen is not picker)
        await until(lambda: states(place_of(console)) == {"one.txt": "ready"})


async def test_names_on_the_disk_steer_nothing(opened: Opener, acme: Tenant, tmp_path: Path) -> None:
    """A file of this machine whose name holds escape sequences and markup is listed with marks in their place, and uploaded."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "[red]\x1b[2Jevil.txt").write_text("Words.")
    async with opened(acme.key, place="store") as (console, pilot):
        console.run_line(f"upload {folder}", console.offered())
        await until(lambda: picker_of(console) is not None)
        picker = picker_of(console)
        assert picker is not None
        row = picker.files.table.row_text(picker.files.records[-1])
        assert row.startswith("[red]\N{SYMBOL FOR ESCAPE}[2Jevil.txt")
        await pilot.press("G", "enter")
        await until(lambda: list(states(place_of(console)).values()) == ["ready"])


async def test_what_came_of_each_file_is_told(opened: Opener, acme: Tenant, tmp_path: Path) -> None:
    """Where a file can't be sent the others are, and a list says what came of each, the failed first."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("gone.txt", "there.txt"):
        (folder / name).write_text(f"This is {name}.")
    async with opened(acme.key, place="store") as (console, pilot):
        console.run_line(f"upload {folder}", console.offered())
        await until(lambda: picker_of(console) is not None)
        await pilot.press("ctrl+a")
        (folder / "gone.txt").unlink()
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(console.screen, Outcomes))
        assert isinstance(console.screen, Outcomes)
        assert [(outcome.name, outcome.ok) for outcome in console.screen.outcomes] == [("gone.txt", False), ("there.txt", True)]
        assert console.screen.outcomes[0].sentence == "It can't be read: No such file or directory."
        await pilot.press("escape")
        await until(lambda: states(place_of(console)) == {"there.txt": "ready"})


async def test_marked_files_are_excluded_and_included(opened: Opener, running: Running, acme: Tenant) -> None:
    """`x` keeps the marked files out of answers, `X` takes them in again; `R` indexes them anew."""
    for name in ("a.txt", "b.txt", "c.txt"):
        await running.upload(acme, f"The file {name}.", name)
    async with opened(acme.key, place="store") as (console, pilot):
        place = place_of(console)
        await pilot.press("g", "space", "space", "x")
        await until(lambda: states(place) == {"a.txt": "excluded", "b.txt": "excluded", "c.txt": "ready"})
        assert {hit["fileName"] for hit in await running.search(acme, "file")} == {"c.txt"}
        await at(pilot, place, "a.txt")
        await pilot.press("X")
        await until(lambda: states(place)["a.txt"] == "ready")
        operation = place.operation.progress
        await pilot.press("R")
        await until(lambda: place.operation.progress is not None and place.operation.progress != operation)
        await until(lambda: states(place)["a.txt"] == "ready")


async def test_deleting_asks_and_names_all(opened: Opener, running: Running, acme: Tenant) -> None:
    """`d` names every file that goes, also those that the filter hides; No keeps them, Yes deletes them."""
    for name in ("a.txt", "b.txt"):
        await running.upload(acme, f"The file {name}.", name)
    async with opened(acme.key, place="store") as (console, pilot):
        place = place_of(console)
        await pilot.press("g", "space", "slash", *"b.txt", "enter", "d")
        await until(lambda: isinstance(console.screen, Confirm))
        assert isinstance(console.screen, Confirm)
        assert console.screen.hidden == 1
        await pilot.press("escape")
        await until(lambda: console.screen is place)
        assert len(await running.files(acme)) == 2
        await pilot.press("d")
        await until(lambda: isinstance(console.screen, Confirm))
        await pilot.press("ctrl+y")
        await until(lambda: states(place) == {"b.txt": "ready"})
        assert [file["name"] for file in (await running.files(acme)).values()] == ["b.txt"]


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch, gate: asyncio.Event) -> asyncio.Event:
    """Holds documents up on their way into the index until the gate is open."""
    embed = ScriptedEmbedding.embed

    async def waiting(self: ScriptedEmbedding, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        if purpose == "document":
            await gate.wait()
        return await embed(self, texts, purpose=purpose)

    monkeypatch.setattr(ScriptedEmbedding, "embed", waiting)
    return gate


async def test_an_operation_is_followed_and_cancelled(
    opened: Opener, held_up: asyncio.Event, running: Running, acme: Tenant
) -> None:
    """While files are indexed a line says how far it is and with which file; `C` cancels what has not begun."""
    for number in range(9):
        await running.post_file(acme, f"File {number}.".encode(), f"{number}.txt")
    async with opened(acme.key, place="store") as (console, pilot):
        place = place_of(console)
        await until(lambda: "0 of 9 files" in place.operation.text)
        assert "░" in said(place, "#operation")
        await until(lambda: re.search(r"\d\.txt and [1-8] more$", place.operation.text))
        await pilot.press("C")
        await until(lambda: "cancelled" in states(place).values())
        held_up.set()
        await until(lambda: place.operation.text.startswith("Cancelled"))


async def test_a_cancelled_operation_of_an_account(
    opened: Opener, held_up: asyncio.Event, running: Running, acme: Tenant
) -> None:
    """A key that sees one account's files only reads the same word."""
    key, _ = await running.issue(acme, account=acme.account)
    await running.post_file(acme, b"A file.", "one.txt")
    async with opened(key, place="store") as (console, _):
        place = place_of(console)
        await until(lambda: "0 of 1 file ·" in place.operation.text)
        await until(lambda: place.operation.text.endswith("one.txt"))
        assert (await running.send("DELETE", f"{acme.path}/store/sync", key=acme.key)).status == 200
        held_up.set()
        await until(lambda: place.operation.text.startswith("Cancelled"))


async def test_what_a_sync_would_do_is_shown_and_done(opened: Opener, running: Running, acme: Tenant) -> None:
    """`v` lists what is new, changed and gone in the vault, and offers the sync; `i` syncs without asking."""
    vault = Vault(running, acme)
    await vault.put("contracts/lease.txt", "The lease.")
    async with opened(acme.key, place="store") as (console, pilot):
        place = place_of(console)
        await pilot.press("v")
        await until(lambda: isinstance(console.screen, StoreChanges))
        assert isinstance(console.screen, StoreChanges)
        assert [(change.change, change.path) for change in console.screen.found.changes] == [("new", "contracts/lease.txt")]
        await pilot.press("ctrl+s")
        await until(lambda: states(place) == {"lease.txt": "ready"})
        await vault.put("notes.txt", "Some notes.")
        await pilot.press("i")
        await until(lambda: states(place) == {"lease.txt": "ready", "notes.txt": "ready"})
        await settled(console, pilot)
        await pilot.press("v")
        await until(lambda: isinstance(console.screen, StoreChanges))
        assert isinstance(console.screen, StoreChanges)
        assert console.screen.found.matches
        assert not console.screen.query("#sync")


async def test_a_search_is_tried(opened: Opener, running: Running, acme: Tenant) -> None:
    """`s` asks for a question and lists the passages with all three scores; Escape goes back to the files."""
    await running.upload(acme, "The truck is rented by the day.", "rent.txt")
    await running.upload(acme, "Boxes are sold in three sizes.", "boxes.txt")
    async with opened(acme.key, place="store") as (console, pilot):
        place = place_of(console)
        await pilot.press("s")
        await until(lambda: place.trial.hits.count_text() == IDLE)
        await pilot.press(*"truck rented", "enter")
        await until(lambda: place.trial.hits.records)
        await settled(console, pilot)
        _, hit = place.trial.hits.records[0]
        assert hit.file_name == "rent.txt"
        passage = said(place, "#passage")
        assert "The truck is rented by the day." in passage
        assert (
            f"fused {hit.scores.fused:.4f}   lexical (BM25) {hit.scores.lexical:.2f}   vector (cosine) {hit.scores.vector:.3f}"
            in passage
        )
        await pilot.press("escape")
        assert place.records.table.has_focus


async def test_settings_are_changed(opened: Opener, running: Running, acme: Tenant) -> None:
    """`e` shows the settings and sends what was changed; a number out of range stays in the form."""
    async with opened(acme.key, place="store") as (console, pilot):
        await pilot.press("e")
        await until(lambda: isinstance(console.screen, EditSettings))
        form = console.screen
        form.query_one("#top-k", Input).value = "0"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert console.screen is form
        form.query_one("#top-k", Input).value = "3"
        form.query_one("#style", Select).value = "inline"
        await pilot.press("ctrl+s")
        await until(lambda: console.screen is not form)
        await settled(console, pilot)
        held = place_of(console).held
        assert held is not None
        assert (held.settings.retrieval.top_k, held.settings.citations.style) == (3, "inline")
        told = (await running.send("GET", f"{acme.path}/store", key=acme.key)).data["settings"]
        assert told == held.settings.json_ready()


async def test_what_changes_is_grey_where_it_may_not_be(opened: Opener, running: Running, acme: Tenant) -> None:
    """With `--read-only`, and with a key that only reads, what changes the store is grey; the search is not."""
    await running.upload(acme, "Words.", "words.txt")
    reader, _ = await running.issue(acme, scopes=["store:read", "tenant:read"])
    changing = {"store.upload", "store.import", "store.exclude", "store.retry", "store.delete", "store.settings"}
    for key, read_only in ((acme.key, True), (reader, False)):
        async with opened(key, place="store", read_only=read_only) as (console, _):
            enabled = {offer.id for offer in console.offered() if offer.is_enabled}
            assert not enabled & changing
            assert "store.search" in enabled


async def test_what_was_loaded_stays_while_the_server_is_gone(opened: Opener, running: Running, acme: Tenant) -> None:
    """A server that goes away leaves the files on the screen; an action then changes nothing and closes nothing."""
    await running.upload(acme, "Words.", "words.txt")
    async with opened(acme.key, place="store") as (console, pilot):
        place = place_of(console)
        await running.runner.cleanup()
        await pilot.press("x")
        await until(lambda: console.link_state.status == "offline")
        await settled(console, pilot)
        assert states(place) == {"words.txt": "ready"}


async def test_names_of_files_steer_nothing(opened: Opener, running: Running, acme: Tenant) -> None:
    """A name with markup and escape sequences is drawn as it is, its controls as marks."""
    file_id, name = await running.upload(acme, "Words."), "[red]\x1b[2J\u202eevil.txt"

    async def rename(transaction: Transaction) -> None:
        await transaction.run(compiled("UPDATE files SET name = :name WHERE id = :id"), name=name, id=file_id)

    await running.app[keys.DATABASE].write(rename)
    async with opened(acme.key, place="store") as (console, pilot):
        place = place_of(console)
        await settled(console, pilot)
        table = place.records.table
        assert table.rows[0].name.endswith("evil.txt")
        assert not {"\x1b", "\u202e"} & set(table.row_text(table.rows[0]) + said(place, "#about"))
        assert "[red]" in said(place, "#about")


async def test_the_request_is_copied_as_curl(opened: Opener, acme: Tenant) -> None:
    """`c` copies the line for curl, without the key."""
    async with opened(acme.key, place="store") as (console, pilot):
        await pilot.press("c")
        assert f"{API}/tenants/{acme.id}/store" in console.clipboard
        assert acme.key not in console.clipboard
