"""The place of the vault: a tree that is read folder by folder; assets go in and out, against a real server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Static

from tenantai.tui.app import Console
from tenantai.tui.screens.assets import AssetsPlace
from tenantai.tui.screens.new_password import NewPassword
from tenantai.tui.screens.pick_files import PickFiles
from tenantai.tui.screens.questions import AskText, Choose, Confirm
from tests.running import Running, Tenant, until
from tests.tui.conftest import Opener, settled
from tests.vaults import Vault


def place_of(console: Console) -> AssetsPlace:
    assert isinstance(console.screen, AssetsPlace)
    return console.screen


def titles(place: AssetsPlace) -> list[str]:
    return [node.title.rstrip() for node in place.records.table.rows]


def said(place: AssetsPlace, name: str) -> str:
    return str(place.query_one(name, Static).content)


async def at(pilot: Any, place: AssetsPlace, path: str) -> None:
    """Put the cursor on a row."""
    place.records.table.cursor = next(row for row, node in enumerate(place.records.table.rows) if node.path == path)
    await pilot.pause()


async def filled(running: Running, tenant: Tenant, *paths: str) -> Vault:
    """Fill the vault."""
    vault = Vault(running, tenant)
    for path in paths:
        await vault.put(path, f"What is at {path}.")
    return vault


async def test_folders_are_read_when_they_are_opened(opened: Opener, running: Running, acme: Tenant) -> None:
    """The top is shown first; Enter opens a folder and closes it, and only what is opened is asked for."""
    await filled(running, acme, "contracts/2026/lease.txt", "contracts/old.txt", "readme.txt")
    async with opened(acme.key, place="assets") as (console, pilot):
        place = place_of(console)
        assert titles(place) == ["▸ contracts/", "  readme.txt"]
        assert set(place.vault.levels) == {""}
        await pilot.press("g", "enter")
        await until(lambda: titles(place) == ["▾ contracts/", "  ▸ 2026/", "    old.txt", "  readme.txt"])
        await pilot.press("j", "enter")
        await until(lambda: "      lease.txt" in titles(place))
        await pilot.press("g", "enter")
        await until(lambda: titles(place) == ["▸ contracts/", "  readme.txt"])


async def test_a_long_folder_comes_as_far_as_one_looks(opened: Opener, running: Running, acme: Tenant) -> None:
    """More than a page of a folder is asked for once the cursor comes to its end."""
    vault = Vault(running, acme)
    for number in range(205):
        await vault.put(f"many/{number:03}.txt", "x")
    async with opened(acme.key, place="assets") as (console, pilot):
        place = place_of(console)
        await pilot.press("g", "enter")
        await until(lambda: len(titles(place)) == 202)
        assert titles(place)[-1].endswith("… more")
        await pilot.press("G")
        await until(lambda: len(titles(place)) == 206)
        assert titles(place)[-1].endswith("204.txt")


async def test_an_asset_is_told_with_its_versions(opened: Opener, running: Running, acme: Tenant) -> None:
    """Beside the tree are size, kind, times and the SHA-256 of every version."""
    vault = await filled(running, acme, "lease.txt")
    await vault.put("lease.txt", "The second version.")
    async with opened(acme.key, place="assets") as (console, _):
        place = place_of(console)
        await until(lambda: place.detailed is not None)
        assert place.detailed is not None
        for version in place.detailed.versions:
            assert f"sha-256 {version.sha256}" in said(place, "#about")
        assert [version.version for version in place.detailed.versions] == [2, 1]


async def test_an_empty_vault_says_what_to_do(opened: Opener, acme: Tenant) -> None:
    """Where nothing is in the vault, the place says which key uploads."""
    async with opened(acme.key, place="assets") as (console, _):
        assert place_of(console).records.count_text() == "The vault is empty. u uploads files."


async def test_files_are_uploaded_into_a_folder(opened: Opener, running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`u` asks for files and for a folder; then the folder is open with them in it."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.txt").write_text("A.")
    (folder / "b.txt").write_text("B.")
    async with opened(acme.key, place="assets") as (console, pilot):
        console.memory.set("pick.folder", str(folder))
        await pilot.press("u")
        await until(
            lambda: isinstance(console.screen, PickFiles) and console.screen.query("RecordList") and console.screen.files.records
        )
        await pilot.press("ctrl+a", "ctrl+s")
        await until(lambda: isinstance(console.screen, AskText))
        await pilot.press(*"new/2027", "enter")
        place = await shown(console)
        await until(lambda: titles(place) == ["▾ new/", "  ▾ 2027/", "      a.txt", "      b.txt"])
        assert sorted(node.path for node in place.records.records if node.asset) == ["new/2027/a.txt", "new/2027/b.txt"]


async def shown(console: Console) -> AssetsPlace:
    """Wait until the place is there again."""
    await until(lambda: isinstance(console.screen, AssetsPlace))
    return place_of(console)


async def test_a_version_is_downloaded(opened: Opener, running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`w` asks which version and into which file; one that is there is asked about, and the bytes are the vault's."""
    vault = await filled(running, acme, "lease.txt")
    await vault.put("lease.txt", "The second version.")
    target = tmp_path / "kept.txt"
    target.write_text("Mine.")
    async with opened(acme.key, place="assets") as (console, pilot):
        await pilot.press("w")
        await until(lambda: isinstance(console.screen, Choose))
        await pilot.press("j", "enter")
        await until(lambda: isinstance(console.screen, AskText))
        console.screen.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(lambda: isinstance(console.screen, Confirm))
        assert target.read_text() == "Mine."
        await pilot.press("ctrl+y")
        await until(lambda: target.read_text() == "What is at lease.txt.")
        assert not await asyncio.to_thread(lambda: list(tmp_path.glob("*.part")))
        await until(lambda: any("downloaded" in note.message for note in console._notifications))


