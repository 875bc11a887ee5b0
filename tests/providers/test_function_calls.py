"""Calls of functions over the wire formats of Gemini and the OpenAI API: declared, called side by side, answered."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tenantai.errors import ProviderFailed
from tenantai.providers.gemini import GeminiChat
from tenantai.providers.gemini.functions import understood
from tenantai.providers.openai_compatible import OpenAIChat
from tenantai.providers.protocols import CallBegun, ChatEvent, Finished, Function, FunctionCall, FunctionResult, TextDelta, Turn
from tests.providers.model_servers import DONE, ModelServer, Reply, event, openai_chunk, openai_error, openai_stream, openai_usage
from tests.providers.provider_cases import KEY, REQUEST, Naps, collect

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "pattern": "^[A-Z]", "const": "Oslo"}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION = Function("weather", "Tell the weather.", SCHEMA)
OFFERING = replace(REQUEST, functions=(FUNCTION,))
SIGNATURE = b"\x00thought\xff"


@asynccontextmanager
async def gemini(replies: Iterable[Reply]) -> AsyncIterator[tuple[GeminiChat, ModelServer]]:
    async with ModelServer(replies) as server:
        chat = GeminiChat(KEY, server.url, patience=Naps().patience())
        try:
            yield chat, server
        finally:
            await chat.close()


@asynccontextmanager
async def openai(replies: Iterable[Reply]) -> AsyncIterator[tuple[OpenAIChat, ModelServer]]:
    async with ModelServer(replies) as server:
        chat = OpenAIChat(server.url, None, "llama", patience=Naps().patience())
        try:
            yield chat, server
        finally:
            await chat.close()


def calls_of(events: Sequence[ChatEvent]) -> list[FunctionCall]:
    """Return the calls, each of which was told of under its id before it was whole."""
    begun = [e.id for e in events if isinstance(e, CallBegun)]
    whole = [e for e in events if isinstance(e, FunctionCall)]
    assert begun == [call.id for call in whole]
    assert len(set(begun)) == len(begun)
    return whole


def gemini_parts(*parts: Mapping[str, Any], finish: str = "STOP") -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, "index": 0}
    return event({"candidates": [candidate], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3}}, end="\r\n\r\n")


def piece(index: int | None = None, provider_id: str | None = None, name: str | None = None, arguments: Any = None) -> bytes:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    call: dict[str, Any] = {"function": function}
    call |= {} if index is None else {"index": index}
    call |= {} if provider_id is None else {"id": provider_id, "type": "function"}
    return openai_chunk(tool_calls=[call])


CALLED = openai_chunk(finish="tool_calls")


async def test_gemini_calls_side_by_side() -> None:
    """Two calls of one answer are two events, with ids of ours, and the reason is that functions were called."""
    first = {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": b64encode(SIGNATURE).decode()}
    second = {"functionCall": {"name": "weather", "args": {"city": "Rome"}, "id": "g-2"}}
    async with gemini([Reply(parts=[gemini_parts({"text": "Let me see."}, first, second)])]) as (chat, server):
        events = await collect(chat.stream(OFFERING))
    assert events[0] == TextDelta("Let me see.")
    assert [call.arguments for call in calls_of(events)] == [{"city": "Oslo"}, {"city": "Rome"}]
    assert events[-1] == Finished("tool-calls")
    declared = server.requests[0].body["tools"][0]["functionDeclarations"][0]
    assert (declared["name"], declared["description"]) == ("weather", "Tell the weather.")
    sent = declared["parameters_json_schema"]
    assert sent["properties"] == {"city": {"enum": ["Oslo"], "type": "string"}}
    assert (sent["required"], sent["additionalProperties"]) == (["city"], False)


async def test_gemini_gets_results_with_signature_and_ids() -> None:
    """A call goes back to Gemini with its thought signature and id, its result under the same; a failed one as an error."""
    calls = (
        FunctionCall("ours-1", "weather", {"city": "Oslo"}, signature=b64encode(SIGNATURE).decode()),
        FunctionCall("ours-2", "weather", {"city": "Rome"}, provider_id="g-2"),
    )
    results = (FunctionResult(calls[0], {"degrees": 3}), FunctionResult(calls[1], "It is down.", is_error=True))
    turns = (*OFFERING.turns, Turn("assistant", "", calls), Turn("function", "", results=results))
    async with gemini([Reply(parts=[gemini_parts({"text": "3 degrees."})])]) as (chat, server):
        events = await collect(chat.stream(replace(OFFERING, turns=turns, may_call=False)))
    assert events[-1] == Finished("stop")
    body = server.requests[0].body
    said, answered = body["contents"][-2:]
    assert (said["role"], answered["role"]) == ("model", "user")
    assert said["parts"][0]["functionCall"] == {"name": "weather", "args": {"city": "Oslo"}}
    signature = said["parts"][0]["thoughtSignature"].replace("-", "+").replace("_", "/")
    assert signature.rstrip("=") == b64encode(SIGNATURE).decode().rstrip("=")
    assert said["parts"][1]["functionCall"]["id"] == "g-2"
    assert [part["functionResponse"] for part in answered["parts"]] == [
        {"name": "weather", "response": {"output": {"degrees": 3}}},
        {"name": "weather", "id": "g-2", "response": {"error": "It is down."}},
    ]
    assert body["toolConfig"]["functionCallingConfig"]["mode"] == "NONE"


async def test_gemini_call_that_it_can_not_read() -> None:
    """A call that Gemini itself can't read is a failed answer, not an empty one."""
    async with gemini([Reply(parts=[gemini_parts(finish="MALFORMED_FUNCTION_CALL")])]) as (chat, _):
        with pytest.raises(ProviderFailed, match="can't be read"):
            await collect(chat.stream(OFFERING))


