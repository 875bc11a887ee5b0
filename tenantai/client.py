"""The typed client: HTTP and event streams, for the console, the commands and other people's programs.

What must stay true: whatever goes wrong is one `ClientError` with a sentence that says what to do, and an answer or a progress
whose stream breaks off is never taken for a whole one.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import BaseModel, ValidationError

from tenantai.wire.accounts import AccountRecord
from tenantai.wire.chat import Answer, ConversationRecord, MessageRecord
from tenantai.wire.files import FileActionResult, FileRecord, Progress, SearchHit
from tenantai.wire.shapes import Computed
from tenantai.wire.tenants import Registered, TenantRecord

API = "/api/v1"
EVENT_STREAM = {"Accept": "text/event-stream"}
JSON = {"Accept": "application/json"}
SUCCESS_BELOW = 300
REDIRECT_BELOW = 400
EVENT_BYTES_MAX = 16 * 1024 * 1024
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=90)

Shape = TypeVar("Shape", bound=BaseModel)
FileAction = Literal["exclude", "include", "delete", "resync"]


class ClientError(Exception):
    """A request that came to nothing: the server's own code and sentence, or ours where no server spoke."""

    def __init__(self, code: str, message: str, *, request_id: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id
        self.retry_after = retry_after


class CitedQuote(Computed):
    """A quote that an answer stands on, with its place in the file's text."""

    file_id: str
    file_name: str
    quote: str
    start: int
    end: int
    score: float
    page: int | None = None
    account_id: str | None = None


class Uploaded(Computed):
    """A file as it was taken in; `is_new` is false where the same bytes were there."""

    file: FileRecord
    operation_id: str
    is_new: bool


class StorageUse(Computed):
    """Bytes of a store."""

    used_bytes: int
    quota_bytes: int


class Store(Computed):
    """What a tenant's store holds, with the first page of its files."""

    storage: StorageUse
    counts: dict[str, int]
    last_sync: Progress
    files: list[FileRecord]
    next_cursor: str | None


class _Results(Computed):
    results: list[FileActionResult]


class _Hits(Computed):
    results: list[SearchHit]


class _Cancelled(Computed):
    cancelled_files: int


@dataclass(frozen=True, slots=True)
class ChatStarted:
    """The answer begins."""

    message_id: str
    conversation_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class ChatText:
    """Some of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatCitations:
    """What the answer stands on; `[1]` in its text is the first."""

    citations: tuple[CitedQuote, ...]


@dataclass(frozen=True, slots=True)
class ChatUsage:
    """Who answered, and for how many tokens."""

    model: str
    usage: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatFault:
    """The answer was broken off, for this reason."""

    sentence: str


@dataclass(frozen=True, slots=True)
class ChatFinished:
    """The answer is whole, unless the reason is `error`."""

    reason: str


ChatEvent = ChatStarted | ChatText | ChatCitations | ChatUsage | ChatFault | ChatFinished


class Client:
    """A connection to one server with one key; use it as an async context manager."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self.url = _checked_url(url)
        headers = {"x-api-key": api_key} if api_key else {}
        self._headers = {**headers, "User-Agent": "tenantai"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=TIMEOUT, trust_env=not _is_local(self.url))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def register(self, *, email: str, organization_name: str) -> Registered:
        """Make a tenant; its key is in this answer and nowhere else."""
        body = {"email": email, "organizationName": organization_name}
        return await self._call("POST", "/register", Registered, body=body)

    def tenants(self) -> AsyncGenerator[TenantRecord]:
        """Yield the key's own tenant; for the operator all of them."""
        return self._pages("/tenants", "tenants", TenantRecord)

    def accounts(self, tenant_id: str) -> AsyncGenerator[AccountRecord]:
        """Yield the accounts that the key sees."""
        return self._pages(f"{_tenant(tenant_id)}/accounts", "accounts", AccountRecord)

    async def create_account(self, tenant_id: str, *, name: str, role: str = "member") -> AccountRecord:
        """Make an account."""
        return await self._call("POST", f"{_tenant(tenant_id)}/accounts", AccountRecord, body={"name": name, "role": role})

    def files(self, tenant_id: str, account_id: str) -> AsyncGenerator[FileRecord]:
        """Yield an account's files by creation."""
        return self._pages(f"{_account(tenant_id, account_id)}/files", "files", FileRecord)

    async def upload(self, tenant_id: str, account_id: str, *, path: Path) -> Uploaded:
        """Send a file from the disk, piece by piece; it is indexed behind the answer. Raises OSError where it can't be read."""
        with await asyncio.to_thread(path.open, "rb") as content:
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("file", content, filename=_sendable(path.name), content_type="application/octet-stream")
            return await self._call("POST", f"{_account(tenant_id, account_id)}/files", Uploaded, form=form)

    async def delete_file(self, tenant_id: str, account_id: str, *, file_id: str) -> None:
        """Delete a file: it is in no later answer."""
        async with self._response("DELETE", f"{_account(tenant_id, account_id)}/files/{quote(file_id, safe='')}"):
            pass

    async def store(self, tenant_id: str) -> Store:
        """Return bytes, counts and the first page of the files."""
        return await self._call("GET", f"{_tenant(tenant_id)}/store", Store)

    def store_files(self, tenant_id: str) -> AsyncGenerator[FileRecord]:
        """Yield every file of the tenant that the key sees."""
        return self._pages(f"{_tenant(tenant_id)}/store", "files", FileRecord)

    async def act(self, tenant_id: str, *, action: FileAction, file_ids: Sequence[str]) -> list[FileActionResult]:
        """Do one action on files; a result for each."""
        body = {"action": action, "fileIds": list(file_ids)}
        return (await self._call("POST", f"{_tenant(tenant_id)}/store/files/actions", _Results, body=body)).results

    async def search(
        self, tenant_id: str, query: str, *, top_k: int | None = None, account_id: str | None = None
    ) -> list[SearchHit]:
        """Return the passages that a model would be handed for this question."""
        body = _present(query=query, topK=top_k, accountId=account_id)
        return (await self._call("POST", f"{_tenant(tenant_id)}/store/search", _Hits, body=body)).results

    async def progress(self, tenant_id: str) -> Progress:
        """Return how far the newest operation is."""
        return await self._call("GET", f"{_tenant(tenant_id)}/store/progress", Progress)

    async def live_progress(self, tenant_id: str) -> AsyncGenerator[Progress]:
        """Yield the progress as it changes, until it is no longer in progress."""
        async with self._response("GET", f"{_tenant(tenant_id)}/store/progress", headers=EVENT_STREAM) as response:
            async for data in _events(response):
                if data == "[DONE]":
                    return
                yield _shaped(Progress, _parsed(data))
        raise _broken_off("The progress")

    async def cancel(self, tenant_id: str) -> int:
        """Cancel the operation in progress; returns how many files left the queue."""
        return (await self._call("DELETE", f"{_tenant(tenant_id)}/store/sync", _Cancelled)).cancelled_files

    async def chat(
        self,
        tenant_id: str,
        message: str,
        *,
        account_id: str | None = None,
        conversation_id: str | None = None,
        files: Sequence[str] | None = None,
    ) -> AsyncGenerator[ChatEvent]:
        """Yield the answer piece by piece; raises ClientError where the stream ends without its last event."""
        body = _question(tenant_id, message, account_id, conversation_id, files)
        async with self._response("POST", "/chat", json=body, headers=EVENT_STREAM) as response:
            async for data in _events(response):
                event = None if data == "[DONE]" else chat_event(_parsed(data))
                if event is not None:
                    yield event
                if isinstance(event, ChatFinished):
                    return
        raise _broken_off("The answer")

    async def answer(
        self,
        tenant_id: str,
        message: str,
        *,
        account_id: str | None = None,
        conversation_id: str | None = None,
        files: Sequence[str] | None = None,
    ) -> Answer:
        """Return the whole answer at once."""
        body = _question(tenant_id, message, account_id, conversation_id, files)
        return await self._call("POST", "/chat", Answer, body=body, headers=JSON)

    def conversations(
        self, tenant_id: str, *, account_id: str | None = None, text: str | None = None
    ) -> AsyncGenerator[ConversationRecord]:
        """Yield conversations, the latest first; `text` finds those that hold it."""
        query = _present(tenantId=tenant_id, accountId=account_id, q=text)
        return self._pages("/chat/history", "conversations", ConversationRecord, query=query)

    def messages(self, conversation_id: str) -> AsyncGenerator[MessageRecord]:
        """Yield a conversation's messages in order."""
        return self._pages(f"/chat/history/{quote(conversation_id, safe='')}", "messages", MessageRecord)

    async def delete_conversation(self, conversation_id: str) -> None:
        """Delete a conversation, for good."""
        async with self._response("DELETE", f"/chat/history/{quote(conversation_id, safe='')}"):
            pass

    async def _pages(
        self, path: str, name: str, shape: type[Shape], *, query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Shape]:
        cursor: str | None = ""
        while cursor is not None:
            page = await self._data("GET", path, params={**(query or {}), "limit": "200", **_present(cursor=cursor or None)})
            for item in page.get(name, ()):
                yield _shaped(shape, item)
            cursor = page.get("nextCursor")

    async def _call(
        self,
        method: str,
        path: str,
        shape: type[Shape],
        *,
        body: Mapping[str, Any] | None = None,
        form: aiohttp.FormData | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Shape:
        options = {"data": form} if form is not None else {"json": body} if body is not None else {}
        return _shaped(shape, await self._data(method, path, headers=headers, **options))

    async def _data(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        async with self._response(method, path, **options) as response:
            data = _parsed(await response.text(errors="replace")).get("data")
        if not isinstance(data, dict):
            raise _not_ours()
        return data

    @asynccontextmanager
    async def _response(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("use the Client in `async with`")
        try:
            async with self._session.request(method, f"{self.url}{API}{path}", allow_redirects=False, **options) as response:
                if response.status >= SUCCESS_BELOW:
                    raise await _refusal(response)
                yield response
        except aiohttp.ClientConnectorError as error:
            sentence = f"No tenantai server answers at {self.url}. Start one with `tenantai serve`, or check the address."
            raise ClientError("UNREACHABLE", sentence) from error
        except TimeoutError as error:
            raise ClientError("TIMEOUT", f"The server at {self.url} did not answer in time. Try again.") from error
        except aiohttp.ClientError as error:
            sentence = f"The connection to {self.url} broke before the answer was whole. Try again."
            raise ClientError("CONNECTION_LOST", sentence) from error


def chat_event(event: Mapping[str, Any]) -> ChatEvent | None:  # noqa: PLR0911  one way out for each kind of event
    """Return an event of a chat's stream as its type, None for those that a plain client skips."""
    metadata = event.get("messageMetadata") or {}
    match event.get("type"):
        case "start":
            return ChatStarted(
                str(event.get("messageId", "")), str(metadata.get("conversationId", "")), str(metadata.get("requestId", ""))
            )
        case "text-delta":
            return ChatText(str(event.get("delta", "")))
        case "data-citations":
            return ChatCitations(tuple(_shaped(CitedQuote, cited) for cited in event.get("data", ())))
        case "message-metadata":
            return ChatUsage(str(metadata.get("model", "")), metadata.get("usage") or {})
        case "error":
            return ChatFault(str(event.get("errorText", "")))
        case "finish":
            return ChatFinished(str(event.get("finishReason", "other")))
    return None


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """Yield the data of each event of a stream."""
    held, data = bytearray(), list[bytes]()
    async for piece in response.content.iter_any():
        held += piece
        *lines, rest = held.split(b"\n")
        held = bytearray(rest)
        for line in (bytes(raw).removesuffix(b"\r") for raw in lines):
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data).decode("utf-8", "replace")
                data = []
        if len(held) > EVENT_BYTES_MAX:
            raise _not_ours()


async def _refusal(response: aiohttp.ClientResponse) -> ClientError:
    """Return the error that a server answered with, also where it is not one of ours."""
    if response.status < REDIRECT_BELOW:
        to = response.headers.get("Location", "elsewhere")
        return ClientError("REDIRECTED", f"The server sends us to {to}. Name that address instead; a key is not sent on.")
    try:
        error = json.loads(await response.text(errors="replace"))["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        reason = f"The server answered {response.status} without saying why. Is there a tenantai server at this address?"
        return ClientError("NOT_OURS", reason, request_id=response.headers.get("X-Request-Id"))
    after = response.headers.get("Retry-After", "")
    return ClientError(
        code, message, request_id=error.get("requestId"), retry_after=int(after) if after.isascii() and after.isdigit() else None
    )


def _checked_url(url: str) -> str:
    """Return a server's address without what comes after it; raises ClientError where it is none."""
    trimmed = url.strip().rstrip("/").removesuffix(API)
    try:
        parts = urlsplit(trimmed)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment:
        raise ClientError("BAD_ADDRESS", "The server's address must look like http://127.0.0.1:8420.")
    return trimmed


def _sendable(name: str) -> str:
    """Return a file's name as a form can carry it: no control characters, no bytes that are not text."""
    text = name.encode("utf-8", "replace").decode()
    return "".join(character for character in text if character.isprintable()) or "unnamed"


def _is_local(url: str) -> bool:
    """Tell whether an address is this machine's own, which no proxy may see."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _question(
    tenant_id: str, message: str, account_id: str | None, conversation_id: str | None, files: Sequence[str] | None
) -> dict[str, Any]:
    return _present(
        tenantId=tenant_id,
        message=message,
        accountId=account_id,
        conversationId=conversation_id,
        files=None if files is None else list(files),
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _not_ours()
    return value


def _shaped(shape: type[Shape], value: Any) -> Shape:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise _not_ours() from error


def _not_ours() -> ClientError:
    return ClientError("NOT_OURS", "The answer is not one of a tenantai server that this client knows. Check the address.")


def _broken_off(what: str) -> ClientError:
    return ClientError("STREAM_INCOMPLETE", f"{what} broke off before its end, so it is not whole. Try again.")


def _present(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _tenant(tenant_id: str) -> str:
    return f"/tenants/{quote(tenant_id, safe='')}"


def _account(tenant_id: str, account_id: str) -> str:
    return f"{_tenant(tenant_id)}/accounts/{quote(account_id, safe='')}"