async def test_what_lies_in_a_marked_folder_is_named_and_deleted(opened: Opener, running: Running, acme: Tenant) -> None:
    """`d` names all assets that go, those in marked folders too; No keeps them, Yes deletes them."""
    vault = await filled(running, acme, "old/a.txt", "old/deep/b.txt", "keep.txt")
    async with opened(acme.key, place="assets") as (console, pilot):
        for answer, left in (("escape", 3), ("ctrl+y", 1)):
            place = place_of(console)
            await at(pilot, place, "old/")
            await pilot.press("d")
            await until(lambda: isinstance(console.screen, Confirm))
            assert isinstance(console.screen, Confirm)
            assert [name.split("  ")[0] for name in console.screen._names] == ["old/a.txt", "old/deep/b.txt"]
            await pilot.press(answer)
            await shown(console)
            await settled(console, pilot)
            listed = await running.send("GET", f"{acme.path}/assets", key=acme.key)
            assert len(listed.data["assets"]) == left
        await until(lambda: titles(place_of(console)) == ["  keep.txt"])
        assert (await vault.refresh())["inVault"] == 1


async def test_marked_assets_come_into_the_store(opened: Opener, running: Running, acme: Tenant) -> None:
    """`i` syncs the marked assets, and no others."""
    vault = await filled(running, acme, "a.txt", "b.txt", "c.txt")
    async with opened(acme.key, place="assets") as (console, pilot):
        await pilot.press("g", "space", "space", "i")
        await until(lambda: any("The sync runs" in note.message for note in console._notifications))
        await running.settled(acme)
        assert sorted(await vault.synced()) == ["a.txt", "b.txt"]