def test_gemini_schema_is_cut_to_what_it_knows() -> None:
    """Words of JSON Schema that Gemini doesn't know are left out at every depth, but not properties of these names."""
    schema = {
        "properties": {"pattern": {"type": "array", "items": {"type": "string", "maxLength": 3}}},
        "$defs": {"x": {"not": {}}},
        "anyOf": [{"required": ["pattern"], "if": {}}],
        "unevaluatedProperties": False,
    }
    assert understood(schema) == {
        "properties": {"pattern": {"type": "array", "items": {"type": "string"}}},
        "$defs": {"x": {}},
        "anyOf": [{"required": ["pattern"]}],
    }


async def test_openai_calls_in_pieces_side_by_side() -> None:
    """Arguments that come in pieces, those of two calls mixed, are put together by their index."""
    parts = [
        piece(0, "c-1", "weather", ""),
        piece(1, "c-2", "weather", '{"ci'),
        piece(0, arguments='{"city":'),
        piece(1, arguments='ty":"Rome"}'),
        piece(0, arguments=' "Oslo"}'),
        CALLED,
        openai_usage(9, 4),
        DONE,
    ]
    async with openai([Reply(parts=parts)]) as (chat, server):
        events = await collect(chat.stream(OFFERING))
    found = calls_of(events)
    assert [(call.provider_id, call.arguments) for call in found] == [("c-1", {"city": "Oslo"}), ("c-2", {"city": "Rome"})]
    assert events[-1] == Finished("tool-calls")
    declared = {"name": "weather", "description": "Tell the weather.", "parameters": SCHEMA}
    assert server.requests[0].body["tools"] == [{"type": "function", "function": declared}]
    assert "tool_choice" not in server.requests[0].body


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([piece(None, "a", "weather", '{"city":"Oslo"}'), piece(None, "b", "weather", '{"city":"Rome"}')], ["Oslo", "Rome"]),
        ([piece(0, "a", "weather", '{"city":"Oslo"}'), piece(0, "b", "weather", '{"city":"Rome"}')], ["Oslo", "Rome"]),
        ([piece(None, None, "weather", {"city": "Oslo"})], ["Oslo"]),
        ([piece(None, "a", "weather", '{"city"'), piece(None, "a", None, ':"Oslo"}')], ["Oslo"]),
        ([piece(0, "a", "weather", '{"city":'), piece(0, "a", "weather", '"Oslo"}')], ["Oslo"]),
    ],
)
async def test_openai_quirks(pieces: list[bytes], expected: list[str]) -> None:
    """Servers that send no index, or the same for all, or no id, or arguments as an object, or "stop", are understood."""
    async with openai([Reply(parts=[*pieces, openai_chunk(finish="stop"), DONE])]) as (chat, _):
        events = await collect(chat.stream(OFFERING))
    assert [(call.arguments or {}).get("city") for call in calls_of(events)] == expected
    assert events[-1] == Finished("tool-calls")


