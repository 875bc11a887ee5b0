"""Functions in a chat: the stream's sequences to the letter, what goes out and comes back, and each way it can end."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from tenantai.errors import ProviderFailed
from tenantai.providers.protocols import Finished, FunctionResult, Usage
from tenantai.providers.scripted import ScriptedChat, Step
from tenantai.server import keys
from tenantai.server.services.chat_turn import TOO_LONG
from tenantai.server.services.tool_rounds import NO_MORE, ROUNDS_MAX, STOPPED
from tenantai.server.services.tools import outgoing
from tenantai.server.services.tools.presentable import parsed
from tenantai.settings import Plan, Plans, Settings
from tests.running import Event, Running, Tenant, events_of, kinds, serving, text_of, until
from tests.server.tools.endpoints import Endpoint, call, endpoint, register
from tests.server.walk import tool_named

CALL = ["tool-input-start", "tool-input-available"]
CALLED = ["start", "start-step", *CALL, "tool-output-available", "finish-step"]
SAID = ["start-step", "text-start", "text-delta", "text-end"]
END = ["finish-step", "message-metadata", "finish"]
OURS = {"providerExecuted": True, "dynamic": True}
DOCUMENT = "The deposit is 200 euros. It is paid back within 14 days."


@pytest.fixture
def allowing(settings: Settings) -> Settings:
    """Settings of an operator who lets functions lie on this machine."""
    return settings.model_copy(update={"tool_networks_allowed": (ip_network("127.0.0.0/8"),)})


@asynccontextmanager
async def calling(settings: Settings, *answers: Sequence[Step]) -> AsyncIterator[tuple[Running, Tenant, Endpoint]]:
    """Run a server whose model plays these answers, with a tenant and an endpoint."""
    async with endpoint() as there, serving(settings, chat=ScriptedChat(answers)) as running:
        yield running, await running.register("Acme"), there


def only(events: Sequence[Event], kind: str) -> list[Event]:
    return [event for event in events if event["type"] == kind]


def results_of(running: Running, place: int = -1) -> list[FunctionResult]:
    """Return the results that the model was told of in a round."""
    return list(running.chat.history[place].turns[-1].results)


async def history_of(running: Running, tenant: Tenant, events: Sequence[Event]) -> list[dict[str, Any]]:
    return await running.messages(tenant, events[0]["messageMetadata"]["conversationId"])


async def test_call(allowing: Settings) -> None:
    """A call: every event in its place, the endpoint asked once and signed, its answer told to the model and kept."""
    said: list[Step] = ["It is on its way.", Usage(20, 6)]
    async with calling(allowing, [*call("track", {"order": "A-7"}), Usage(10, 4)], said) as (running, acme, there):
        tool = await register(running, acme, there.url)
        events = await running.answer(acme, "Where is A-7?", accountId=acme.account.id)
        assert kinds(events) == [*CALLED, *SAID, *END]
        begun, given, returned = events[2:5]
        named = {"toolCallId": begun["toolCallId"], "toolName": "track"}
        assert begun == {"type": "tool-input-start", **named, **OURS}
        assert given == {"type": "tool-input-available", **named, "input": {"order": "A-7"}, **OURS}
        output = {"state": "on its way"}
        told = {"type": "tool-output-available", "toolCallId": begun["toolCallId"], "output": output, **OURS}
        assert returned == told
        (asked,) = there.asked
        verified = Webhook(tool["signingSecret"]).verify(asked.body, {k.lower(): v for k, v in asked.headers.items()})
        assert verified == {
            "toolCallId": begun["toolCallId"],
            "name": "track",
            "arguments": {"order": "A-7"},
            "tenantId": acme.id,
            "conversationId": events[0]["messageMetadata"]["conversationId"],
            "accountId": acme.account.id,
        }
        assert asked.headers["webhook-id"] == begun["toolCallId"]
        assert [result.output for result in results_of(running)] == [output]
        assert events[-2]["messageMetadata"]["usage"] == {
            "inputTokens": 30, "outputTokens": 10, "totalTokens": 40, "estimated": False,
        }  # fmt: skip
        kept = (await history_of(running, acme, events))[1]
        assert kept["tool_calls"] == [{**named, "input": {"order": "A-7"}, "state": "output-available", "output": output}]
        assert (kept["content"], kept["input_tokens"], kept["output_tokens"]) == ("It is on its way.", 30, 10)


async def test_calls_side_by_side(allowing: Settings) -> None:
    """Calls of one round are made at once, and the model gets their results in its own order."""
    both = [*call("track", {"order": "first"}), *call("track", {"order": "second"})]
    async with calling(allowing, both, ["Done."]) as (running, acme, there):
        await register(running, acme, there.url)
        meeting = asyncio.Barrier(2)

        async def meet(request: web.Request) -> web.Response:
            await meeting.wait()
            return web.json_response((await request.json())["arguments"]["order"])

        there.answer = meet
        events = await running.answer(acme, "Where are they?")
        assert [event["output"] for event in only(events, "tool-output-available")].count("first") == 1
        assert [result.output for result in results_of(running)] == ["first", "second"]


async def test_text_around_calls(allowing: Settings) -> None:
    """What the model says before a call is a text of its own; the history joins both."""
    async with calling(allowing, ["Let me see.", *call("track", {"order": "A-7"})], ["On its way."]) as (running, acme, there):
        await register(running, acme, there.url)
        events = await running.answer(acme, "Where?")
        text = ["text-start", "text-delta", "text-end"]
        assert kinds(events) == ["start", "start-step", *text, *CALLED[2:], "start-step", *text, *END]
        ids = [event["id"] for event in only(events, "text-start")]
        assert ids == [events[0]["messageId"], f"{events[0]['messageId']}-2"]
        assert (await history_of(running, acme, events))[1]["content"] == "Let me see.\n\nOn its way."
        turns = running.chat.history[-1].turns
        assert (turns[-2].text, [made.name for made in turns[-2].calls]) == ("Let me see.", ["track"])


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (call("track", {"order": "A"}), 'order: "A" is shorter than 2 characters'),
        (call("track", {}), '"order" is a required property'),
        (call("track", {"order": "A-7", "more": 1}), "more"),
        (call("track", written='{"order": '), "no JSON object"),
        (call("steal", {}), "no such function"),
    ],
)
async def test_arguments_that_do_not_fit(allowing: Settings, made: list[Step], sentence: str) -> None:
    """A call that does not fit is an error that says why, nothing goes out, and the model goes on."""
    async with calling(allowing, made, ["Sorry."]) as (running, acme, there):
        await register(running, acme, there.url)
        events = await running.answer(acme, "Where?")
        assert kinds(events) == [*CALLED[:4], "tool-output-error", "finish-step", *SAID, *END]
        (error,) = only(events, "tool-output-error")
        assert sentence in error["errorText"]
        assert not there.asked
        (result,) = results_of(running)
        assert (result.is_error, result.output) == (True, error["errorText"])
        (kept,) = (await history_of(running, acme, events))[1]["tool_calls"]
        assert (kept["state"], kept["errorText"]) == ("output-error", error["errorText"])


async def test_poison_in_an_answer(allowing: Settings) -> None:
    """Keys that kill clients are dropped from what an endpoint answers, at any depth, and half characters are mended."""
    poison = '{"a": [{"__proto__": 1, "b": {"constructor": {"prototype": 1}}, "constructor": "kept"}], "c": "\\ud800"}'
    async with calling(allowing, call("track", {"order": "A-7"}), ["ok"]) as (running, acme, there):
        await register(running, acme, there.url)

        async def answer(_request: web.Request) -> web.Response:
            return web.Response(text=poison, content_type="application/json")

        there.answer = answer
        events = await running.answer(acme, "Where?")
        clean = {"a": [{"b": {}, "constructor": "kept"}], "c": "?"}
        assert only(events, "tool-output-available")[0]["output"] == clean
        assert results_of(running)[0].output == clean


async def test_long_answers_are_cut(allowing: Settings) -> None:
    """A long answer is cut to what the model has room for, and says so."""
    async with calling(allowing, call("track", {"order": "A-7"}), ["ok"]) as (running, acme, there):
        await register(running, acme, there.url)

        async def answer(_request: web.Request) -> web.Response:
            return web.Response(text="x" * 100_000)

        there.answer = answer
        events = await running.answer(acme, "Where?")
        assert only(events, "tool-output-available")[0]["output"].endswith("… (cut: 100000 characters in all)")
        assert len(results_of(running)[0].output) < 8192 * 3.2 / 4


async def test_large_answers_hold_up_nobody(allowing: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large answer of JSON is read on a thread: the event loop goes on meanwhile."""
    threads: list[str] = []

    def noted(text: str) -> Any:
        threads.append(threading.current_thread().name)
        return parsed(text)

    monkeypatch.setattr(outgoing, "parsed", noted)
    async with calling(allowing, call("track", {"order": "A-7"}), ["ok"]) as (running, acme, there):
        await register(running, acme, there.url)

        async def answer(_request: web.Request) -> web.Response:
            return web.json_response([0] * 80_000)

        there.answer = answer
        events = await running.answer(acme, "Where?")
        assert only(events, "tool-output-available")[0]["output"].endswith("… (cut: 240000 characters in all)")
        assert threads
        assert threading.main_thread().name not in threads


