"""A running server and what tests do with it."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
from aiohttp import web

from tenantai.identifiers import timestamp
from tenantai.providers.protocols import ChatModel, EmbeddingModel, VisionModel
from tenantai.providers.scripted import ScriptedChat, ScriptedEmbedding
from tenantai.providers.vision import SeeingModel
from tenantai.server import keys
from tenantai.server.app import Models, create_app
from tenantai.server.protocol import Runner
from tenantai.server.services import credentials
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage import api_keys
from tenantai.storage.database import Row, Transaction, compiled

API = "/api/v1"
WAIT_SECONDS = 20.0
MANY = 1_000_000_000
WIDE = Plans(pro=Plan(requests_per_minute=MANY, requests_per_hour=MANY, requests_per_day=MANY, requests_per_month=MANY))
Event = dict[str, Any]
SOFA = {"name": "sofa 3 seat", "label": "grey", "room": "living room", "quantity": 1, "length_cm": 210, "width_cm": 90}
SOFA |= {"height_cm": 85, "confidence": 0.9, "box_2d": [100, 200, 500, 900], "fragile": False, "built_in": False}
SOFA_SEEN = SeeingModel(cast("ChatModel", ScriptedChat([[json.dumps({"things": [SOFA]})]])))
"""Sees one and the same sofa in every picture."""


@dataclass(frozen=True)
class Account:
    """An account of a tenant."""

    id: str
    tenant_id: str
    role: str


@dataclass(frozen=True)
class Tenant:
    """A tenant as a test knows it: its id, its first key and its first account."""

    id: str
    key: str
    account: Account

    @property
    def path(self) -> str:
        """Where its things are."""
        return f"{API}/tenants/{self.id}"

    @property
    def files(self) -> str:
        """Where its account's files are."""
        return f"{self.path}/accounts/{self.account.id}/files"