@pytest.mark.parametrize("written", ['{"city": "Os', "[1]", '"x"', "{city: Oslo}", '{"a": NaN}', "[" * 100_000])
async def test_openai_broken_arguments(written: str) -> None:
    """Arguments that are no JSON object are told as such; the call goes back with none, for servers would choke on them."""
    async with openai([Reply(parts=[piece(0, "c-1", "weather", written), CALLED, DONE]), openai_stream(["ok"])]) as (
        chat,
        server,
    ):
        call = calls_of(await collect(chat.stream(OFFERING)))[0]
        assert (call.arguments, call.written) == (None, written)
        told = Turn("function", "", results=(FunctionResult(call, "No JSON.", is_error=True),))
        await collect(chat.stream(replace(OFFERING, turns=(*OFFERING.turns, Turn("assistant", "Hm.", (call,)), told))))
    said, answered = server.requests[1].body["messages"][-2:]
    assert said["content"] == "Hm."
    assert said["tool_calls"] == [{"id": "c-1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]
    assert answered == {"role": "tool", "tool_call_id": "c-1", "content": "No JSON."}


async def test_openai_endless_arguments() -> None:
    """Arguments without an end are a fault of the provider's, and are not read on."""
    async with openai([Reply(parts=[piece(0, "c-1", "weather", "x" * 300_000), CALLED, DONE])]) as (chat, _):
        with pytest.raises(ProviderFailed):
            await collect(chat.stream(OFFERING))


async def test_openai_results_and_no_more_calls() -> None:
    """Results are one message each; where no more may be called, the functions stay declared and the choice is none."""
    calls = tuple(FunctionCall(f"ours-{n}", "weather", {"city": "Oslo"}) for n in range(2))
    results = tuple(FunctionResult(call, {"degrees": n}) for n, call in enumerate(calls))
    turns = (*OFFERING.turns, Turn("assistant", "", calls), Turn("function", "", results=results))
    async with openai([openai_stream(["ok"])]) as (chat, server):
        await collect(chat.stream(replace(OFFERING, turns=turns, may_call=False)))
    body = server.requests[0].body
    assert [message.get("tool_call_id") for message in body["messages"][-2:]] == ["ours-0", "ours-1"]
    assert json.loads(body["messages"][-1]["content"]) == {"degrees": 1}
    assert body["messages"][-3]["content"] is None
    assert body["tool_choice"] == "none"


async def test_openai_model_without_functions() -> None:
    """A server that refuses functions is asked again without them, and is offered none from then on."""
    refusal = openai_error(400, "registry.ollama.ai/library/gemma does not support tools")
    async with openai([refusal, openai_stream(["ok"]), openai_stream(["ok"])]) as (chat, server):
        for _ in range(2):
            assert (await collect(chat.stream(OFFERING)))[-1] == Finished("stop")
        assert not chat.calls_functions
    assert ["tools" in request.body for request in server.requests] == [True, False, False]
    assert all("stream_options" in request.body for request in server.requests)