async def test_rounds_are_bounded(allowing: Settings) -> None:
    """A model that calls without an end calls eight times; then it is told to answer, and what it still calls is refused."""
    async with calling(allowing, call("current_date")) as (running, acme, _):
        running.chat._answers.clear()
        running.chat._answers.extend(tuple(call("current_date")) for _ in range(30))
        events = await running.answer(acme, "What day is it?")
        assert [request.may_call for request in running.chat.history] == [True] * ROUNDS_MAX + [False]
        assert len(only(events, "tool-output-available")) == ROUNDS_MAX
        assert [event["errorText"] for event in only(events, "tool-output-error")] == [NO_MORE]
        assert events[-1] == {"type": "finish", "finishReason": "tool-calls"}
        assert kinds(events).count("start-step") == kinds(events).count("finish-step") == ROUNDS_MAX + 1


async def test_too_many_calls_at_once(allowing: Settings) -> None:
    """Of very many calls in one round the first sixteen are made."""
    many = [step for _ in range(20) for step in call("current_date")]
    async with calling(allowing, many, ["ok"]) as (running, acme, _):
        events = await running.answer(acme, "What day is it?")
        assert (len(only(events, "tool-output-available")), len(only(events, "tool-output-error"))) == (16, 4)


async def test_search_again(settings: Settings) -> None:
    """What a further search finds is numbered on, and cited by its number; clients see where it is from, not its text."""
    first = call("search_documents", {"query": "deposit euros"})
    async with calling(settings, first, ["ok"]) as (running, acme, _):
        other = await running.upload(acme, "Keys are left at the gate of the yard.", "keys.txt")
        file_id = await running.upload(acme, DOCUMENT, "terms.txt")
        events = await running.answer(acme, "Where are keys left?", files=[other, file_id])
        numbers = {source["file"]: source["n"] for source in results_of(running)[0].output["sources"]}
        shown = only(events, "tool-output-available")[0]["output"]["sources"]
        assert {(s["n"], s["fileName"]) for s in shown} == {(n, name) for name, n in numbers.items()}
        assert "200 euros" not in json.dumps(shown)
        first_sources = [source.file_name for source in running.chat.history[0].sources]
        for name, number in numbers.items():
            assert number == (first_sources.index(name) + 1 if name in first_sources else len(first_sources) + 1)


