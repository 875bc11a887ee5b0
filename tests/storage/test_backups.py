"""A backup that is taken while the server works has everything, and a damaged one changes nothing."""

import asyncio
import errno
import os
import signal
import sqlite3
import tarfile
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path

import pytest
from click.testing import CliRunner

from tenantai.commands.backup import backup as backup_command
from tenantai.commands.configuration import locked
from tenantai.commands.restore import restore as restore_command
from tenantai.commands.terminal import Failed
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.services.metering.proof import drift
from tenantai.settings import Settings
from tenantai.storage import backups
from tenantai.storage.backups import BackupRefused, restore, take
from tenantai.storage.migrating import Layout, MigrationRefused, migrate, restore_copy
from tests.commands.running_cli import outcome, start
from tests.running import serving, until
from tests.server.walk import asset_form


async def made(settings: Settings, target: Path) -> tuple[str, str]:
    """Take a backup of a server that is being written to; a tenant's path and key."""
    async with serving(settings) as running:
        acme = await running.register("Acme")
        await running.upload(acme, "The lamp is green.")
        await running.send("POST", f"{acme.path}/assets", key=acme.key, **asset_form())
        writing = asyncio.create_task(_write_on(running.send, acme.path, acme.key))
        taken = await asyncio.to_thread(take, settings.data_dir, target)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert taken.missing == 0
        return acme.path, acme.key


async def _write_on(send: object, path: str, key: str) -> None:
    for number in range(1000):
        body = {"name": f"Name {number}", "role": "viewer"}
        await send("POST", f"{path}/accounts", key=key, json=body)  # type: ignore[operator]


async def test_there_and_back(settings: Settings, tmp_path: Path) -> None:
    """A restored folder serves: the key works, answers are found, the vault has its bytes, the chain holds, nothing drifts."""
    target, folder = tmp_path / "all.tar", tmp_path / "elsewhere"
    path, key = await made(settings, target)
    assert target.stat().st_mode & 0o777 == 0o600
    assert restore(target, folder) is None
    async with serving(settings.model_copy(update={"data_dir": folder})) as running:
        found = await running.send("POST", f"{path}/store/search", key=key, json={"query": "green lamp"})
        assert "The lamp is green." in found.text
        (asset,) = (await running.send("GET", f"{path}/assets", key=key)).data["assets"]
        content = await running.send("GET", f"{path}/assets/{asset['id']}/content", key=key)
        assert "amaranth" in content.text
        assert (await running.send("GET", f"{API}/audit/verify", key=key)).data["isValid"] is True
        operator = (folder / "operator.key").read_text().strip()
        (told,) = (await running.send("GET", f"{API}/audit?eventType=data.restored", key=operator)).data["logs"]
        assert (told["actor"], told["details"]["from"]) == ("operator", "all.tar")
        assert told["details"]["taken_at"] < told["created_at"]
        assert (await running.send("GET", f"{API}/audit/verify", key=operator)).data["isValid"] is True
        await running.app[keys.RECORDING].take()
        _, drifted = await drift(running.app[keys.DATABASE].reading, moment=running.app[keys.METER].now())
        assert drifted == []


