"""Every command: its help, and what it does over HTTP and on the data folder."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import click
import pytest

from tenantai.cli import run as run_here
from tenantai.cli import tenantai
from tenantai.commands.configuration import locked
from tenantai.commands.terminal import one_line, plain
from tenantai.providers.scripted import ScriptedEmbedding
from tenantai.server import keys
from tenantai.server.logs import SECRET
from tenantai.server.services.audit_proof import prove
from tenantai.settings import Settings
from tests.commands.running_cli import over_http, run
from tests.running import Running, Tenant, serving


def every_command(command: click.Command = tenantai, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            found += every_command(child, (*path, name))
    return found


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_help_shows_an_example(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of every command ends with an example of that very command."""
    assert run_here([*path, "--help"]) == 0
    example = capsys.readouterr().out.rpartition("Example: ")[2]
    assert example.startswith(" ".join(("tenantai", *path)))


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_help_is_whole_on_a_narrow_terminal(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No short text is cut off at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    assert run_here([*path, "--help"]) == 0
    assert "..." not in capsys.readouterr().out.replace("[ARGS]...", "").replace("PATHS...", "").replace("PHOTOS...", "").replace(
        "FILE_IDS...", ""
    ).replace("[ASSET_IDS]...", "")


async def test_help_needs_nothing(tmp_path: Path) -> None:
    """`--help` answers from a process of its own, in a home with nothing in it."""
    assert (await run("--help", home=tmp_path)).code == 0


async def test_without_a_command_the_help_is_shown(tmp_path: Path) -> None:
    """Plain `python -m tenantai` prints the help."""
    assert "quickstart" in (await run(home=tmp_path)).out


async def test_unknown_command_is_misuse(tmp_path: Path) -> None:
    """A command that there is not ends with 2 and the one that is like it."""
    mistyped = await run("servve", home=tmp_path)
    assert mistyped.code == 2
    assert "Did you mean 'serve'?" in mistyped.err


@pytest.mark.parametrize("command", ["files", "assets"])
async def test_a_folder_is_no_file(command: str, tmp_path: Path) -> None:
    """Who names a folder to upload is told how to name its files."""
    done = await run(command, "upload", str(tmp_path), home=tmp_path)
    assert done.code == 2
    assert f"is a folder. Name its files: {tmp_path}/*" in done.err


async def test_documents_go_in_are_found_answered_from_and_deleted(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """Upload with --watch, list, search, chat and delete work one after another, data on stdout and talk on stderr."""
    paper = tmp_path / 'Höhe "x" 100%.txt'
    paper.write_text("The rent is due on the first day of the month.")
    sent = await over_http(running, acme, "files", "upload", str(paper), "--watch", home=tmp_path)
    assert sent.code == 0, sent.err
    assert "1 file can be searched." in sent.err
    file_id = sent.out.strip()
    listed = await over_http(running, acme, "files", "list", "--json", home=tmp_path)
    assert [(file["id"], file["name"], file["state"]) for file in json.loads(listed.out)] == [(file_id, paper.name, "ready")]
    found = await over_http(running, acme, "search", "when is rent due", "--json", home=tmp_path)
    assert json.loads(found.out)[0]["fileId"] == file_id
    asked = await over_http(running, acme, "chat", home=tmp_path, typed="When is rent due?")
    assert (asked.code, asked.out.strip()) == (0, "A scripted answer.")
    assert "chat --conversation 0" in asked.err
    whole = await over_http(running, acme, "chat", "When?", "--json", home=tmp_path)
    assert json.loads(whole.out)["text"] == "A scripted answer."
    asked_first = await over_http(running, acme, "files", "delete", file_id, home=tmp_path)
    assert (asked_first.code, asked_first.out) == (2, "")
    assert "--yes" in asked_first.err
    assert file_id in (await over_http(running, acme, "files", "list", home=tmp_path)).out
    gone = await over_http(running, acme, "files", "delete", file_id, "nonsense", "--yes", home=tmp_path)
    assert (gone.code, gone.out.strip()) == (1, file_id)
    assert "no such file" in gone.err


async def test_failed_files_are_named_and_can_be_retried(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """A file that can't be indexed makes `--watch` end with 1 and its reason; `retry` tries exactly such files again."""
    empty = tmp_path / "empty.txt"
    empty.touch()
    sent = await over_http(running, acme, "files", "upload", str(empty), "--watch", home=tmp_path)
    assert sent.code == 1
    assert "empty" in sent.err
    again = await over_http(running, acme, "files", "retry", "--watch", home=tmp_path)
    assert again.code == 1
    assert again.out == ""


@pytest.mark.parametrize(
    ("url", "key", "code", "said"),
    [
        ("http://127.0.0.1:1", "sk_live_x", 1, "No tenantai server answers at http://127.0.0.1:1. Start one"),
        ("http://127.0.0.1:1", "sk_live_x", 1, "with --url or TENANTAI_URL"),
        ("elsewhere", "sk_live_x", 1, "elsewhere is not an address"),
        ("", "sk_live_x", 1, "with --api-key or TENANTAI_API_KEY"),
        ("", "", 2, "Set TENANTAI_API_KEY, or use --api-key"),
    ],
)
async def test_what_keeps_a_command_from_its_work_is_one_sentence(
    running: Running, tmp_path: Path, url: str, key: str, code: int, said: str
) -> None:
    """No server, no address, a wrong key and no key each say what to do, without a traceback."""
    ended = await run("chat", "hello", home=tmp_path, TENANTAI_URL=url or running.url, TENANTAI_API_KEY=key)
    assert ended.code == code
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


async def test_doctor_names_what_is_missing(settings: Settings, tmp_path: Path) -> None:
    """On a folder without the model the doctor ends with 1 and says which command fetches it; `--json` says the same."""
    looked = await run("doctor", "--json", "--data-dir", str(settings.data_dir), home=tmp_path)
    found = {finding["check"]: finding for finding in json.loads(looked.out)}
    assert looked.code == 1
    assert found["models"]["status"] == "fail"
    assert f"-m tenantai models pull --data-dir {settings.data_dir}" in found["models"]["message"]
    assert found["database"]["status"] == "ok"


async def test_rebuild_queues_what_another_model_indexed(settings: Settings, brisk: None, tmp_path: Path) -> None:
    """`doctor --rebuild` refuses beside a server; else it puts the files in one operation that the next start works off."""
    async with serving(settings, embedding=ScriptedEmbedding(model="old")) as server:
        acme = await server.register("Acme")
        await server.upload(acme, "The rent is due on the first day of the month.")
    looked = await run("doctor", "--data-dir", str(settings.data_dir), home=tmp_path)
    assert "built with old" in looked.out
    with locked(settings.data_dir):
        refused = await run("doctor", "--rebuild", "--data-dir", str(settings.data_dir), home=tmp_path)
    assert refused.code == 1
    assert "runs on" in refused.err
    queued = await run("doctor", "--rebuild", "--data-dir", str(settings.data_dir), home=tmp_path)
    assert "In the queue again: 1 file. " in queued.err
    async with serving(settings, embedding=ScriptedEmbedding(model="new")) as server:
        assert (await server.settled(acme))[-1]["status"] == "completed"
        assert await server.rows("SELECT DISTINCT model FROM vectors") == [("new",)]
        told = await server.rows("SELECT actor FROM audit_entries WHERE event_type = 'file.requeued'")
        assert told == [("operator",)]
        assert (await prove(server.app[keys.DATABASE], acme.id)).broken is None
        assert (await server.search(acme, "rent"))[0]["fileName"] == "notes.txt"


async def test_restore_puts_a_copy_back_and_keeps_what_was_there(settings: Settings, migrated: Path, tmp_path: Path) -> None:
    """The copy takes the database's place, and the database that was there is kept among the copies."""
    restored = await run("restore", str(migrated), "--data-dir", str(settings.data_dir), home=tmp_path)
    assert restored.code == 0, restored.err
    assert list((settings.data_dir / "copies").glob("before-restore-*.sqlite3"))
    with closing(sqlite3.connect(settings.data_dir / "tenantai.sqlite3")) as database:
        told = database.execute("SELECT tenant_id, event_type, actor, details FROM audit_entries").fetchall()
    assert told == [("operator", "data.restored", "operator", json.dumps({"from": migrated.name, "taken_at": None}))]
    refused = await run("restore", __file__, "--data-dir", str(settings.data_dir), home=tmp_path)
    assert refused.code == 1
    assert "not a copy" in refused.err


def test_no_control_sequence_reaches_a_terminal() -> None:
    """Escape sequences, control characters and marks that reorder a line are cut out; accents, emoji and line breaks stay."""
    assert plain("a\x1b[31mred\x1b]0;title\x07\x9b\x00\u202eé🙂\nb\r\n") == "aredé🙂\nb\n"
    assert one_line("a\n b  c", characters_max=3) == "a …"


def test_no_key_is_in_a_log_line() -> None:
    """Keys and passwords are cut out of every line."""
    line = SECRET.sub(r"\1\2\3…", "key=sk_live_0123456789abcdefghij AIzaSyA0123456789012345678901 ?api_key=hidden&b=1")
    assert line == "key=sk_live_0123… AIza… ?api_key=…&b=1"
