"""The only writer of event-stream framing.

What must stay true: headers go out once, then an error is an event, never a status; each event is one `data:` line of JSON that
any reader takes (ASCII, no NaN); silence is broken by a comment every 15 seconds; `[DONE]` comes last.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web
from pydantic_core import PydanticSerializationError, to_json

from tenantai.server.keys import REQUEST_ID, REQUEST_ID_HEADER, STREAM_RECORD
from tenantai.server.metering import begin
from tenantai.server.services.idempotency import StreamRecord

HEARTBEAT_SECONDS = 15.0
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
UI_MESSAGE_STREAM = {"x-vercel-ai-ui-message-stream": "v1"}

TEXT_DELTA_FIELDS = 3
WAITING_CHARACTERS_MAX = 16 * 1024
AT_ONCE_CHARACTERS = 64 * 1024
CLOSING = frozenset(
    {"text-end", "tool-output-error", "tool-approval-request", "data-citations", "source-document", "data-summary"}
    | {"error", "finish-step", "message-metadata", "finish"}
)
"""Events of which a stream has few, at its end or that of a round: they wait for no reader, whose stream would never end."""
LAST = "data: [DONE]\n\n"

_quoted = json.encoder.encode_basestring_ascii
_encoded_slowly = json.JSONEncoder(allow_nan=False, ensure_ascii=True, separators=(",", ":")).encode


class Response(web.StreamResponse):
    """A stream whose headers go out with its first write, and whose last events with the end of its body."""

    _send_headers_immediately = False  # aiohttp 3.14 has no public way to say so
    last: Sequence[str] = ()

    async def write_eof(self, data: bytes = b"") -> None:
        """End the body; aiohttp does so once the handler has returned."""
        waiting, self.last = list(self.last), ()
        while len(piece := _first(waiting)) < len(waiting):
            del waiting[: len(piece)]
            await self.write(_bytes_of(piece))
        await super().write_eof(data or _bytes_of(waiting))


class EventStream:
    """An open stream of events to one client."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._clock = asyncio.get_running_loop().time
        self._last_sent = self._clock()
        self._waiting: list[str] = []
        self._waiting_characters = 0
        self._is_waiting = asyncio.Event()
        self._writing = asyncio.Lock()
        self._has_left = False
        self._next_beat: asyncio.TimerHandle | None = None
        self._part_id: str | None = None
        self._opening = ""

    async def send(self, event: Mapping[str, Any], *, event_id: str | None = None) -> None:
        """Send one event; events that come at once go out together, in the loop's next turn.

        A reader that comes back names the last `event_id` it had. Waits where the client reads slowly. Raises
        ConnectionResetError once the client has left.
        """
        line = self._line(event, event_id)
        self._waiting.append(line)
        self._waiting_characters += len(line)
        if self._has_left:
            raise ConnectionResetError("the client has left")
        if self._waits_for_reader(event):
            await self.flush()
        elif len(self._waiting) == 1:
            self._is_waiting.set()

    def end(self) -> None:
        """Leave what waits, and the mark after the last event, to the end of the body, which follows at once."""
        self.end_beat()
        self._response.last = [*self._waiting, LAST]
        self._forget()

    async def flush(self) -> None:
        """Write what waits, and the headers where nothing was written before."""
        async with self._writing:
            while True:
                lines = self._taken()
                self._last_sent = self._clock()
                await self._response.write(_bytes_of(lines))
                if not self._waiting:
                    return

    async def write_forever(self) -> None:
        """Write what waits whenever something does; ends when the client has left, which the next `send` then finds out."""
        try:
            while True:
                self._is_waiting.clear()
                await self.flush()
                await self._is_waiting.wait()
        except ConnectionError:
            self._has_left = True

    def _waits_for_reader(self, event: Mapping[str, Any]) -> bool:
        return self._waiting_characters > WAITING_CHARACTERS_MAX and event.get("type") not in CLOSING

    def _line(self, event: Mapping[str, Any], event_id: str | None) -> str:
        """Return an event as it is written; most are pieces of a text."""
        if len(event) == TEXT_DELTA_FIELDS and event_id is None and event.get("type") == "text-delta":
            return f"{self._before_delta(event['id'])}{_quoted(event['delta'])}}}\n\n"
        line = f"data: {_encoded(event)}\n\n"
        return line if event_id is None else f"id: {event_id}\n{line}"

    def _before_delta(self, part_id: str) -> str:
        """Return what an event of a text begins with; that of the last text is remembered."""
        if self._part_id is not part_id:
            self._part_id, self._opening = part_id, f'data: {{"type":"text-delta","id":{_quoted(part_id)},"delta":'
        return self._opening

    def _taken(self) -> list[str]:
        """Take what is written at once; the rest goes on to wait, also where the writing of this is broken off."""
        lines = _first(self._waiting)
        if len(lines) == len(self._waiting):
            self._forget()
        else:
            del self._waiting[: len(lines)]
            self._waiting_characters -= sum(map(len, lines))
        return lines

    def _forget(self) -> None:
        self._waiting, self._waiting_characters = [], 0

    def beat(self, interval_seconds: float) -> None:
        """Send a comment whenever nothing else was sent for that long, from now until `end_beat`."""
        if self._clock() - self._last_sent >= interval_seconds:
            self._last_sent = self._clock()
            self._waiting.append(": keep-alive\n\n")
            self._is_waiting.set()
        self._next_beat = asyncio.get_running_loop().call_at(self._last_sent + interval_seconds, self.beat, interval_seconds)

    def end_beat(self) -> None:
        """Send no more comments."""
        if self._next_beat is not None:
            self._next_beat.cancel()


