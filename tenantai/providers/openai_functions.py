"""Functions as servers of the OpenAI API take them, and calls as they send them: in pieces, side by side, sometimes broken.

What must stay true: arguments that are no JSON object are told as such, never mended and never passed on.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenantai.identifiers import new_id
from tenantai.providers.protocols import CallBegun, Function, FunctionCall, Turn
from tenantai.providers.retries import UNREADABLE, ProviderFault
from tenantai.validation import refuse_constant

CALLS_MAX = 64
ARGUMENT_CHARACTERS_MAX = 262_144


@dataclass(slots=True)
class _Begun:
    """A call whose arguments still arrive."""

    provider_id: str
    name: str
    id: str = field(default_factory=new_id)
    written: list[str] = field(default_factory=list)
    is_told: bool = False


@dataclass(slots=True)
class Calls:
    """The calls of one answer; `begun` holds those that nobody was told of yet."""

    begun: list[CallBegun] = field(default_factory=list)
    _calls: list[_Begun] = field(default_factory=list)
    _by_index: dict[int, _Begun] = field(default_factory=dict)
    _characters: int = 0

    def take(self, pieces: Sequence[Mapping[str, Any]]) -> int:
        """Take an event's pieces; how many characters they hold. Raises ProviderFault where there are too many."""
        before = self._characters
        for piece in pieces:
            function = piece.get("function") or {}
            call = self._call_of(piece, str(function.get("name") or ""))
            arguments = function.get("arguments") or ""
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            call.written.append(text)
            self._characters += len(text)
        if len(self._calls) > CALLS_MAX or self._characters > ARGUMENT_CHARACTERS_MAX:
            raise ProviderFault("the answer holds more calls than can be taken", status=UNREADABLE)
        return self._characters - before

    def whole(self) -> list[FunctionCall]:
        """Return the calls, once all their pieces came."""
        return [_call(call) for call in self._calls if call.name]

    def _call_of(self, piece: Mapping[str, Any], name: str) -> _Begun:
        """Return the call that a piece belongs to: by its index, unless an id of its own and a name begin another."""
        provider_id = str(piece.get("id") or "")
        given = piece.get("index")
        index = given if isinstance(given, int) else None
        call = self._by_index.get(index) if index is not None else self._latest(provider_id)
        if call is None or (provider_id and name and call.provider_id and provider_id != call.provider_id):
            call = _Begun(provider_id, name)
            self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        call.provider_id = call.provider_id or provider_id
        call.name = call.name or name
        if call.name and not call.is_told:
            call.is_told = True
            self.begun.append(CallBegun(call.id, call.name))
        return call

    def _latest(self, provider_id: str) -> _Begun | None:
        """Return the call that a piece without an index goes on with: the latest, unless it names another by its id."""
        if not self._calls or (provider_id and self._calls[-1].provider_id != provider_id):
            return None
        return self._calls[-1]


def declared(functions: Sequence[Function]) -> list[dict[str, Any]]:
    """Return functions as a request declares them."""
    return [
        {"type": "function", "function": {"name": f.name, "description": f.description, "parameters": f.parameters}}
        for f in functions
    ]


def message_of(turn: Turn) -> list[dict[str, Any]]:
    """Return a turn as messages: one, but for results, which are one each."""
    if turn.role == "function":
        return [{"role": "tool", "tool_call_id": _id_of(r.call), "content": _text(r.output)} for r in turn.results]
    if turn.pictures:
        return [{"role": turn.role, "content": [*map(_picture, turn.pictures), {"type": "text", "text": turn.text}]}]
    if not turn.calls:
        return [{"role": turn.role, "content": turn.text}]
    calls = [
        {
            "id": _id_of(call),
            "type": "function",
            # Servers parse these again: what was broken would make the whole request one.
            "function": {"name": call.name, "arguments": json.dumps(call.arguments or {})},
        }
        for call in turn.calls
    ]
    return [{"role": turn.role, "content": turn.text or None, "tool_calls": calls}]


def _picture(jpeg: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + b64encode(jpeg).decode()}}


def _call(begun: _Begun) -> FunctionCall:
    written = "".join(begun.written)
    return FunctionCall(begun.id, begun.name, object_of(written), written=written, provider_id=begun.provider_id)


def object_of(written: str) -> dict[str, Any] | None:
    """Return the JSON object that a text holds, an empty one for no text, None for anything else."""
    try:
        value = json.loads(written or "{}", parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _id_of(call: FunctionCall) -> str:
    return call.provider_id or call.id


def _text(output: Any) -> str:
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