async def test_search_again_is_cited(settings: Settings) -> None:
    """A quote from a source that only the further search found is cited with its place."""
    async with calling(settings, ["unused"]) as (running, acme, _):
        file_id = await running.upload(acme, DOCUMENT, "terms.txt")
        offered = running.app[keys.CHAT_TURNS]._passages

        async def none(*_given: Any) -> list[Any]:
            return []

        running.app[keys.CHAT_TURNS]._passages = none  # type: ignore[assignment,method-assign]
        running.chat._answers.clear()
        running.chat._answers.extend(
            [tuple(call("search_documents", {"query": "deposit"})), ("It is [[1|the deposit is 200 euros]].",)]
        )
        events = await running.answer(acme, "What must I pay?")
        running.app[keys.CHAT_TURNS]._passages = offered  # type: ignore[method-assign]
        (cited,) = only(events, "data-citations")[0]["data"]
        assert (cited["fileId"], cited["quote"]) == (file_id, "The deposit is 200 euros")
        assert text_of(events) == "It is [1]."
        assert kinds(events) == [*CALLED, *SAID, "data-citations", "source-document", *END]


async def test_search_again_keeps_within_the_account(settings: Settings) -> None:
    """A further search sees no other tenant's, no other account's and no other file than the chat may."""
    async with calling(settings, call("search_documents", {"query": "deposit"}), ["ok"]) as (running, acme, _):
        globex, second = await running.register("Globex"), await running.add_account(acme, "Second")
        await running.upload(globex, DOCUMENT)
        await running.upload(acme, DOCUMENT)
        await running.answer(acme, "deposit?", accountId=second.id)
        assert results_of(running)[0].output == {"sources": []}


