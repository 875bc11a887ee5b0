"""The last lines of the log in memory: what is kept, who reads it, and how it is followed."""

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from tenantai.client import Client, ClientError
from tenantai.server import keys, log_ring, logs
from tenantai.server.log_ring import LogRing, Wanted
from tenantai.server.logs import access_log
from tenantai.server.routes import API
from tenantai.server.services import log_tail
from tenantai.server.services.credentials import OPERATOR_SCOPE
from tenantai.settings import Settings
from tenantai.wire.logs import LogLine
from tests.running import Running, serving

KEY = "sk_live_0123456789abcdefghijklmnopqrstuvABCDEF"


def line(message: str = "it is so", level: str = "info", **more: object) -> str:
    return json.dumps({"level": level, "timestamp": "2026-01-01T00:00:00.000Z", "message": message, **more})


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> LogRing:
    """An empty ring in place of the process's own."""
    made = LogRing()
    for module in (log_ring, logs):
        monkeypatch.setattr(module, "log_ring", made)
    monkeypatch.setattr("tenantai.server.app.log_ring", made)
    monkeypatch.setattr(log_tail, "LOOK_EVERY_SECONDS", 0.01)
    return made


@pytest.fixture
def to_json() -> Iterator[io.StringIO]:
    """The access log goes to a text as JSON."""
    to = io.StringIO()
    access_log.configure(to)
    yield to
    access_log.configure(None)


@pytest.fixture
async def operated(ring: LogRing, to_json: io.StringIO, settings: Settings, brisk: None) -> AsyncIterator[Running]:
    """A server whose log is kept in the ring."""
    async with serving(settings) as running:
        yield running