class KeptStream(EventStream):
    """A stream that is told again where it is asked for again: it goes on to its end, whether or not its client reads."""

    def __init__(self, response: Response, record: StreamRecord, headers: Mapping[str, str]) -> None:
        super().__init__(response)
        self._record = record
        record.headers = headers

    async def send(self, event: Mapping[str, Any], *, event_id: str | None = None) -> None:
        """Send one event and record it; waits for a client that reads slowly only where the record is full."""
        line = self._line(event, event_id)
        self._record.add(line, is_error=event.get("type") == "error")
        if self._has_left:
            self._forget()
            return
        self._waiting.append(line)
        self._waiting_characters += len(line)
        self._is_waiting.set()
        if self._record.is_full and self._waits_for_reader(event):
            with suppress(ConnectionError):
                await self.flush()

    def end(self) -> None:
        """End as any stream does, and the record with it."""
        super().end()
        self._record.add(LAST)
        self._record.has_ended = True


def _first(lines: list[str]) -> list[str]:
    """Return the first lines, as many as are written at once: of a long answer that nobody read yet no copy is made."""
    characters = 0
    for count, line in enumerate(lines):
        characters += len(line)
        if characters > AT_ONCE_CHARACTERS:
            return lines[: count + 1]
    return lines


def _bytes_of(lines: Sequence[str]) -> bytes:
    return "".join(lines).encode("ascii")


def _encoded(event: Mapping[str, Any]) -> str:
    """Return compact JSON; half characters, which UTF-8 has not, are escaped, which takes the slower way."""
    try:
        return to_json(event, ensure_ascii=True, inf_nan_mode="null").decode("ascii")
    except PydanticSerializationError:
        return _encoded_slowly(event)


@asynccontextmanager
async def event_stream(
    request: web.Request, *, headers: Mapping[str, str], heartbeat_seconds: float = HEARTBEAT_SECONDS
) -> AsyncIterator[tuple[EventStream, Response]]:
    """Send the headers in the loop's next turn, with what is sent by then, and keep the stream alive while the block runs."""
    response = Response(headers={**HEADERS, REQUEST_ID_HEADER: request[REQUEST_ID], **headers})
    begin(request, response)
    await response.prepare(request)
    record = request.get(STREAM_RECORD)
    stream = EventStream(response) if record is None else KeptStream(response, record, {**HEADERS, **headers})
    stream.beat(heartbeat_seconds)
    writing = asyncio.create_task(stream.write_forever())
    try:
        yield stream, response
    finally:
        stream.end_beat()
        writing.cancel()