async def test_figures(settings: Settings) -> None:
    """The figures of moving and storage are there for the model: volumes, what holds them, and names that mean nothing."""
    items = [{"name": "3-seat sofa", "quantity": 2}, {"name": "space shuttle"}]
    asked = [*call("volume_of_items", {"items": items}), *call("what_holds_volume", {"cubicMeters": 10})]
    async with calling(settings, asked, ["ok"]) as (running, acme, _):
        events = await running.answer(acme, "How large a unit?")
        things, holds = (result.output for result in results_of(running))
        assert things["items"][0]["item"] == "sofa_3_seat"
        assert things["total"]["cubicFeet"] == {"low": 80, "typical": 100, "high": 120}
        assert things["notCounted"][0]["name"] == "space shuttle"
        assert things["storageUnit"]["tight"]["name"] == "5x5"
        assert holds["storageUnit"]["tight"]["usableCubicFeet"] >= 353
        assert len(only(events, "tool-output-available")) == 2


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_refusals_of_an_endpoint(allowing: Settings, status: int) -> None:
    """A redirect is not followed, and a status of failure is told; nothing of the answer reaches the client."""
    async with calling(allowing, call("track", {"order": "A-7"}), ["Sorry."]) as (running, acme, there):
        await register(running, acme, there.url)

        async def answer(_request: web.Request) -> web.Response:
            return web.Response(status=status, text="inner secret", headers={"Location": "http://127.0.0.1/elsewhere"})

        there.answer = answer
        events = await running.answer(acme, "Where?")
        error = only(events, "tool-output-error")[0]["errorText"]
        assert "redirect" in error if status == 302 else str(status) in error
        assert len(there.asked) == 1
        assert "inner secret" not in json.dumps(events)
        assert text_of(events) == "Sorry."