def test_nobody_else_reads_what_is_made_meanwhile(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy of the database beside a backup is its owner's, whatever a killed backup left there, and gone in the end."""
    modes: dict[str, int] = {}
    described = backups._described

    def looking(name: str, size: int) -> tarfile.TarInfo:
        modes.update({path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("all.tar.*")})
        return described(name, size)

    monkeypatch.setattr(backups, "_described", looking)
    (tmp_path / "all.tar.database").touch(mode=0o644)
    (tmp_path / "all.tar.unfinished").touch(mode=0o644)
    take(settings.data_dir, tmp_path / "all.tar")
    assert modes == {"all.tar.database": 0o600, "all.tar.unfinished": 0o600}
    assert [path.name for path in tmp_path.glob("all.tar*")] == ["all.tar"]


def test_what_goes_while_it_is_taken(settings: Settings, tmp_path: Path) -> None:
    """A segment of usage and an archive that are gone when they are to be read stop no backup; no unfinished archive is in it."""
    layout, target = Layout(settings.data_dir), tmp_path / "all.tar"
    for name in ("usage/00000000000000000001.log", "analytics/usage/2026-01.parquet"):
        going = settings.data_dir / name
        going.parent.mkdir(parents=True, exist_ok=True)
        going.symlink_to(tmp_path / "gone")
    (layout.analytics / "usage" / "2026-02.unfinished").write_bytes(b"half of it")
    assert take(settings.data_dir, target).missing == 1
    with tarfile.open(target) as tar:
        assert not [name for name in tar.getnames() if name.startswith(("usage/", "analytics/"))]
    assert restore(target, tmp_path / "elsewhere") is None


def test_backup_from_before_there_was_a_log(tmp_path: Path) -> None:
    """A database of a schema without an audit log is restored as it is; the next start migrates it."""
    (tmp_path / "old").mkdir()
    migrate(tmp_path / "old", head="0003")
    copy, folder = tmp_path / "old" / "tenantai.sqlite3", tmp_path / "new"
    folder.mkdir()
    restore_copy(folder, copy)
    migrate(folder)


async def test_damaged(settings: Settings, tmp_path: Path) -> None:
    """A backup with one changed byte, one that is cut off and one of something else are refused; the folder stays as it was."""
    target = tmp_path / "all.tar"
    await made(settings, target)
    whole = target.read_bytes()
    before = sorted(path.name for path in settings.data_dir.iterdir())
    at = whole.index(b"The lamp is green.")
    for broken in (whole[:at] + b"X" + whole[at + 1 :], whole[: len(whole) // 2], b"\0" * 10240, whole[:600]):
        target.write_bytes(broken)
        with pytest.raises(BackupRefused):
            restore(target, settings.data_dir)
        assert sorted(path.name for path in settings.data_dir.iterdir()) == before
        assert not settings.data_dir.with_name("data.restoring").exists()


async def test_commands(settings: Settings, tmp_path: Path) -> None:
    """The commands take and restore; a folder with something in it is moved aside with --force only."""
    async with serving(settings) as running:
        await running.register("Acme")
    target = tmp_path / "all.tar"
    folder = ["--data-dir", str(settings.data_dir)]
    taken = await asyncio.to_thread(CliRunner().invoke, backup_command, ["-o", str(target), *folder])
    assert (taken.exit_code, taken.stdout.strip()) == (0, str(target))
    refused = await asyncio.to_thread(CliRunner().invoke, restore_command, [str(target), *folder])
    assert refused.exit_code == 1
    forced = await asyncio.to_thread(CliRunner().invoke, restore_command, [str(target), "--force", *folder])
    assert forced.exit_code == 0, forced.output
    assert f"Start the server: `tenantai serve --data-dir {settings.data_dir}`" in forced.stderr
    assert (
        sum(path.name.startswith("data.before-restore-") for path in await asyncio.to_thread(lambda: list(tmp_path.iterdir())))
        == 1
    )
    async with serving(settings):
        pass


async def test_a_backup_without_a_name(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies in the current folder under a name that the help tells and that git is told to leave out."""
    async with serving(settings):
        pass
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    taken = await asyncio.to_thread(CliRunner().invoke, backup_command, ["--data-dir", str(settings.data_dir)])
    assert taken.exit_code == 0, taken.output
    held = await asyncio.to_thread(lambda: [path.name for path in Path().iterdir()])
    assert held == [taken.stdout.strip()]
    ignored = (Path(__file__).parents[2] / ".gitignore").read_text().splitlines()
    assert any(fnmatch(taken.stdout.strip(), pattern) for pattern in ignored)
    assert "tenantai-TIME.tar in the current folder" in " ".join(CliRunner().invoke(backup_command, ["--help"]).output.split())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_backup_that_is_ended(settings: Settings, tmp_path: Path, number: signal.Signals) -> None:
    """One that is ended, by the system or with its terminal, leaves nothing of itself."""
    async with serving(settings):
        pass
    os.mkfifo(settings.data_dir / "usage" / "endless.log")
    target = tmp_path / "all.tar"
    process = await start("backup", "-o", str(target), "--data-dir", str(settings.data_dir), home=tmp_path)
    await until(tmp_path.joinpath("all.tar.unfinished").exists)
    process.send_signal(number)
    ended = await outcome(process)
    assert (ended.code, ended.err.strip()) == (130, "Interrupted.")
    assert await asyncio.to_thread(lambda: list(tmp_path.glob("all.tar*"))) == []


async def test_folder_that_is_a_link(settings: Settings, tmp_path: Path) -> None:
    """What a link leads to is moved aside and put back where it was; the link stays."""
    target = tmp_path / "all.tar"
    await made(settings, target)
    (tmp_path / "disk").mkdir()
    folder, link = tmp_path / "disk" / "data", tmp_path / "link"
    restore(target, folder)
    link.symlink_to(folder)
    (folder / "mine").write_text("x")
    result = CliRunner().invoke(restore_command, [str(target), "--data-dir", str(link), "--force"])
    assert result.exit_code == 0, result.output
    assert link.is_symlink()
    assert (folder / "tenantai.sqlite3").exists()
    (kept,) = (tmp_path / "disk").glob("data.before-restore-*")
    assert (kept / "mine").exists()


@pytest.mark.parametrize("moves", [0, 1])
async def test_folder_that_cannot_be_moved(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """Where a disk is mounted there, or what was proved can't be put in its place, all stays as it was, and nothing beside it."""
    target, folder = tmp_path / "all.tar", settings.data_dir
    await made(settings, target)
    (folder / "mine").write_text("x")
    rename, moved = Path.rename, list[Path]()

    def refuse(path: Path, to: Path) -> Path:
        moved.append(path)
        if len(moved) == moves + 1:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    result = CliRunner().invoke(restore_command, [str(target), "--data-dir", str(folder), "--force"])
    assert result.exit_code == 1
    assert moves or "Name a folder within it. Nothing was changed." in result.output
    assert (folder / "mine").read_text() == "x"
    assert [path for path in folder.parent.iterdir() if path.name.startswith(folder.name)] == [folder]


def test_a_server_cannot_start_meanwhile(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a backup is proved and put in place, the folder is held."""
    target = tmp_path / "all.tar"
    migrate(settings.data_dir)
    take(settings.data_dir, target)

    def look(*_given: Path) -> None:
        with pytest.raises(Failed, match="runs on"), locked(settings.data_dir):
            pass

    monkeypatch.setattr(backups, "restore", look)
    result = CliRunner().invoke(restore_command, [str(target), "--data-dir", str(settings.data_dir), "--force"])
    assert result.exit_code == 0, result.output


def test_database_that_cannot_be_opened(tmp_path: Path) -> None:
    """A database that is there and can't be opened, as on a disk that is mounted read-only, is not one that is not there."""
    migrate(tmp_path)
    layout = Layout(tmp_path)
    layout.database.rename(tmp_path / "elsewhere")
    layout.database.mkdir()
    with pytest.raises(MigrationRefused, match="can't be opened"):
        migrate(tmp_path)
    with pytest.raises(BackupRefused, match="can't be opened"):
        take(tmp_path, tmp_path / "all.tar")


def test_database_that_is_none_of_ours(tmp_path: Path) -> None:
    """A database with a version and no tenants is not put in place."""
    copy = tmp_path / "copy.sqlite3"
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
        connection.commit()
    result = CliRunner().invoke(restore_command, [str(copy), "--data-dir", str(tmp_path / "fresh")])
    assert result.exit_code == 1
    assert not (tmp_path / "fresh" / "tenantai.sqlite3").exists()
