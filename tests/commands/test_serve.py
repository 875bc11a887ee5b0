"""`serve`, as a process: its line, its lock, its signals and its refusals."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tenantai.storage.migrating import Layout, migrate
from tests.commands.running_cli import WAIT_SECONDS, environment, outcome, run, start

# An embedding server that is never asked keeps the tests away from the model's download.
NO_MODEL = {"TENANTAI_EMBEDDING": "openai"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server on a free port, starting."""
    process = await start("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), home=tmp_path, **NO_MODEL)
    yield process
    if process.returncode is None:
        process.kill()
        await process.communicate()


async def address(process: asyncio.subprocess.Process) -> str:
    """Wait for the server's line."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), WAIT_SECONDS)).decode()
    found = re.fullmatch(r"tenantai \d+\.\d+\.\d+ serving on (http://127\.0\.0\.1:\d+)\n", line)
    assert found, line
    return found[1]


async def test_takes_requests_once_it_says_so_and_drains_at_sigterm(server: asyncio.subprocess.Process) -> None:
    """The one line on stdout names an address that answers; SIGTERM ends the process with 0; logs are JSON on stderr."""
    url = await address(server)
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v1/health") as response:
        assert response.status == 200
    server.terminate()
    ended = await outcome(server)
    assert (ended.code, ended.out) == (0, "")
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert [line["path"] for line in lines if line["message"] == "request"] == ["/api/v1/health"]


async def test_nobody_else_reads_what_it_writes(tmp_path: Path) -> None:
    """In a folder that others can look into, whatever the server makes is its owner's alone."""
    (tmp_path / "data").mkdir(mode=0o755)
    process = await start("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), home=tmp_path, **NO_MODEL)
    url = f"{await address(process)}/api/v1"
    async with aiohttp.ClientSession() as session:
        body = {"email": "ann@example.com", "organizationName": "Ann"}
        async with session.post(f"{url}/register", json=body) as response:
            made = (await response.json())["data"]
        form = aiohttp.FormData()
        form.add_field("file", b"The lamp is green.", filename="lamp.txt")
        headers = {"x-api-key": made["apiKey"]}
        async with session.post(f"{url}/tenants/{made['tenantId']}/assets", data=form, headers=headers) as response:
            assert response.status == 201
        async with session.get(f"{url}/usage/history", headers=headers) as response:
            assert response.status == 200
    open_to_others = _open_to_others(tmp_path / "data")
    process.terminate()
    assert (await outcome(process)).code == 0
    assert open_to_others == _open_to_others(tmp_path / "data") == []


def _open_to_others(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.stat().st_mode & 0o077]


async def test_ctrl_c_ends_it_as_sigterm_does(server: asyncio.subprocess.Process) -> None:
    """SIGINT drains as well."""
    await address(server)
    server.send_signal(signal.SIGINT)
    assert (await outcome(server)).code == 0


async def test_second_server_on_a_folder_is_refused(server: asyncio.subprocess.Process, tmp_path: Path) -> None:
    """The second says that one runs already, and ends with 1."""
    await address(server)
    second = await run("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), home=tmp_path, **NO_MODEL)
    assert second.code == 1
    assert "runs on" in second.err
    assert second.out == ""


async def test_nobody_reads_its_line(tmp_path: Path) -> None:
    """Where its line can't be told, the start ends with 1, and neither the port nor the folder stays held."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "tenantai", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=writing, stderr=asyncio.subprocess.DEVNULL, env=environment(tmp_path, **NO_MODEL)
    )
    os.close(writing)
    try:
        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 1
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_nobody_takes_its_logs(tmp_path: Path) -> None:
    """Where no line can be logged, faults are answered all the same, and SIGTERM ends the server."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "tenantai", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=writing, env=environment(tmp_path, **NO_MODEL, PYTHONUNBUFFERED="")
    )
    os.close(writing)
    try:
        url = await address(process)
        database = Layout(tmp_path / "data").database
        async with aiohttp.ClientSession() as session:
            database.rename(tmp_path / "away")
            async with session.post(f"{url}/api/v1/register", json={"email": "a@b.example", "organizationName": "A"}) as failed:
                assert failed.status == 503
            (tmp_path / "away").rename(database)
            async with session.get(f"{url}/api/v1/health", data=b"x", headers={"Content-Encoding": "br"}) as answered:
                assert answered.status == 415
        process.terminate()
        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_port_in_use_is_one_sentence(server: asyncio.subprocess.Process, tmp_path: Path) -> None:
    """A port that another process holds ends the start with 1 and what to do."""
    port = (await address(server)).rsplit(":", 1)[1]
    refused = await run("serve", "--port", port, "--data-dir", str(tmp_path / "other"), home=tmp_path, **NO_MODEL)
    assert refused.code == 1
    assert refused.err.splitlines()[-1].endswith("Address already in use. Choose another --port, or stop what uses it.")
    assert "Traceback" not in refused.err


async def test_port_in_use_is_found_before_a_model_is_fetched(tmp_path: Path) -> None:
    """A start that can't listen asks for no model: it ends with the port's sentence and leaves nothing in the folder."""
    asked: list[bytes] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as held:
        port = str(held.sockets[0].getsockname()[1])
        index = {"PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple/", "PIP_CONFIG_FILE": "/dev/null"}
        refused = await run("serve", "--port", port, "--data-dir", str(tmp_path / "data"), home=tmp_path, **index)
    assert refused.code == 1
    assert "Address already in use" in refused.err
    assert "fetching" not in refused.err
    assert asked == []
    assert not (tmp_path / "data" / "models").exists()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"TENANTAI_PROT": "1"}, "TENANTAI_PROT"),
        ({"TENANTAI_PORT": "many"}, "port"),
        ({"TENANTAI_TOOL_NETWORKS_ALLOWED": "['10.1.0.0/16']"}, "tool_networks_allowed must be networks such as 10.1.0.0/16"),
        ({"TENANTAI_TRUSTED_PROXIES": "10.1.0.1/16"}, "trusted_proxies must be networks such as 10.1.0.0/16"),
        ({"TENANTAI_PROVIDER": "gemini"}, "GEMINI_API_KEY"),
    ],
)
async def test_wrong_settings_end_the_start_with_2(tmp_path: Path, more: dict[str, str], named: str) -> None:
    """A setting that is unknown, invalid or missing is named in one sentence."""
    refused = await run("serve", "--data-dir", str(tmp_path / "data"), home=tmp_path, **NO_MODEL | more)
    assert refused.code == 2
    assert named in refused.err
    assert len(refused.err.splitlines()) == 1


async def test_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """The sentence says what to do, and the exit code is 1."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    migrate(data_dir)
    connection = sqlite3.connect(Layout(data_dir).database)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    refused = await run("serve", "--port", "0", "--data-dir", str(data_dir), home=tmp_path, **NO_MODEL)
    assert refused.code == 1
    assert "newer version" in refused.err


async def test_half_done_migration_keeps_health_up_and_says_why_in_ready(tmp_path: Path) -> None:
    """While a migration is half done the process lives, and readiness is 503 with the command that restores the copy."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    migrate(data_dir)
    Layout(data_dir).mark.write_text(json.dumps({"from": "0001", "to": "0002", "copy": "/copies/before.sqlite3"}))
    server = await start("serve", "--port", "0", "--data-dir", str(data_dir), home=tmp_path, **NO_MODEL)
    url = await address(server)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/api/v1/health") as alive:
            assert alive.status == 200
        async with session.get(f"{url}/api/v1/ready") as ready:
            assert ready.status == 503
            assert "restore" in (await ready.json())["error"]["message"]
    server.terminate()
    assert (await outcome(server)).code == 0