async def test_slow_endpoint(allowing: Settings) -> None:
    """An endpoint that does not answer in its time is an error, and the connection to it is closed."""
    async with calling(allowing, call("track", {"order": "A-7"}), ["Sorry."]) as (running, acme, there):
        await register(running, acme, there.url, timeoutSeconds=1)

        async def answer(_request: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        there.answer = answer
        events = await running.answer(acme, "Where?")
        assert only(events, "tool-output-error")[0]["errorText"] == "It did not answer within 1 seconds."
        await asyncio.wait_for(there.left.wait(), 10)
        assert text_of(events) == "Sorry."


async def test_client_leaves_during_a_call(allowing: Settings) -> None:
    """A client that leaves stops the call, and the history says that it was cut off."""
    async with calling(allowing, call("track", {"order": "A-7"}), ["never"]) as (running, acme, there):
        await register(running, acme, there.url)

        async def answer(_request: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        there.answer = answer
        async with running.opened(acme, "Where?") as stream:
            conversation_id = (await stream.until("start"))["messageMetadata"]["conversationId"]
            await stream.until("tool-input-available")
            await asyncio.wait_for(there.begun.wait(), 10)
        await asyncio.wait_for(there.left.wait(), 10)
        await until(lambda: not running.app[keys.STREAM_SLOTS].used(acme.id))
        kept = (await running.messages(acme, conversation_id))[1]
        assert kept["status"] == "interrupted"
        assert [(made["toolName"], made["state"]) for made in kept["tool_calls"]] == [("track", "interrupted")]
        assert len(running.chat.history) == 1


async def test_time_limit_during_a_call(allowing: Settings) -> None:
    """A stream's time limit closes an open call with an error before its own."""
    short = allowing.model_copy(update={"plans": Plans(pro=Plan(stream_seconds=0.3))})
    async with calling(short, call("track", {"order": "A-7"}), ["never"]) as (running, acme, there):
        await register(running, acme, there.url)

        async def answer(_request: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        there.answer = answer
        events = await running.answer(acme, "Where?")
        assert kinds(events) == [*CALLED[:4], "tool-output-error", "error", "finish-step", "finish"]
        assert (events[4]["errorText"], events[5]["errorText"]) == (STOPPED, TOO_LONG)
        assert events[-1]["finishReason"] == "error"


async def test_fault_after_a_call_began(allowing: Settings) -> None:
    """A provider that fails between a call's beginning and its end leaves no call open."""
    begun, _ = call("track", {"order": "A-7"})
    async with calling(allowing, [begun, ProviderFailed("It is out.")]) as (running, acme, there):
        await register(running, acme, there.url)
        events = await running.answer(acme, "Where?")
        assert kinds(events) == [*CALLED[:3], "tool-output-error", "error", "finish-step", "finish"]
        assert not there.asked


async def test_whole_answer_with_calls(allowing: Settings) -> None:
    """An answer at once, as JSON, has its calls."""
    async with calling(allowing, call("track", {"order": "A-7"}), ["Fine."]) as (running, acme, there):
        await register(running, acme, there.url)
        whole = await running.ask(acme, "Where?", headers={"Accept": "application/json"})
        assert whole.data["text"] == "Fine."
        assert [(made["toolName"], made["output"]) for made in whole.data["toolCalls"]] == [("track", {"state": "on its way"})]


async def test_another_tenants_function(allowing: Settings) -> None:
    """A tenant's functions are neither offered to another's chats nor called by them."""
    async with calling(allowing, call("track", {"order": "A-7"}), ["Sorry."]) as (running, acme, there):
        await register(running, acme, there.url)
        globex = await running.register("Globex")
        events = await running.answer(globex, "Where?")
        assert only(events, "tool-output-error")
        assert not there.asked
        assert "track" not in [function.name for function in running.chat.history[-1].functions]


async def test_what_is_offered(allowing: Settings) -> None:
    """Built-in functions are offered at once, a new one by the next request, a deleted one no more; none is read twice."""
    async with calling(allowing, ["ok"]) as (running, acme, there):

        async def offered() -> list[str]:
            await running.answer(acme, "What?")
            return [function.name for function in running.chat.history[-1].functions]

        built_in = await offered()
        assert "search_documents" in built_in
        tool = await register(running, acme, there.url)
        assert await offered() == [*built_in, "track"]
        assert (await running.send("DELETE", f"{acme.path}/tools/{tool['id']}", key=acme.key)).data["deleted"]
        assert await offered() == built_in
        held = await running.app[keys.TOOLS].offer(acme.id)
        assert await running.app[keys.TOOLS].offer(acme.id) is held


async def test_a_model_that_calls_nothing(settings: Settings) -> None:
    """Where the model calls no functions none is offered, and who registers one learns which setting would."""
    async with serving(settings, chat=ScriptedChat(calls_functions=False)) as running:
        acme = await running.register("Acme")
        await running.answer(acme, "What?")
        assert running.chat.history[0].functions == ()
        body = {"name": "f", "description": "d", "parameters": {"type": "object"}, "endpoint": "https://example.com"}
        refused = await running.send("POST", f"{acme.path}/tools", key=acme.key, json=body)
        assert (refused.status, refused.error["code"]) == (409, "CONFLICT")
        assert "TENANTAI_PROVIDER" in refused.error["message"]


async def test_cut_off_rounds_are_counted(allowing: Settings) -> None:
    """Tokens of rounds that are over are counted as the provider did, those of the one that failed are estimated."""
    failing: list[Step] = ["x" * 32, ProviderFailed()]
    async with calling(allowing, [*call("current_date"), Usage(100, 10)], failing) as (running, acme, _):
        events = await running.answer(acme, "What?")
        kept = (await history_of(running, acme, events))[1]
        assert kept["output_tokens"] == 10 + 10
        assert kept["input_tokens"] > 100


async def test_finish_reason_of_the_last_round(settings: Settings) -> None:
    """The reason is the last round's."""
    async with calling(settings, call("current_date"), ["Cut", Finished("length")]) as (running, acme, _):
        assert (await running.answer(acme, "What?"))[-1]["finishReason"] == "length"


async def test_older_clients(allowing: Settings) -> None:
    """The form for older clients has the same calls."""
    async with calling(allowing, call("current_date"), ["ok"]) as (running, acme, _):
        reply = await running.ask(acme, "What?", headers={"x-tenantai-stream": "compat"})
        assert kinds(events_of(reply.text)) == [*CALLED, *SAID, *END]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"type": "object", "requried": ["order"]}, "parameters.requried"),
        ({"type": "object", "properties": {"order": {"typ": "string"}}}, "parameters.properties.order.schema.typ"),
        ({"type": "object", "properties": {"order": {"items": [{}]}}}, "parameters.properties.order.schema.items.schema"),
        ({"type": "object", "minProperties": -1}, "parameters.minProperties"),
        ({"type": "array"}, "parameters.type"),
        ({"type": "object", "properties": {"order": {"pattern": "("}}}, "parameters"),
        ({"type": "object", "$ref": "https://example.com/schema"}, "parameters"),
    ],
)
async def test_schemas_that_are_none(running: Running, acme: Tenant, parameters: dict[str, Any], field: str) -> None:
    """A keyword that JSON Schema does not have, as by a typing error, and a value that it can't have are named by their place."""
    body = {"name": "f", "description": "d", "parameters": parameters, "endpoint": "https://example.com"}
    reply = await running.send("POST", f"{acme.path}/tools", key=acme.key, json=body)
    assert reply.fields == {field}


