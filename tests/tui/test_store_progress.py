"""Files under way in the place of the store: each row says how far its file is, live, and costs no more than that row."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from tenantai.client import Client
from tenantai.providers.protocols import Vectors
from tenantai.providers.scripted import ScriptedEmbedding
from tenantai.server.services import indexing
from tenantai.tui import sending
from tenantai.tui.file_progress import (
    ENDED_KEPT_MAX,
    LONG_CELLS,
    SHORT_CELLS,
    STATE_CELLS,
    FilesUnderway,
    clock,
    full_words,
    short_words,
)
from tenantai.tui.screens import store_list
from tenantai.tui.screens.store import StorePlace
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.live_rows import LiveTable
from tenantai.tui.widgets.sending_line import SendingLine
from tenantai.tui.widgets.store_file import begun, newer_of, state_of, with_end
from tenantai.wire.files import FileEnded, FileProgress, FileRecord
from tests.running import Running, Tenant, until
from tests.tui.conftest import Opener
from tests.tui.test_store_place import place_of, said, states


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> asyncio.Semaphore:
    """Lets documents be embedded batch by batch: each release is one batch."""
    embed, turn = ScriptedEmbedding.embed, asyncio.Semaphore(0)

    async def waiting(self: ScriptedEmbedding, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        if purpose == "document":
            await turn.acquire()
        return await embed(self, texts, purpose=purpose)

    monkeypatch.setattr(ScriptedEmbedding, "embed", waiting)
    return turn


async def post_long(running: Running, tenant: Tenant, *names: str) -> None:
    """Send files of several batches each."""
    for name in names:
        await running.post_file(tenant, (f"Paragraph of {name}. " * 40 + "\n\n").encode() * 250, name)


def drawn(place: StorePlace) -> dict[str, str]:
    """Return what is drawn in the column of states, by name, in the order of the rows."""
    table = place.records.table
    return {file.name: table.columns[store_list.STATE_COLUMN].drawn(file) for file in table.rows}


def line_of(place: StorePlace, name: str) -> str:
    """Return the line of the screen that a file is on."""
    table = place.records.table
    at = next(at for at, file in enumerate(table.rows) if file.name == name)
    return table.render_line(at + 1).text


async def test_a_row_says_how_far_its_file_is(
    opened: Opener, running: Running, acme: Tenant, steps: asyncio.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stage and percentage stand in the row and rise; the others wait; one that is through is ready at once."""
    await post_long(running, acme, "a.txt", "b.txt", "c.txt")
    monkeypatch.setattr(store_list, "RENEW_SECONDS", 600.0)
    monkeypatch.setattr(store_list, "COUNTS_SECONDS", 600.0)
    async with opened(acme.key, place="store", size=(80, 24)) as (console, pilot):
        place = place_of(console)
        await until(lambda: sum(text.startswith("embedding 15 %") for text in drawn(place).values()) == 2)
        assert drawn(place)["c.txt"] == "waiting"
        assert states(place) == {"a.txt": "indexing", "b.txt": "indexing", "c.txt": "waiting"}
        assert "embedding 15 %" in line_of(place, "a.txt")
        assert "now: embedding █" in said(place, "#about")
        assert "0 of 250 chunks" in said(place, "#about").replace("\n", " ")
        steps.release()
        await until(lambda: any(not text.startswith(("embedding 15 %", "waiting")) for text in drawn(place).values()))
        for _ in range(6):
            steps.release()
        await until(lambda: "ready" in states(place).values())
        await pilot.pause()
        (ready,) = [name for name, state in states(place).items() if state == "ready"]
        assert drawn(place)[ready] == "ready"
        await until(lambda: drawn(place)["c.txt"].startswith("embedding"))
        assert place.operation.progress is not None
        assert place.operation.progress.status == "in_progress"
        record = next(file for file in place.records.records if file.name == ready)
        assert record.chunk_count == 250
        for _ in range(20):
            steps.release()
        await until(lambda: set(drawn(place).values()) == {"ready"})
        await until(lambda: place.records.table.columns[store_list.STATE_COLUMN].width == STATE_CELLS)


