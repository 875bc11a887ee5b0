"""Requests in types of our own against the same ones in the SDK's, both through the SDK to a server."""

from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import types

from tenantai.providers.gemini import GeminiChat
from tenantai.providers.gemini.functions import content_of, declared, response_schema
from tenantai.providers.gemini.requests import Requests
from tenantai.providers.protocols import ChatRequest, Function, FunctionCall, FunctionResult, Turn
from tests.providers.model_servers import ModelServer, gemini_stream
from tests.providers.provider_cases import KEY

MODEL = "gemini-2.5-flash"
ASKED = Turn("user", "How much is a sofa?")
CALL = FunctionCall(id="ours", name="volume", arguments={"items": ["sofa"]}, provider_id="theirs", signature="c2lnbmVk")
VOLUME = Function("volume", "The volume of things.", {"type": "object", "properties": {"items": {"type": "array"}}})
SCHEMA = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "number"}}, "required": ["z", "a"]}
CALLED = (ASKED, Turn("assistant", "", calls=(CALL,)), Turn("function", "", results=(FunctionResult(CALL, {"m3": 1.4}),)))

KINDS = {
    "a question": ChatRequest("Answer in short.", (ASKED,), ()),
    "no instructions": ChatRequest("", (ASKED,), ()),
    "pictures": ChatRequest("Look.", (Turn("user", "What is it?", pictures=(b"\xff\xd8\xff\xe0", b"\xff\xd8\x00")),), ()),
    "a history": ChatRequest("Answer.", (ASKED, Turn("assistant", "1.4 m³"), Turn("user", "And two?")), (), output_tokens_max=7),
    "functions": ChatRequest("Answer.", (ASKED,), (), functions=(VOLUME,)),
    "results": ChatRequest("Answer.", CALLED, (), functions=(VOLUME,)),
    "no more calls": ChatRequest("Answer.", CALLED, (), functions=(VOLUME,), may_call=False),
    "a schema": ChatRequest("Answer.", (ASKED,), (), answer_schema=SCHEMA),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_requests_say_what_the_sdk_would(kind: str) -> None:
    """Our lighter types change nothing of a request: its body and its path are those of the SDK's own types."""
    request = KINDS[kind]
    async with ModelServer(always=gemini_stream(["ok"])) as server:
        chat = GeminiChat(KEY, server.url, model=MODEL)
        try:
            async for _ in chat.stream(request):
                pass
        finally:
            await chat.close()
        await _ask_plainly(server.url, request)
    ours, plain = server.requests
    assert ours.body == plain.body
    assert (ours.method, ours.path) == (plain.method, plain.path)
    assert ours.body["contents"]


async def _ask_plainly(url: str, request: ChatRequest) -> None:
    given: dict[str, Any] = {}
    if request.functions:
        given["tools"] = [types.Tool.model_validate({"function_declarations": declared(request.functions)})]
    if not request.may_call:
        given["tool_config"] = {"function_calling_config": {"mode": "NONE"}}
    if request.answer_schema:
        schema = response_schema(request.answer_schema)
        given |= {"response_mime_type": "application/json", "response_schema": schema, "temperature": 0.0}
    config = types.GenerateContentConfig(
        system_instruction=request.instructions or None,
        max_output_tokens=request.output_tokens_max,
        thinking_config=types.ThinkingConfig(thinking_budget=0),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        **given,
    )
    contents: Any = [types.Content.model_validate(content_of(turn)) for turn in request.turns]
    async with aiohttp.ClientSession() as session:
        options = types.HttpOptions(base_url=url, aiohttp_client=session)
        client = genai.Client(vertexai=False, api_key=KEY, http_options=options)
        async for _ in await client.aio.models.generate_content_stream(model=MODEL, contents=contents, config=config):
            pass
        client.close()
        await client.aio.aclose()


def test_one_request_leaves_nothing_in_the_next() -> None:
    """Options are made anew for each request, and the SDK may change its copy of them."""
    requests = Requests(MODEL)
    with_functions = requests.options(KINDS["no more calls"])
    copied = with_functions.model_copy(deep=True)
    copied.tools, copied.max_output_tokens = [], 1
    assert with_functions.tools
    assert with_functions.max_output_tokens == KINDS["no more calls"].output_tokens_max
    after = requests.options(KINDS["a question"])
    assert (after.tools, after.tool_config) == (None, None)
