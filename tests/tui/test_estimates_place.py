"""The place of estimates: made from photos, edited, approved, written and deleted from the keyboard, against a real server."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from textual.widgets import Input, Select, Static

from tenantai.providers.protocols import ChatModel
from tenantai.providers.scripted import ScriptedChat
from tenantai.providers.vision import SeeingModel
from tenantai.settings import Settings
from tenantai.tui.app import Console
from tenantai.tui.screens.edit_item import EditItem
from tenantai.tui.screens.estimates import Estimates
from tenantai.tui.screens.pick_files import PickFiles
from tenantai.tui.screens.questions import AskText, Choose, Confirm
from tenantai.tui.widgets.photo import Photo
from tenantai.wire.estimator import ItemTold
from tests.pictures.making import jpeg
from tests.running import API, SOFA, Running, Tenant, serving, until
from tests.server.walk import estimated
from tests.tui.conftest import Opener, settled

THINGS = (
    SOFA,
    {**SOFA, "name": "dresser double", "label": "=1+1", "room": "bed[bold]room", "box_2d": [0, 0, 300, 300]},
    {**SOFA, "name": "suit of armour", "box_2d": [500, 500, 900, 600]},
)


@pytest.fixture
async def running(settings: Settings, brisk: None) -> AsyncIterator[Running]:
    """A server whose model sees three things in every picture."""
    vision = SeeingModel(cast("ChatModel", ScriptedChat([[json.dumps({"things": THINGS})]])))
    async with serving(settings, vision=vision) as server:
        yield server


def place_of(console: Console) -> Estimates:
    assert isinstance(console.screen, Estimates)
    return console.screen


def said(place: Estimates, name: str) -> str:
    return str(place.query_one(name, Static).content)


def told(console: Console, text: str) -> bool:
    return any(text in note.message for note in console._notifications)


def stands_so(place: Estimates, name: str, status: str) -> bool:
    return next(item.status for item in place.items.records if item.name == name) == status


async def kept(running: Running, tenant: Tenant, estimate_id: str) -> dict[str, Any]:
    """Return an estimate as the server has it."""
    return (await running.send("GET", f"{API}/estimator/estimates/{estimate_id}", key=tenant.key)).data


async def opened_first(console: Console, pilot: Any) -> Estimates:
    """Open the first estimate, and wait until its photo is there."""
    place = place_of(console)
    await pilot.press("enter")
    await until(lambda: place.opened is not None and place.items.records)
    await until(lambda: place.query_one(Photo).told.startswith("photo"))
    return place


async def at(pilot: Any, place: Estimates, name: str) -> None:
    """Put the cursor on an item."""
    place.items.table.cursor = next(row for row, item in enumerate(place.items.table.rows) if item.name == name)
    await pilot.pause()


async def test_nothing_was_estimated_yet(opened: Opener, acme: Tenant) -> None:
    """Without estimates the place says which key makes one."""
    async with opened(acme.key, place="estimates") as (console, _):
        assert place_of(console).kept.count_text() == "Nothing was estimated yet. n looks at photos."


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_an_estimate_is_shown(opened: Opener, running: Running, acme: Tenant, size: tuple[int, int]) -> None:
    """Enter opens an estimate: its items, what they come to as ranges, and the photo of the item under the cursor."""
    await estimated(running, acme)
    async with opened(acme.key, place="estimates", size=size) as (console, pilot):
        place = await opened_first(console, pilot)
        assert place.opened is not None
        summary = place.opened.summary
        assert {item.name for item in place.items.records} == {thing["name"] for thing in THINGS}
        totals = said(place, "#totals")
        low, high = summary.totals.volume_m3.low, summary.totals.volume_m3.high
        assert f"({low:.1f}–{high:.1f}) m³" in totals
        assert "Truck: " in totals
        assert "Boxes: " in totals
        assert "Materials: " in totals
        await at(pilot, place, "dresser double")
        assert "=1+1" in said(place, "#about")
        await pilot.press("p")
        await until(lambda: place.query_one(".picture").region.area > 200)
        await pilot.press("escape")
        assert place.items.table.has_focus
        await pilot.press("escape")
        assert not place.is_opened


async def test_figures_turn_imperial(opened: Opener, running: Running, acme: Tenant) -> None:
    """`m` shows feet and pounds, everywhere, and is remembered."""
    await estimated(running, acme)
    async with opened(acme.key, place="estimates") as (console, pilot):
        place = await opened_first(console, pilot)
        assert place.opened is not None
        await pilot.press("m")
        volume = place.opened.summary.totals.volume_ft3
        assert f"Volume {volume.typical:.1f} ({volume.low:.1f}–{volume.high:.1f}) ft³" in said(place, "#totals")
        row = place.items.table.row_text(place.items.records[0])
        assert f"{place.items.records[0].volume_ft3.typical:.1f}" in row
        await pilot.press("escape")
        await settled(console, pilot)
        assert "ft³" in place.kept.table.row_text(place.kept.records[0])


async def test_an_item_is_edited_and_totals_follow(opened: Opener, running: Running, acme: Tenant) -> None:
    """`e` changes an item; what can't be is said in the form; the totals are the server's new ones."""
    estimate_id = await estimated(running, acme)
    async with opened(acme.key, place="estimates") as (console, pilot):
        place = await opened_first(console, pilot)
        before = said(place, "#totals")
        await at(pilot, place, "sofa 3 seat")
        await pilot.press("e")
        await until(lambda: isinstance(console.screen, EditItem) and console.screen.query("#quantity"))
        form = console.screen
        form.query_one("#quantity", Input).value = "0"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "quantity" in str(form.query_one("#problem", Static).content)
        form.query_one("#quantity", Input).value = "3"
        await pilot.press("ctrl+s")
        await until(lambda: said(place, "#totals") != before)
        items = (await kept(running, acme, estimate_id))["summary"]["items"]
        assert next(item["quantity"] for item in items if item["name"] == "sofa 3 seat") == 3


async def test_items_are_added_left_out_and_removed(opened: Opener, running: Running, acme: Tenant) -> None:
    """`a` adds an item, `x` leaves the marked out and counts them again, `d` removes them after naming them."""
    estimate_id = await estimated(running, acme)
    async with opened(acme.key, place="estimates") as (console, pilot):
        place = await opened_first(console, pilot)
        await pilot.press("a")
        await until(lambda: isinstance(console.screen, EditItem) and console.screen.query("#name"))
        console.screen.query_one("#name", Input).value = "bookcase"
        await pilot.press("ctrl+s")
        await until(lambda: "bookcase" in {item.name for item in place.items.records})
        for status in ("excluded", "counted"):
            await at(pilot, place, "sofa 3 seat")
            await pilot.press("x")
            await until(partial(stands_so, place, "sofa 3 seat", status))
            await settled(console, pilot)
        await at(pilot, place, "sofa 3 seat")
        await pilot.press("d")
        await until(lambda: isinstance(console.screen, Confirm))
        assert isinstance(console.screen, Confirm)
        assert [name.split(",")[0] for name in console.screen._names] == ["1 × sofa 3 seat"]
        await pilot.press("ctrl+y")
        await until(lambda: "sofa 3 seat" not in {item.name for item in place.items.records})
        summary = (await kept(running, acme, estimate_id))["summary"]
        names = {item["name"] for part in ("items", "needsReview", "excluded") for item in summary[part]}
        assert names == {"dresser double", "suit of armour", "bookcase"}


async def test_somebody_elses_change_is_not_lost(opened: Opener, running: Running, acme: Tenant) -> None:
    """A change that was made from an older version is refused and said, and what is there now is shown."""
    estimate_id = await estimated(running, acme)
    async with opened(acme.key, place="estimates") as (console, pilot):
        place = await opened_first(console, pilot)
        path = f"{API}/estimator/estimates/{estimate_id}"
        await running.send("PATCH", path, key=acme.key, json={"items": [{"id": "0-0", "quantity": 5}]})
        await at(pilot, place, "sofa 3 seat")
        await pilot.press("x")
        await until(lambda: any(note.severity == "error" for note in console._notifications))
        items = (await kept(running, acme, estimate_id))["summary"]["items"]
        assert next(item for item in items if item["id"] == "0-0")["quantity"] == 5
        await until(lambda: next(item.quantity for item in place.items.records if item.id == "0-0") == 5)


async def test_an_estimate_is_approved_written_and_deleted(
    opened: Opener, running: Running, acme: Tenant, tmp_path: Path
) -> None:
    """`A` approves it, `w` writes it as CSV or PDF into a file, `d` in the list deletes it after naming it."""
    estimate_id = await estimated(running, acme)
    async with opened(acme.key, place="estimates") as (console, pilot):
        place = await opened_first(console, pilot)
        await pilot.press("A")
        await until(lambda: told(console, "Approved."))
        assert (await kept(running, acme, estimate_id))["estimate"]["approved_at"]
        for kind, start, keys in (("pdf", b"%PDF-", ["enter"]), ("csv", b"\xef\xbb\xbf", ["j", "enter"])):
            target = tmp_path / f"kept.{kind}"
            await until(lambda: console.screen is place)
            await pilot.press("w")
            await until(lambda: isinstance(console.screen, Choose))
            await pilot.press(*keys)
            await until(lambda: isinstance(console.screen, AskText) and console.screen.query("Input"))
            console.screen.query_one(Input).value = str(target)
            await pilot.press("enter")
            await until(partial(told, console, f"kept.{kind}"))
            content = await asyncio.to_thread(target.read_bytes)
            assert content.startswith(start) or (kind == "csv" and b"sofa 3 seat" in content)
        await pilot.press("escape")
        await settled(console, pilot)
        await pilot.press("d")
        await until(lambda: isinstance(console.screen, Confirm))
        assert isinstance(console.screen, Confirm)
        assert estimate_id in console.screen._names[0]
        await pilot.press("ctrl+y")
        await until(lambda: not place.kept.records)
        assert (await running.send("GET", f"{API}/estimator/estimates/{estimate_id}", key=acme.key)).status == 404


async def test_photos_are_looked_at_live(
    opened: Opener, running: Running, acme: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`n` asks for an account and photos (only photos are listed), shows items as they come, and then the whole estimate."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("one.jpg", "two.jpg"):
        (folder / name).write_bytes(jpeg(320, 240))
    (folder / "notes.txt").write_text("no photo")
    seen: list[int] = []
    async with opened(acme.key, place="estimates") as (console, pilot):
        place = place_of(console)
        console.memory.set("pick.folder", str(folder))
        show = place.items.show

        def counted(records: Sequence[ItemTold], **given: Any) -> None:
            seen.append(len(records))
            show(records, **given)

        monkeypatch.setattr(place.items, "show", counted)
        await pilot.press("n")
        await until(
            lambda: isinstance(console.screen, PickFiles) and console.screen.query("RecordList") and console.screen.files.records
        )
        picker = console.screen
        assert isinstance(picker, PickFiles)
        assert [entry.name for entry in picker.files.records] == ["..", "one.jpg", "two.jpg"]
        picker.query_one("#choice", Select).value = acme.account.id
        await pilot.press("ctrl+a", "ctrl+s")
        await until(lambda: place.opened is not None and place.live is None)
        assert place.opened is not None
        assert place.opened.estimate.account_id == acme.account.id
        assert len(place.opened.summary.images) == 2
        assert 1 in seen
        assert 2 in seen
        await until(lambda: place.query_one(Photo).told.startswith("photo"))
        await pilot.press("escape")
        await until(lambda: len(place.kept.records) == 1)


async def test_what_changes_is_grey_where_it_may_not_be(opened: Opener, running: Running, acme: Tenant) -> None:
    """With `--read-only` what changes estimates is grey; writing one into a file is not."""
    await estimated(running, acme)
    changing = {f"estimates.{name}" for name in ("new", "edit", "add", "exclude", "delete", "approve")}
    async with opened(acme.key, place="estimates", read_only=True) as (console, pilot):
        await opened_first(console, pilot)
        enabled = {offer.id for offer in console.offered() if offer.is_enabled}
        assert not enabled & changing
        assert {"estimates.export", "estimates.unit", "estimates.photo"} <= enabled


async def test_what_was_loaded_stays_while_the_server_is_gone(opened: Opener, running: Running, acme: Tenant) -> None:
    """A server that goes away leaves the estimate on the screen; an edit then changes nothing and closes nothing."""
    await estimated(running, acme)
    async with opened(acme.key, place="estimates") as (console, pilot):
        place = await opened_first(console, pilot)
        await running.runner.cleanup()
        await pilot.press("x")
        await until(lambda: console.link_state.status == "offline")
        await settled(console, pilot)
        assert len(place.items.records) == 3
        assert place.query(".picture")


async def test_the_request_is_copied_as_curl(opened: Opener, running: Running, acme: Tenant) -> None:
    """`c` copies the line for curl of the list, and of the estimate that is opened."""
    estimate_id = await estimated(running, acme)
    async with opened(acme.key, place="estimates") as (console, pilot):
        await pilot.press("c")
        assert f"/estimator/estimates?tenantId={acme.id}" in console.clipboard
        await opened_first(console, pilot)
        await pilot.press("c")
        assert f"/estimator/estimates/{estimate_id}" in console.clipboard
        assert acme.key not in console.clipboard