async def test_sorted_and_filtered_rows_are_live_too(
    opened: Opener, running: Running, acme: Tenant, steps: asyncio.Semaphore
) -> None:
    """An order and a filter go by how files stand, not by figures that change; the rows that are left are live."""
    await post_long(running, acme, "a.txt", "b.txt", "c.txt")
    async with opened(acme.key, place="store", size=(200, 30)) as (console, pilot):
        place = place_of(console)
        await until(lambda: sum(text.startswith("embedding 15 %") for text in drawn(place).values()) == 2)
        assert place.records.table.columns[store_list.STATE_COLUMN].width == LONG_CELLS
        await pilot.press("l", "o", "o", "slash", *"indexing", "enter")
        await pilot.pause()
        assert set(drawn(place)) == {"a.txt", "b.txt"}
        steps.release()
        await until(lambda: any(not text.startswith("embedding 15 %") for text in drawn(place).values()))
        await pilot.press("escape")
        await pilot.pause()
        assert next(iter(drawn(place).values())) == "waiting"
        await pilot.press("g", "y")
        assert console.clipboard == "waiting"
        for _ in range(30):
            steps.release()
        await until(lambda: set(states(place).values()) == {"ready"})


async def test_what_is_cancelled_is_not_under_way(
    opened: Opener, running: Running, acme: Tenant, steps: asyncio.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that left the workers without an end are asked for, so that no row says that something is done with them."""
    monkeypatch.setattr(store_list, "RENEW_SECONDS", 0.0)
    await post_long(running, acme, "a.txt", "b.txt", "c.txt")
    async with opened(acme.key, place="store") as (console, pilot):
        place = place_of(console)
        await until(lambda: sum(text.startswith("embedding") for text in drawn(place).values()) == indexing.WORKERS_OF_TENANT_MAX)
        await pilot.press("C")
        await until(lambda: not place.underway)
        for _ in range(30):
            steps.release()
        await until(lambda: set(states(place).values()) <= {"cancelled", "ready"})
        assert set(drawn(place).values()) <= {"cancelled", "ready"}


async def test_uploads_say_how_far_they_are(
    opened: Opener, acme: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While files are sent a line says how many bytes of which one; each has its row, and then the line is gone."""
    monkeypatch.setattr(sending, "TOLD_EVERY_SECONDS", 0.0)
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("one.txt", "two.txt"):
        (folder / name).write_text(f"This is {name}. " * 60_000)
    texts: list[str] = []
    say = SendingLine.say

    def heard(self: SendingLine, text: str) -> None:
        texts.append(text)
        say(self, text)

    monkeypatch.setattr(SendingLine, "say", heard)
    async with opened(acme.key, place="store") as (console, _):
        place = place_of(console)
        place._send(acme.id, acme.account.id, [folder / "one.txt", folder / "two.txt"])
        await until(lambda: len(place.records.records) == 2)
        await until(lambda: texts and not texts[-1])
        assert not place.query_one(SendingLine).display
        whole = [text for text in texts if "100 %" in text]
        assert "Sending 1 of 2" in whole[0]
        assert "one.txt · 996.1 KB of 996.1 KB" in whole[0]
        assert "Sending 2 of 2" in whole[-1]
        part = [text for text in texts if text and "100 %" not in text and "KB of" in text]
        assert part
        assert "the server takes it in" not in part[0]
        await until(lambda: set(states(place).values()) == {"ready"})


async def test_a_limit_only_puts_off_what_is_asked(opened: Opener, running: Running, acme: Tenant, operator: str) -> None:
    """Where a limit refuses the list after an operation, no notice comes; it is asked for again, and what runs is followed."""
    async with opened(acme.key, place="store") as (console, _), Client(running.url, operator) as client:
        place = place_of(console)
        await client.tenants.limit(acme.id, {"requestsPerMinute": 1})
        place._renew(is_over=True)
        await until(lambda: not any(w.group == "renew" and not w.is_finished for w in console.workers))
        assert not console._notifications
        await client.tenants.limit(acme.id, {})
        await running.post_file(acme, b"Words.", "words.txt")
        place.post_message(place.Postponed(0.0))
        await until(lambda: states(place) == {"words.txt": "ready"})


def test_what_is_said_of_a_file() -> None:
    """In few words with a clock, the rate left out where there is no room; in full with its unit and how many of how many."""
    file = FileProgress(
        id="1",
        name="a",
        stage="embedding",
        percentage=43.21,
        done=320,
        total=1750,
        rate=58.4,
        rate_unit="chunks_per_second",
        eta_seconds=72.4,
    )
    assert short_words(file) == "embedding 43 % 58/s 1:12"
    assert short_words(file, cells=20) == "embedding 43 % 1:12"
    assert full_words(file) == "embedding ████░░░░░░ 43.2 % · 320 of 1,750 chunks · 58 chunks/s · 1 min 12 s left"
    bare = file.model_copy(update={"done": None, "total": None, "rate": None, "rate_unit": None, "eta_seconds": None})
    assert short_words(bare) == "embedding 43 %"
    assert full_words(bare) == "embedding ████░░░░░░ 43.2 %"
    longest = file.model_copy(update={"stage": "extracting", "percentage": 99.9, "rate": 123_456.7, "eta_seconds": None})
    assert len(short_words(longest)) <= SHORT_CELLS
    assert [clock(seconds) for seconds in (0.4, 71.6, 3723)] == ["0:00", "1:12", "1:02:03"]


def test_only_rows_of_which_something_else_is_said_are_touched() -> None:
    """What is as before costs nothing."""
    one = FileProgress(
        id="1", name="a", stage="extracting", percentage=1, done=None, total=None, rate=None, rate_unit=None, eta_seconds=None
    )
    other = one.model_copy(update={"id": "2"})
    underway = FilesUnderway()
    assert underway.take([one, other]) == {"1", "2"}
    assert underway.take([one, other.model_copy(update={"percentage": 2.0})]) == {"2"}
    timed = one.model_copy(update={"eta_seconds": 10.0})
    assert underway.wait(1.0) == set()
    assert underway.take([timed, other]) == {"1", "2"}
    assert underway.wait(3.0) == {"1"}
    assert underway.words("1").endswith("0:07")
    assert underway.wait(30.0) == {"1"}
    assert underway.words("1").endswith("0:00")
    underway.take([timed, other])
    assert underway.words("1").endswith("0:10")
    underway.take([one, other])
    assert underway.take([one]) == {"2"}
    assert underway.take([]) == {"1"}
    assert not underway


def record(**given: object) -> FileRecord:
    held = {
        "id": "1",
        "account_id": None,
        "operation_id": "o",
        "name": "a",
        "media_type": None,
        "bytes": 1,
        "sha256": "",
        "state": "indexing",
        "excluded": False,
        "error_code": None,
        "error_message": None,
        "page_count": None,
        "chunk_count": 0,
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:01.000Z",
        "asset_id": None,
        "asset_path": None,
    }
    return FileRecord.model_validate({**held, **given})


def test_what_is_newer_holds() -> None:
    """What became of a file is taken, unless the file was changed since, as by another try."""
    ended = FileEnded(
        id="1",
        state="failed",
        page_count=2,
        chunk_count=0,
        error_code="empty",
        error_message="No text.",
        updated_at="2026-01-01T00:00:02.000Z",
    )
    failed = with_end(record(), ended)
    assert (state_of(failed), failed.error_message, failed.page_count) == ("failed", "No text.", 2)
    again = record(state="pending", updated_at="2026-01-01T00:00:03.000Z")
    assert with_end(again, ended) is again
    assert state_of(again) == "waiting"
    assert state_of(begun(again)) == "indexing"
    assert begun(failed).error_message is None
    assert newer_of(record(), failed) is failed
    assert newer_of(again, failed) is again
    underway = FilesUnderway()
    underway.note_ended([ended.model_copy(update={"id": f"{number}"}) for number in range(ENDED_KEPT_MAX + 10)])
    assert underway.with_end(record(id="5")).state == "indexing"
    assert underway.with_end(record(id=f"{ENDED_KEPT_MAX}")).state == "failed"


def test_a_row_costs_no_more_among_a_hundred_thousand() -> None:
    """Once it is known where the rows are, to put one in place looks at no other."""
    looked = 0

    def key(row: tuple[int, str]) -> int:
        nonlocal looked
        looked += 1
        return row[0]

    table: LiveTable[tuple[int, str]] = LiveTable([Column("what", lambda row: row[1])], key=key)
    table.rows = [(number, "before") for number in range(100_000)]
    table.put((5, "first"))
    looked = 0
    for number in range(100):
        table.put((number * 7, "after"))
    assert looked == 100
    table.put((700, "likely"), likely_at=700)
    assert table.rows[700] == (700, "likely")
    table.put((701, "elsewhere"), likely_at=3)
    assert (table.rows[701], table.rows[3]) == ((701, "elsewhere"), (3, "before"))
    assert table.rows[693] == (693, "after")
    table.put((200_000, "nowhere"))
    assert len(table.rows) == 100_000