async def test_schema_is_kept_as_given(running: Running, acme: Tenant) -> None:
    """Every keyword comes back as it was sent, those that are named like words of Python too, and none beside."""
    order = {"type": ["string", "null"], "enum": [1, 1.5, None], "not": {"const": None}, "minimum": 0, "maximum": 2.5}
    parameters = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"order": order},
        "type": "object",
        "properties": {"order": {"$ref": "#/$defs/order"}, "any": True},
        "if": {"required": ["order"]},
        "then": False,
        "else": {},
        "dependentRequired": {"order": ["any"]},
        "additionalProperties": False,
    }
    body = {"name": "f", "description": "d", "parameters": parameters, "endpoint": "https://example.com"}
    made = (await running.send("POST", f"{acme.path}/tools", key=acme.key, json=body)).data
    assert made["parameters"] == parameters


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("endpoint", "https://[::1]:8799/x", "such as https://example.com/path"),
        ("endpoint", "https://user:word@example.com/", "no user"),
        ("endpoint", "https://example.com:22/", "port 443, 80 or above 1023"),
        ("endpoint", "file:///etc/passwd", "such as https://example.com/path"),
        ("name", "open vault", "letters, digits"),
        ("signingSecret", "short", "whsec_"),
    ],
)
async def test_forms_are_told(running: Running, acme: Tenant, field: str, value: str, said: str) -> None:
    """A text that has not its form is told what form that is."""
    reply = await running.send("POST", f"{acme.path}/tools", key=acme.key, json={**tool_named("open_vault"), field: value})
    (problem,) = reply.error["details"]
    assert (problem["field"], said in problem["problem"]) == (field, True)