async def test_the_password_is_set_and_broken_rules_are_named(opened: Opener, running: Running, acme: Tenant) -> None:
    """`p` asks for the password twice; every rule that it breaks is named and asked again, until it is set."""
    async with opened(acme.key, place="assets") as (console, pilot):

        async def typed(password: str, again: str) -> None:
            await until(lambda: isinstance(console.screen, NewPassword) and console.screen.query("#again"))
            console.screen.query_one("#new", Input).value = password
            console.screen.query_one("#again", Input).value = again
            console.screen.query_one("#again", Input).focus()
            await pilot.press("enter")

        await pilot.press("p")
        await typed("Long-enough-1!", "Another-1!")
        await pilot.pause()
        assert str(console.screen.query_one("#problems", Static).content) == "The two are not the same."
        form = console.screen
        await typed("abc", "abc")
        await until(lambda: isinstance(console.screen, NewPassword) and console.screen is not form)
        again = console.screen
        assert isinstance(again, NewPassword)
        assert "It needs at least 8 characters." in again.problems
        assert len(again.problems) >= 4
        await typed("Long-enough-1!", "Long-enough-1!")
        await until(lambda: any("The password is set" in note.message for note in console._notifications))
        login = await running.send("POST", f"{acme.path}/asset-auth/login", json={"password": "Long-enough-1!"})
        assert login.status == 200


@pytest.mark.parametrize(
    ("scopes", "said"),
    [
        ((), "It opens nothing in the vault: this key lacks file:read, file:upload, file:delete."),
        (("file:read", "file:upload"), "It opens the vault in part: this key lacks file:delete."),
        (("file:read", "file:upload", "file:delete"), ""),
    ],
)
async def test_the_password_form_says_what_the_key_can_grant(
    opened: Opener, running: Running, acme: Tenant, scopes: tuple[str, ...], said: str
) -> None:
    """Before a password is set that opens less than the whole vault, the form says so; it ends the one that opened more."""
    key, _ = await running.issue(acme, scopes=("tenant:read", "asset-auth:write", *scopes))
    async with opened(key, place="assets") as (console, pilot):
        await pilot.press("p")
        await until(lambda: isinstance(console.screen, NewPassword) and console.screen.query("#again"))
        assert "".join(str(line.content) for line in console.screen.query("#bounds").results(Static)) == said


async def test_another_place_leads_to_an_asset(opened: Opener, running: Running, acme: Tenant) -> None:
    """An asset that another place names is shown in its folder, with the cursor on it."""
    vault = Vault(running, acme)
    await vault.put("a/b/other.txt", "x")
    asset_id = await vault.put("a/b/wanted.txt", "x")
    async with opened(acme.key, place="assets") as (console, _):
        place = place_of(console)
        place.reveal(asset_id)
        await until(lambda: place.records.current is not None and place.records.current.path == "a/b/wanted.txt")


async def test_what_changes_is_grey_where_it_may_not_be(opened: Opener, running: Running, acme: Tenant) -> None:
    """With `--read-only`, and with a key that only reads, what changes the vault is grey; downloading is not."""
    await filled(running, acme, "a.txt")
    reader, _ = await running.issue(acme, scopes=["file:read", "tenant:read"])
    changing = {"assets.upload", "assets.sync", "assets.delete", "assets.password"}
    for key, read_only in ((acme.key, True), (reader, False)):
        async with opened(key, place="assets", read_only=read_only) as (console, _):
            enabled = {offer.id for offer in console.offered() if offer.is_enabled}
            assert not enabled & changing
            assert "assets.download" in enabled


async def test_what_was_loaded_stays_while_the_server_is_gone(opened: Opener, running: Running, acme: Tenant) -> None:
    """A server that goes away leaves the tree on the screen."""
    await filled(running, acme, "folder/a.txt", "b.txt")
    async with opened(acme.key, place="assets") as (console, pilot):
        place = place_of(console)
        await running.runner.cleanup()
        await pilot.press("g", "enter")
        await until(lambda: console.link_state.status == "offline")
        await settled(console, pilot)
        assert titles(place) == ["▸ folder/", "  b.txt"]


async def test_the_request_is_copied_as_curl(opened: Opener, running: Running, acme: Tenant) -> None:
    """`c` copies the line for curl of the folder under the cursor, without the key."""
    await filled(running, acme, "folder/a.txt")
    async with opened(acme.key, place="assets") as (console, pilot):
        await pilot.press("c")
        assert f"/tenants/{acme.id}/assets?delimiter=%2F&prefix=folder%2F" in console.clipboard
        assert acme.key not in console.clipboard