@dataclass(frozen=True)
class Reply:
    """An answer read whole."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return cast("dict[str, Any]", json.loads(self.text))

    @property
    def data(self) -> dict[str, Any]:
        """The data of a success."""
        assert self.body["success"] is True, self.text
        return cast("dict[str, Any]", self.body["data"])

    @property
    def error(self) -> dict[str, Any]:
        """The error of a failure, in the one shape."""
        assert self.body["success"] is False, self.text
        error = cast("dict[str, Any]", self.body["error"])
        assert set(error) <= {"code", "message", "details", "requestId"}
        assert error["requestId"] == self.headers["X-Request-Id"]
        for leak in ("Traceback", "/tenantai", "sqlite", "SELECT", ".py"):
            assert leak not in self.text
        return error

    @property
    def fields(self) -> set[str]:
        """The fields that a 400 names."""
        assert self.status == 400, self.text
        return {problem["field"] for problem in self.error["details"]}


@dataclass
class Running:
    """A server on loopback and a client of it."""

    app: web.Application
    runner: web.AppRunner
    session: aiohttp.ClientSession
    url: str
    chat: ScriptedChat
    embedding: EmbeddingModel
    names: Counter[str] = field(default_factory=Counter)

    async def send(self, method: str, path: str, *, key: str | None = None, **given: Any) -> Reply:
        """Send a request and read the answer whole."""
        headers = {**({"x-api-key": key} if key else {}), **given.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **given) as response:
            return Reply(response.status, response.headers.copy(), await response.text(errors="replace"))

    async def register(self, name: str) -> Tenant:
        """Register a tenant and make its first account."""
        self.names[name] += 1
        email = f"{name.lower()}{self.names[name]}@example.com"
        made = (await self.send("POST", f"{API}/register", json={"email": email, "organizationName": name})).data
        tenant = Tenant(made["tenantId"], made["apiKey"], Account("", made["tenantId"], "member"))
        return Tenant(tenant.id, tenant.key, await self.add_account(tenant, "First"))

    async def add_account(self, tenant: Tenant, name: str, *, role: str = "member") -> Account:
        """Make an account."""
        made = await self.send("POST", f"{tenant.path}/accounts", key=tenant.key, json={"name": name, "role": role})
        return Account(made.data["id"], tenant.id, role)

    async def issue(
        self, tenant: Tenant, *, account: Account | None = None, scopes: Iterable[str] = credentials.TENANT_SCOPES
    ) -> tuple[str, str]:
        """Issue a key; its secret and its id."""

        async def unit(transaction: Transaction) -> tuple[str, str]:
            secret, key = await credentials.issue(
                transaction, tenant.id, name="test", scopes=tuple(scopes), account_id=account.id if account else None
            )
            return secret, key.id

        return await self.app[keys.DATABASE].write(unit)

    async def revoke(self, tenant: Tenant, key_id: str) -> None:
        """Revoke a key in the database, as another process would."""

        async def unit(transaction: Transaction) -> None:
            assert await api_keys.revoke(transaction, tenant.id, key_id=key_id, moment=timestamp())

        await self.app[keys.DATABASE].write(unit)

    async def post_file(
        self, tenant: Tenant, content: bytes, name: str, *, account: Account | None = None, key: str = ""
    ) -> Reply:
        """Send a file; the server's answer, whatever it is."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename=name, content_type="application/octet-stream")
        path = f"{tenant.path}/accounts/{(account or tenant.account).id}/files"
        return await self.send("POST", path, key=key or tenant.key, data=form)

    async def upload(self, tenant: Tenant, text: str, name: str = "notes.txt", *, account: Account | None = None) -> str:
        """Send a text and wait until it is indexed; its id."""
        reply = await self.post_file(tenant, text.encode(), name, account=account)
        assert reply.status == 202, reply.text
        await self.settled(tenant)
        return str(reply.data["file"]["id"])

    async def settled(self, tenant: Tenant) -> list[Event]:
        """Follow the live progress to its end; what it told."""
        headers = {"Accept": "text/event-stream"}
        told = await self.send("GET", f"{tenant.path}/store/progress", key=tenant.key, headers=headers)
        return events_of(told.text)

    async def files(self, tenant: Tenant, *, key: str | None = None) -> dict[str, dict[str, Any]]:
        """Return the store's files by id."""
        shown = await self.send("GET", f"{tenant.path}/store?limit=200", key=key or tenant.key)
        return {file["id"]: file for file in shown.data["files"]}

    async def act(self, tenant: Tenant, action: str, *file_ids: str, key: str = "") -> list[dict[str, Any]]:
        """Do an action on files."""
        body = {"action": action, "fileIds": file_ids}
        reply = await self.send("POST", f"{tenant.path}/store/files/actions", key=key or tenant.key, json=body)
        return cast("list[dict[str, Any]]", reply.data["results"])

    async def search(self, tenant: Tenant, query: str, *, key: str = "", **more: Any) -> list[dict[str, Any]]:
        """Search the store."""
        body = {"query": query, **more}
        reply = await self.send("POST", f"{tenant.path}/store/search", key=key or tenant.key, json=body)
        return cast("list[dict[str, Any]]", reply.data["results"])

    async def ask(
        self, tenant: Tenant, message: str, *, key: str = "", headers: Mapping[str, str] | None = None, **more: Any
    ) -> Reply:
        """Ask in a chat and read the answer whole."""
        body = {"tenantId": tenant.id, "message": message, **more}
        return await self.send("POST", f"{API}/chat", key=key or tenant.key, json=body, headers=dict(headers or {}))

    async def answer(self, tenant: Tenant, message: str, **more: Any) -> list[Event]:
        """Ask in a chat; the events."""
        reply = await self.ask(tenant, message, **more)
        assert reply.status == 200, reply.text
        return events_of(reply.text)

    async def messages(self, tenant: Tenant, conversation_id: str) -> list[dict[str, Any]]:
        """Return a conversation's messages."""
        reply = await self.send("GET", f"{API}/chat/history/{conversation_id}", key=tenant.key)
        return cast("list[dict[str, Any]]", reply.data["messages"])

    @asynccontextmanager
    async def opened(self, tenant: Tenant, message: str, **more: Any) -> AsyncIterator["Opened"]:
        """Open a chat's stream to read it event by event; leaving the block hangs up."""
        body = {"tenantId": tenant.id, "message": message, **more}
        headers = {"x-api-key": tenant.key}
        async with self.session.post(f"{self.url}{API}/chat", json=body, headers=headers) as response:
            assert response.status == 200, await response.text()
            stream = Opened(response)
            yield stream
            response.close()

    async def rows(self, sql: str, **given: Any) -> list[Row]:
        """Ask the database itself."""
        return await self.app[keys.DATABASE].reading.all(compiled(sql), **given)