def operator_key(running: Running) -> str:
    return (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()


async def test_requests_are_read_with_filters(operated: Running, ring: LogRing) -> None:
    """The operator reads each request's line, and narrows them by tenant, by text and by level."""
    acme, globex = await operated.register("Acme"), await operated.register("Globex")
    await operated.send("GET", acme.path, key=acme.key, headers={"X-Request-Id": "asked-1"})
    await operated.send("GET", globex.path, key=globex.key)
    access_log.flush()
    ring.keep([line("model down", "error", tenant_id=acme.id, reason="No WAY through"), line("odd", "warning")])
    async with Client(operated.url, operator_key(operated)) as client:
        whole = await client.logs.page(limit=1000)
        assert [kept.message for kept in whole.lines[:2]] == ["odd", "model down"]
        assert [kept.id for kept in whole.lines] == list(range(len(whole.lines), 0, -1))
        assert whole.last_event_id == str(whole.lines[0].id)
        (asked,) = (await client.logs.page(text="asked-1")).lines
        assert (asked.request_id, asked.tenant_id, asked.fields["path"]) == ("asked-1", acme.id, acme.path)
        assert (asked.fields["method"], asked.fields["status"], asked.level) == ("GET", 200, "info")
        of_acme = (await client.logs.page(tenant_id=acme.id)).lines
        assert {kept.tenant_id for kept in of_acme} == {acme.id}
        assert [kept.message for kept in (await client.logs.page(level="warning")).lines] == ["odd", "model down"]
        assert [kept.message for kept in (await client.logs.page(level="error", text="no way")).lines] == ["model down"]
        assert (await client.logs.page(level="critical")).lines == []
        assert len((await client.logs.page(limit=1)).lines) == 1


async def test_only_the_operator_reads(operated: Running) -> None:
    """A tenant's key is refused, and no key or password is in any line."""
    acme = await operated.register("Acme")
    assert (await operated.send("GET", f"{API}/logs", key=acme.key)).status == 403
    await operated.send("GET", f"/{KEY}/password=amaranth", key=acme.key)
    access_log.flush()
    reply = await operated.send("GET", f"{API}/logs?limit=1000", key=operator_key(operated))
    assert "password=…" in json.dumps(reply.data, ensure_ascii=False)
    for secret in (KEY[13:], "amaranth", acme.key, operator_key(operated)):
        assert secret not in reply.text


async def followed(
    client: Client, lines: "asyncio.Queue[LogLine]", *, after: str | None = None, level: str | None = None
) -> None:
    async for kept in client.logs.follow(after=after, level=level):  # type: ignore[arg-type]
        lines.put_nowait(kept)


async def test_lines_are_followed_to_a_shutdown(ring: LogRing, settings: Settings) -> None:
    """A tail goes on where a page ended, tells each line once and in order, and ends when the server stops."""
    lines: asyncio.Queue[LogLine] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks, serving(settings) as running, Client(running.url, operator_key(running)) as client:
        ring.keep([line("before"), line("missed"), line("small", "debug")])
        following = tasks.create_task(followed(client, lines, after="1", level="info"))
        assert (await lines.get()).message == "missed"
        ring.keep([line(f"line {number}") for number in range(300)])
        assert [(await lines.get()).message for _ in range(300)] == [f"line {number}" for number in range(300)]
        assert ring.last == 303
        running.app[keys.LOG_TAIL].drain()
        await following
    assert lines.empty()


async def test_a_tail_ends_with_its_key(operated: Running, ring: LogRing) -> None:
    """Once its key is revoked a tail tells nothing more but why."""
    acme = await operated.register("Acme")
    key, key_id = await operated.issue(acme, scopes=[OPERATOR_SCOPE])
    lines: asyncio.Queue[LogLine] = asyncio.Queue()
    async with Client(operated.url, key) as client:
        following = asyncio.create_task(followed(client, lines, after="0"))
        ring.keep([line("first")])
        while (await lines.get()).message != "first":
            pass
        await operated.revoke(acme, key_id)
        with pytest.raises(ClientError, match="may no longer read"):
            await following


async def test_an_id_of_an_earlier_start_means_everything(operated: Running, ring: LogRing) -> None:
    """Ids begin anew with a start: a tail that resumes behind one that is not reached yet gets all that is kept."""
    ring.keep([line("first")])
    lines: asyncio.Queue[LogLine] = asyncio.Queue()
    async with Client(operated.url, operator_key(operated)) as client:
        following = asyncio.create_task(followed(client, lines, after="123456"))
        assert (await lines.get()).message == "first"
        operated.app[keys.LOG_TAIL].drain()
        await following
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "x"}
    assert (await operated.send("GET", f"{API}/logs", key=operator_key(operated), headers=headers)).fields == {"Last-Event-ID"}


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest lines go where there are too many or too much, and a long line keeps the end of its fields."""
    monkeypatch.setattr(log_ring, "LINES_KEPT", 3)
    kept = LogRing()
    for number in range(5):
        kept.keep([line(str(number))])
    assert [(one.id, one.message) for one in kept.newest(Wanted(), count=9)] == [(5, "4"), (4, "3"), (3, "2")]
    kept.keep([line("fault", "error", exception="x" * 50_000 + "the cause", many={"a": ["b"] * 9000})])
    (fault,) = kept.newest(Wanted(), count=1)
    assert (fault.message, fault.level) == ("fault", "error")
    assert fault.fields["exception"].endswith("xthe cause")
    assert len(json.dumps(fault.fields)) < 3 * log_ring.FIELD_CHARACTERS_MAX
    monkeypatch.setattr(log_ring, "CHARACTERS_KEPT", 20_000)
    kept.keep([line("later", filler="y" * 15_000)])
    assert [one.message for one in kept.newest(Wanted(), count=9)] == ["later"]


LOGGED = f"""
import asyncio, io, logging, structlog
from tenantai.server.log_ring import Wanted, log_ring
from tenantai.server.logs import access_log, configure_logs
async def main():
    configure_logs("info", "FORM", stream=io.StringIO())
    structlog.get_logger("x").error("fault", file_id="f1", reason="{KEY}")
    logging.getLogger("library").warning("it %s", "says")
    try:
        1 / 0
    except ZeroDivisionError:
        structlog.get_logger("x").exception("broken")
    access_log.write(status=200, tenant_id="t1")
    access_log.flush()
    structlog.get_logger("x").debug("too small")
asyncio.run(main())
for line in reversed(log_ring.newest(Wanted(), count=9)):
    print(line.model_dump_json())
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_every_kind_of_line_is_kept(form: str) -> None:
    """Our own lines, those of libraries, tracebacks and requests are kept alike, on a terminal and elsewhere, without keys."""
    done = subprocess.run([sys.executable, "-c", LOGGED.replace("FORM", form)], capture_output=True, text=True, check=True)
    fault, said, broken, asked = (LogLine.model_validate_json(kept) for kept in done.stdout.splitlines())
    assert (fault.message, fault.level, fault.fields["file_id"]) == ("fault", "error", "f1")
    assert (said.message, said.level) == ("it says", "warning")
    assert "ZeroDivisionError" in broken.fields["exception"]
    assert (asked.message, asked.level, asked.tenant_id, asked.fields["status"]) == ("request", "info", "t1", 200)
    assert all(one.time.startswith("20") and one.time.endswith("Z") for one in (fault, said, broken, asked))
    assert KEY[13:] not in done.stdout
