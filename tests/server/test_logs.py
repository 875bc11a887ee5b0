"""The access log: each request has its line, without secrets, and a log that fails takes no request with it."""

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tenantai.server import logs
from tenantai.server.logs import AccessLog, access_log
from tenantai.settings import Settings
from tests.running import API, serving, until

KEY = "sk_live_0123456789abcdefghijklmnopqrstuvABCDEF"


class FullDisk(io.StringIO):
    """A stream that takes nothing."""

    def write(self, _text: str) -> int:
        """Refuse."""
        raise OSError(28, "No space left on device")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the lines of the access log go during the test."""
    to = io.StringIO()
    access_log.configure(to)
    yield to
    access_log.configure(None)


def written(to: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in to.getvalue().splitlines()]


async def test_lines_come_by_themselves(stream: io.StringIO) -> None:
    """A line is written without another request or a flush; it holds no key, and nothing that a file can't take."""
    access_log.write(method="GET", path=f"/x/{KEY}/\udcff\u2028", status=404)
    assert stream.getvalue() == ""
    await until(lambda: stream.getvalue().endswith("\n"))
    (line,) = written(stream)
    assert (line["method"], line["status"], line["message"]) == ("GET", 404, "request")
    assert KEY[13:] not in stream.getvalue()
    assert "\u2028" not in stream.getvalue()
    assert stream.getvalue().encode()


@pytest.mark.parametrize("said", ['"', '\\"', '\\\\"', "\\", "a", "\n", "é\x00", "'"])
async def test_nobody_writes_a_line_of_their_own(stream: io.StringIO, said: str) -> None:
    """What a client sends stays within its field, also where a secret is cut out of it: the line is JSON with no more fields."""
    path = f'/x?token={said}hidden","message":"forged","y":"&password={said}'
    access_log.write(path=path, status=404)
    access_log.write(path=f"\nAIza{'x' * 30}", status=404)
    await until(lambda: stream.getvalue().count("\n") == 2)
    line, other = written(stream)
    assert (
        line.keys()
        == other.keys()
        == {"method", "path", "status", "ms", "request_id", "tenant_id", "level", "timestamp", "message"}
    )
    assert line["message"] == "request"
    assert "xxx" not in stream.getvalue()
    assert line["path"].startswith("/x?token=")


async def test_many_lines_do_not_wait(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is bounded: at the most lines they are written at once, each once and in order."""
    monkeypatch.setattr(logs, "LINES_WAITING_MAX", 3)
    for number in range(7):
        access_log.write(status=number)
    assert [line["status"] for line in written(stream)] == list(range(6))
    await until(lambda: len(written(stream)) == 7)


async def test_lines_are_written_when_the_application_closes(stream: io.StringIO, settings: Settings) -> None:
    """The lines of the last requests are there once the server has stopped, and the next server's lines come as usual."""
    for runs in (1, 2):
        async with serving(settings) as running:
            await running.send("GET", f"{API}/health")
        assert [line["path"] for line in written(stream)] == [f"{API}/health"] * runs


async def test_log_that_cannot_be_written() -> None:
    """Where the log's disk is full, writing and flushing raise nothing."""
    log = AccessLog()
    log.configure(FullDisk())
    log.write(status=200)
    log.flush()
    await asyncio.sleep(0)
