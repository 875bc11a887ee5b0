"""The place of API keys: made, rotated and revoked from the keyboard, against a real server."""

import pytest

from tenantai.server import keys
from tenantai.tui.screens import place
from tenantai.tui.screens.keys import Keys, state_of
from tenantai.tui.screens.new_key import NewKey, Scopes
from tenantai.tui.screens.questions import Confirm, Secret
from tests.running import API, Running, Tenant, until
from tests.tui.conftest import Opener, asked, settled


def place_of(console: object) -> Keys:
    screen = console.screen  # type: ignore[attr-defined]
    assert isinstance(screen, Keys)
    return screen


async def test_keys_are_listed(opened: Opener, running: Running, acme: Tenant) -> None:
    """Every key is a row that says how it stands; one that was never used stands out."""
    _, key_id = await running.issue(acme)
    async with opened(acme.key, place="keys") as (console, _):
        records = place_of(console).records
        assert {key.id: state_of(key) for key in records.records}[key_id] == "never used"
        assert records.count_text() == "1–2 of 2 keys"


async def test_a_key_is_made_and_its_secret_shown_once(opened: Opener, running: Running, acme: Tenant) -> None:
    """`n` asks for a name, makes the key, and shows its secret in a dialog and nowhere else."""
    async with opened(acme.key, place="keys") as (console, pilot):
        await pilot.press("n")
        await asked(console, pilot, NewKey)
        await pilot.click("#name")
        await pilot.press(*"Shop", "enter")
        await asked(console, pilot, Secret)
        assert isinstance(console.screen, Secret)
        secret = console.screen.secret
        assert (await running.send("GET", f"{API}/tenants", key=secret)).status == 200
        await pilot.press("c")
        assert console.clipboard == secret
        await pilot.press("escape")
        await settled(console, pilot)
        records = place_of(console).records
        assert "Shop" in [made.name for made in records.records]
        assert not any(secret in records.table.row_text(row) for row in records.records)


async def test_enter_makes_the_key_from_the_scopes_too(opened: Opener, acme: Tenant) -> None:
    """Enter in the list of scopes makes the key and unticks none, space ticks; all is seen in 24 lines."""
    async with opened(acme.key, place="keys", size=(80, 24)) as (console, pilot):
        await pilot.press("n")
        form = await asked(console, pilot, NewKey)
        assert form.query_one(".title").region.y >= 0
        assert form.query_one("#make").region.bottom <= 24
        scopes = form.query_one(Scopes)
        await pilot.press(*"Shop", "tab", "space")
        ticked = set(scopes.selected)
        await pilot.press("enter")
        await asked(console, pilot, Secret)
        await pilot.press("escape")
        await settled(console, pilot)
        assert {frozenset(key.scopes) for key in place_of(console).records.records if key.name == "Shop"} == {frozenset(ticked)}


async def test_marked_keys_are_revoked_after_a_question_that_names_them(opened: Opener, running: Running, acme: Tenant) -> None:
    """`d` names every key that goes, those that the filter hides too; No changes nothing, Yes revokes them at once."""
    secret, key_id = await running.issue(acme)
    async with opened(acme.key, place="keys") as (console, pilot):
        place = place_of(console)
        row = next(at for at, key in enumerate(place.records.table.rows) if key.id == key_id)
        place.records.table.cursor = row
        await pilot.press("space", "slash", *"no such key")
        await pilot.press("enter", "d")
        await asked(console, pilot, Confirm)
        assert isinstance(console.screen, Confirm)
        assert console.screen.hidden == 1
        await pilot.press("escape", "d")
        await asked(console, pilot, Confirm)
        assert (await running.send("GET", f"{API}/tenants", key=secret)).status == 200
        await pilot.press("ctrl+y")
        await until(lambda: not isinstance(console.screen, Confirm))
        await settled(console, pilot)
        assert [key.id for key in place.records.records if state_of(key) == "revoked"] == [key_id]
        running.app[keys.KEY_RING].forget_all()
        assert (await running.send("GET", f"{API}/tenants", key=secret)).status == 401


async def test_what_is_old_is_asked_for_anew(
    opened: Opener, running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes back to the place after a while sees what is there now; the cursor and the marks stay."""
    monkeypatch.setattr(place, "OLD_SECONDS", 0.0)
    async with opened(acme.key, place="keys") as (console, pilot):
        shown = place_of(console)
        await pilot.press("space")
        marked = [key.id for key in shown.records.marked]
        await pilot.press("2")
        await until(lambda: console.current_mode == "chat")
        await running.issue(acme, scopes=["store:read"])
        await settled(console, pilot)
        assert len(shown.records.records) == 1
        await pilot.press("escape", "6")
        await until(lambda: len(shown.records.records) == 2)
        assert [key.id for key in shown.records.marked] == marked
