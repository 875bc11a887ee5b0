"""The console's line to one server: there, gone, or refused; it comes back by itself.

What must stay true: one task asks whether the server is there and the key is accepted, and everybody else only tells it of failures
and waits for it; a console that nobody uses costs a tenant a hundred requests a day at most.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from tenantai.tui.refusals import KEY_ENDED, KEY_REFUSED

if TYPE_CHECKING:
    from tenantai.client import Client, ClientError
    from tenantai.wire.api_keys import WhoAmI

Status = Literal["connecting", "online", "offline", "refused"]
GONE = "Not loaded yet: the server is gone."
NOT_CONNECTED = "Not loaded yet: there is no connection."
WITHOUT_KEY = "Not loaded yet: the key is not accepted; ctrl+l takes another."
KEY_REFUSED_CODE = "UNAUTHORIZED"
KEY_LACKS_CODE = "FORBIDDEN"
BROKEN = frozenset({"UNREACHABLE", "CONNECTION_LOST", "TIMEOUT", "STREAM_INCOMPLETE", "NOT_READY"})
PROBE_SECONDS = 5.0
PROBE_TIMEOUT_SECONDS = 5.0
WAIT_SECONDS_FIRST, WAIT_SECONDS_MAX = 1.0, 15.0
KEY_SECONDS_FIRST, KEY_SECONDS_MAX = 60.0, 900.0


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the line is: since when, why, when it is tried next (both times of `time.monotonic`), and who the server takes us for."""

    status: Status = "connecting"
    since: float = field(default_factory=time.monotonic)
    reason: str = ""
    next_try: float | None = None
    version: str = ""
    who: "WhoAmI | None" = None
    is_key_refused: bool = False

    @property
    def why_nothing_came(self) -> str:
        """Why a list that never came can't come now; empty where it can."""
        if self.status == "refused":
            return WITHOUT_KEY if self.is_key_refused else NOT_CONNECTED
        return GONE if self.status == "offline" else ""


class Link:
    """The line to a server with a key."""

    def __init__(self, url: str, api_key: str | None, *, changed: Callable[[LinkState], None]) -> None:
        self.url = url
        self.api_key = api_key
        self.state = LinkState()
        self._changed = changed
        self._client: Client | None = None
        self._online = asyncio.Event()
        self._poked = asyncio.Event()
        self._key_asked_at = 0.0
        self._key_wait = KEY_SECONDS_FIRST

    async def client(self) -> "Client":
        """Return the client, once the server has answered for the first time."""
        while self._client is None:
            await self._online.wait()
        return self._client

    async def online(self) -> None:
        """Wait until the server is there."""
        await self._online.wait()

    def lost(self, error: "ClientError") -> bool:
        """Take note that a request failed, or that the key is accepted no more; returns whether it means that the server is gone."""
        is_gone = error.code in BROKEN
        if self.state.status == "online" and (is_gone or error.code == KEY_REFUSED_CODE):
            self._fell(error, wait=WAIT_SECONDS_FIRST)
            self._poked.set()
        return is_gone

    def try_now(self) -> None:
        """Ask for the server now."""
        self._poked.set()

    def touch(self) -> None:
        """Take note that a person is there: whether the key is still accepted is asked soon, where that is long ago."""
        self._key_wait = KEY_SECONDS_FIRST
        if self._is_key_due():
            self._poked.set()

    def doubt_key(self) -> None:
        """Ask now whether the key is still accepted."""
        self._key_wait = 0.0
        self._poked.set()

    async def keep(self) -> None:
        """Watch the server until cancelled."""
        client_module = await asyncio.to_thread(import_module, "tenantai.client")
        self._error_kind: type[ClientError] = client_module.ClientError
        try:
            connection = client_module.Client(self.url, self.api_key)
        except self._error_kind as error:
            self._down("refused", error.message, wait=None)
            return
        async with connection as client:
            await self._watch(client)

    async def _watch(self, client: "Client") -> None:
        wait = WAIT_SECONDS_FIRST
        while True:
            try:
                await self._probe(client)
                wait = WAIT_SECONDS_FIRST
                await self._pause(PROBE_SECONDS)
            except TimeoutError:
                wait = wait_within(wait)
                self._down("offline", f"The server at {self.url} does not answer.", wait=wait)
                wait = await self._waited(wait)
            except self._error_kind as error:
                wait = wait_within(wait, is_counted=error.code == KEY_LACKS_CODE)
                self._fell(error, wait=wait)
                wait = await self._waited(wait)

    async def _probe(self, client: "Client") -> None:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            health = await client.probes.health()
            if self.state.status != "online":
                who = await client.probes.whoami()
                self._client = client
                self._note_key(KEY_SECONDS_FIRST)
                self._tell(LinkState("online", version=health.version, who=who))
                self._online.set()
            elif self._is_key_due():
                self._note_key(longer(self._key_wait))
                await self._ask_key(client)

    async def _ask_key(self, client: "Client") -> None:
        """Ask whether the key is still accepted, and what it may do by now."""
        try:
            who = await client.probes.whoami()
        except self._error_kind as error:
            if error.code in BROKEN or error.code == KEY_REFUSED_CODE:
                raise
        else:
            if who != self.state.who:
                self._tell(replace(self.state, who=who))

    def _note_key(self, wait: float) -> None:
        self._key_asked_at, self._key_wait = time.monotonic(), wait

    def _is_key_due(self) -> bool:
        return self.state.status == "online" and time.monotonic() - self._key_asked_at >= self._key_wait

    def _fell(self, error: "ClientError", *, wait: float) -> None:
        """Say what an error makes of the line."""
        is_key_refused = error.code == KEY_REFUSED_CODE
        reason = error.message
        if is_key_refused:
            reason = KEY_REFUSED if self.state.who is None else KEY_ENDED
        self._down("offline" if error.code in BROKEN else "refused", reason, wait=wait, is_key_refused=is_key_refused)

    def _down(self, status: Status, reason: str, *, wait: float | None, is_key_refused: bool = False) -> None:
        """Say that it is not there, and when it is tried next (None: not as it is)."""
        self._online.clear()
        next_try = None if wait is None else time.monotonic() + wait
        before = self.state if self.state.status == status else replace(self.state, status=status, since=time.monotonic())
        self._tell(replace(before, reason=reason, next_try=next_try, is_key_refused=is_key_refused))

    def _tell(self, state: LinkState) -> None:
        self.state = state
        self._changed(state)

    async def _waited(self, wait: float) -> float:
        """Wait before the next try; returns how long to wait after it, should it fail too."""
        await self._pause(wait)
        return wait * 2

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._poked.wait()
        except TimeoutError:
            pass
        self._poked.clear()


def wait_within(wait: float, *, is_counted: bool = False) -> float:
    """Return how long to wait before the next try: as long as with a good key where each counts as the tenant's, and is audited."""
    first, most = (KEY_SECONDS_FIRST, KEY_SECONDS_MAX) if is_counted else (WAIT_SECONDS_FIRST, WAIT_SECONDS_MAX)
    return max(first, min(wait, most))


def longer(wait: float) -> float:
    """Return how long to wait before the key is asked about again, while nobody uses the console."""
    return wait_within(wait * 2, is_counted=True)