@dataclass
class Opened:
    """A stream that is being read."""

    response: aiohttp.ClientResponse

    async def event(self) -> Event:
        """Return the next event."""
        while True:
            line = (await asyncio.wait_for(self.response.content.readline(), WAIT_SECONDS)).decode()
            assert line, "the stream ended"
            if line.startswith("data: {"):
                return cast("Event", json.loads(line[6:]))

    async def until(self, kind: str) -> Event:
        """Return the next event of a kind."""
        while (event := await self.event())["type"] != kind:
            pass
        return event


def events_of(text: str) -> list[Event]:
    """Return the events of a stream, which must be framed to the letter and end with its mark."""
    frames = [frame for frame in text.split("\n\n") if not frame.startswith(":")]
    assert frames[-2:] == ["data: [DONE]", ""], text[-200:]
    assert all(frame.startswith("data: {") and "\n" not in frame for frame in frames[:-2])
    return [json.loads(frame[6:]) for frame in frames[:-2]]


def kinds(events: Sequence[Event]) -> list[str]:
    """Return the events' types, a run of deltas as one."""
    found = [str(event["type"]) for event in events]
    return [kind for at, kind in enumerate(found) if kind != "text-delta" or found[at - 1] != "text-delta"]


def text_of(events: Sequence[Event]) -> str:
    """Return the text that the deltas make."""
    return "".join(event["delta"] for event in events if event["type"] == "text-delta")


async def raw(running: Running, request: bytes, rest: bytes = b"", *, once: Callable[[], object] = bool) -> bytes:
    """Send bytes as they are, the rest of them once a condition holds, and read what comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rsplit(":", 1)[1]))
    writer.write(request)
    if rest:
        await until(once)
        writer.write(rest)
    async with asyncio.timeout(WAIT_SECONDS):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def reply_of(answer: bytes) -> Reply:
    """Return the one answer that stands in bytes from a socket."""
    head, _, body = answer.decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    assert "}HTTP/1." not in body, "there are two answers"
    return Reply(int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body)


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that no event tells of."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.002)


async def until_seen(look: Callable[[], Awaitable[object]], *, seconds: float = 3 * WAIT_SECONDS) -> None:
    """Wait for what another process shows and no event tells of."""
    async with asyncio.timeout(seconds):
        while not await look():  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(
    settings: Settings,
    *,
    chat: ScriptedChat | None = None,
    embedding: EmbeddingModel | None = None,
    vision: VisionModel | None = SOFA_SEEN,
) -> AsyncIterator[Running]:
    """Run a real server on loopback while the block runs."""
    talker, embedder = chat or ScriptedChat(), embedding or ScriptedEmbedding()
    app = create_app(settings, Models(cast("ChatModel", talker), embedder, vision))
    runner = Runner(app, shutdown_timeout_seconds=settings.shutdown_timeout_seconds)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_SECONDS)) as session:
        try:
            yield Running(app, runner, session, url, talker, embedder)
        finally:
            with suppress(asyncio.CancelledError):
                await runner.cleanup()
