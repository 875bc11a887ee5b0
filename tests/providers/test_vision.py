"""What models see in pictures: through Gemini's real SDK and servers of the OpenAI API, whole and broken in every way."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from tenantai.errors import ProviderFailed
from tenantai.providers.gemini import GeminiChat
from tenantai.providers.openai_compatible import OpenAIChat
from tenantai.providers.protocols import Again, Cut, Sighting, Usage, VisionEvent, VisionModel
from tenantai.providers.vision import REFUSED, SCHEMA, SIGHTINGS_MAX, UNREADABLE, SeeingModel, sighting_of
from tests.providers.model_servers import (
    ModelServer,
    Reply,
    gemini_chunk,
    gemini_error,
    gemini_stream,
    openai_error,
    openai_stream,
)
from tests.providers.provider_cases import KEY, Naps, require_no_key

PICTURE = b"\xff\xd8 a picture \xff\xd9"
SOFA = {
    "name": "sofa",
    "label": "grey, three seats",
    "room": "living room",
    "quantity": 1,
    "length_cm": 210,
    "width_cm": 90,
    "height_cm": 85,
    "confidence": 0.9,
    "box_2d": [100, 200, 500, 900],
    "fragile": False,
    "built_in": False,
}
LAMP = {**SOFA, "name": "floor lamp", "label": "brass", "length_cm": 0, "width_cm": 0, "height_cm": 160, "fragile": True}
SEEN_SOFA = Sighting("sofa", "grey, three seats", "living room", 1, 210, 90, 85, 0.9, (100, 200, 500, 900), fragile=False)
SEEN_LAMP = Sighting("floor lamp", "brass", "living room", 1, None, None, 160, 0.9, (100, 200, 500, 900), fragile=True)


def written(*things: Any) -> str:
    return json.dumps({"things": things})


def pieces(text: str, size: int = 40) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


async def seen(model: VisionModel) -> list[VisionEvent]:
    return [event async for event in model.look(PICTURE)]


def without_counts(events: Iterable[VisionEvent]) -> list[VisionEvent]:
    return [event for event in events if not isinstance(event, Usage)]


@asynccontextmanager
async def gemini(replies: Iterable[Reply]) -> AsyncIterator[tuple[SeeingModel, ModelServer]]:
    async with ModelServer(replies) as server:
        model = SeeingModel(GeminiChat(KEY, server.url, patience=Naps().patience()), names=["sofa", "floor lamp"])
        yield model, server
        await model.close()


@asynccontextmanager
async def openai(replies: Iterable[Reply]) -> AsyncIterator[tuple[SeeingModel, ModelServer]]:
    async with ModelServer(replies) as server:
        model = SeeingModel(OpenAIChat(f"{server.url}/v1", KEY, "llava", patience=Naps().patience()), names=["sofa"])
        yield model, server
        await model.close()


PROVIDERS = pytest.mark.parametrize(("provider", "stream"), [(gemini, gemini_stream), (openai, openai_stream)])


@PROVIDERS
async def test_whole(provider: Any, stream: Any) -> None:
    """Each thing is told, in order, and the provider's own count is the last."""
    async with provider([stream(pieces(written(SOFA, LAMP)))]) as (model, _):
        events = await seen(model)
    assert without_counts(events) == [SEEN_SOFA, SEEN_LAMP]
    counts = [event for event in events if isinstance(event, Usage)]
    assert counts[0].estimated
    assert counts[-1] == Usage(11, len(pieces(written(SOFA, LAMP))))


async def test_request_to_gemini() -> None:
    """The picture goes as bytes with its kind, the schema in Gemini's form with its order, and thinking is off."""
    async with gemini([gemini_stream([written()])]) as (model, server):
        assert without_counts(await seen(model)) == []
    body = server.requests[0].body
    picture, question = body["contents"][0]["parts"]
    assert base64.b64decode(picture["inlineData"]["data"].translate(str.maketrans("-_", "+/"))) == PICTURE
    assert picture["inlineData"]["mime_type"] == "image/jpeg"
    assert question["text"]
    settings = body["generationConfig"]
    assert settings["responseMimeType"] == "application/json"
    things = settings["responseSchema"]["properties"]["things"]
    assert things["items"]["property_ordering"][:2] == ["name", "label"]
    assert things["items"]["properties"]["box_2d"] == {"type": "ARRAY", "items": {"type": "INTEGER"}}
    assert settings["temperature"] == 0
    assert "floor lamp" in body["systemInstruction"]["parts"][0]["text"]


async def test_request_to_openai() -> None:
    """The picture goes as a data URL, the schema as a strict one."""
    async with openai([openai_stream([written()])]) as (model, server):
        assert without_counts(await seen(model)) == []
    body = server.requests[0].body
    picture, question = body["messages"][1]["content"]
    assert base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/jpeg;base64,")) == PICTURE
    assert question["type"] == "text"
    assert body["response_format"]["json_schema"] == {"name": "answer", "strict": True, "schema": SCHEMA}


async def test_server_without_schemas() -> None:
    """A server that knows no schemas is asked without, and from then on."""
    refusal = openai_error(400, "response_format is not supported")
    async with openai([refusal, openai_stream([written(SOFA)]), openai_stream([written(LAMP)])]) as (model, server):
        assert without_counts(await seen(model)) == [SEEN_SOFA]
        assert without_counts(await seen(model)) == [SEEN_LAMP]
    assert ["response_format" in request.body for request in server.requests] == [True, False, False]


async def test_told_while_it_writes() -> None:
    """A thing is told before the model goes on to write the next; leaving stops the model."""
    gate = asyncio.Event()
    text = written(SOFA, LAMP)
    begun = text.index("floor lamp") + 80
    parts: list[bytes | asyncio.Event] = [gemini_chunk(text[:begun]), gate, gemini_chunk(text[begun:], finish="STOP")]
    async with gemini([Reply(parts=parts)]) as (model, server):
        async with aclosing(model.look(PICTURE)) as events:
            async for event in events:
                if isinstance(event, Sighting):
                    break
            assert event == SEEN_SOFA
        await asyncio.wait_for(server.disconnected.wait(), 10)


BROKEN = {
    "prose": ["I see a sofa and a lamp."],
    "broken in the middle": pieces(written(SOFA, LAMP).replace('"floor', "floor")),
    "never ends": pieces(written(SOFA, LAMP)[:-9]),
    "another shape": ['{"answer": 42}'],
    "a number": ["42"],
    "nothing": [""],
    "more behind it": [written(SOFA) + " I hope that helps!"],
}


@PROVIDERS
@pytest.mark.parametrize("kind", BROKEN)
async def test_broken_once(provider: Any, stream: Any, kind: str) -> None:
    """What is no JSON of the schema is asked for once more, and what was told before is void."""
    async with provider([stream(BROKEN[kind]), stream([written(LAMP)])]) as (model, server):
        events = without_counts(await seen(model))
    assert events[-2:] == [Again(), SEEN_LAMP]
    assert set(map(type, events[:-2])) <= {Sighting}
    first, second = (str(request.body) for request in server.requests)
    assert "Write only that JSON" not in first
    assert "Write only that JSON" in second


@PROVIDERS
@pytest.mark.parametrize("kind", BROKEN)
async def test_broken_twice(provider: Any, stream: Any, kind: str) -> None:
    """Twice is a failure, which says so, and both tries are counted."""
    counts: list[Usage] = []
    async with provider([stream(BROKEN[kind])] * 2) as (model, server):
        with pytest.raises(ProviderFailed) as caught:  # noqa: PT012  what was counted before the failure counts too
            async for event in model.look(PICTURE):
                counts += [event] if isinstance(event, Usage) else []
    assert caught.value.message == UNREADABLE
    assert len(server.requests) == 2
    assert counts[-1].input_tokens >= 22
    require_no_key(caught.value)


async def test_fenced_and_bare_lists() -> None:
    """JSON within a fence, and a list without the object around it, are taken."""
    for text in ("```json\n" + written(SOFA) + "\n```", json.dumps([SOFA]), "```\n" + json.dumps([SOFA], indent=1) + "\n```\n"):
        async with openai([openai_stream(pieces(text))]) as (model, _):
            assert without_counts(await seen(model)) == [SEEN_SOFA]


async def test_cut_at_its_limit() -> None:
    """An answer that ran out of tokens keeps its whole things, and says that there may be more."""
    text = written(SOFA, LAMP)
    parts = [gemini_chunk(text[: text.index("brass")]), gemini_chunk("", finish="MAX_TOKENS")]
    async with gemini([Reply(parts=parts)]) as (model, _):
        assert without_counts(await seen(model)) == [SEEN_SOFA, Cut()]


async def test_too_many_things() -> None:
    """A model that never stops listing is stopped."""
    text = written(*[SOFA] * (SIGHTINGS_MAX + 20))
    async with openai([openai_stream(pieces(text, 300))]) as (model, _):
        events = without_counts(await seen(model))
    assert len(events) in range(SIGHTINGS_MAX, SIGHTINGS_MAX + 5)
    assert events[-1] == Cut()


async def test_refusal() -> None:
    """A model that will not look says so."""
    async with gemini([Reply(parts=[gemini_chunk("", finish="SAFETY")])]) as (model, _):
        with pytest.raises(ProviderFailed) as caught:
            await seen(model)
    assert caught.value.message == REFUSED


@pytest.mark.parametrize(
    "replies",
    [
        [gemini_error(403, "PERMISSION_DENIED", f"key {KEY}")],
        [Reply(parts=[gemini_chunk(written(SOFA)[:90])], ending="cut")],
        [Reply(parts=[gemini_chunk(written(SOFA))])],
        [Reply(parts=[b"data: {broken\r\n\r\n"])],
    ],
)
async def test_provider_fails(replies: Sequence[Reply]) -> None:
    """A provider that refuses or breaks off is a failure without its words and our key."""
    async with gemini(replies) as (model, _):
        with pytest.raises(ProviderFailed) as caught:
            await seen(model)
    require_no_key(caught.value)


HOSTILE: dict[str, Any] = {
    "name": "  so\u200bfa\n\x00 <b>" + "x" * 500,
    "label": ["no text"],
    "room": "r" * 500,
    "quantity": 10**30,
    "length_cm": -5,
    "width_cm": 1e300,
    "height_cm": "tall",
    "confidence": 90,
    "box_2d": [5000, -3, 1, "x"],
    "fragile": "yes",
    "built_in": 1,
    "__proto__": {"polluted": True},
}


def test_nothing_is_believed() -> None:
    """Texts are cut and printable, numbers in range, and what makes no sense is unknown."""
    sighting = sighting_of(HOSTILE)
    assert sighting is not None
    assert sighting.name.startswith("sofa <b>xx")
    assert len(sighting.name) == 80
    assert (sighting.label, len(sighting.room or "")) == ("", 80)
    assert (sighting.quantity, sighting.confidence) == (200, 1)
    assert (sighting.length_cm, sighting.width_cm, sighting.height_cm) == (None, 2000, None)
    assert (sighting.box, sighting.fragile, sighting.built_in) == (None, None, False)


@pytest.mark.parametrize("said", [None, 1, "sofa", [], {}, {"name": ""}, {"name": " \u200b"}, {"name": 5}])
def test_nameless_is_nothing(said: Any) -> None:
    """What has no name is no thing."""
    assert sighting_of(said) is None


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([0, 0, 1000, 1000], (0, 0, 1000, 1000)),
        ([-9, 2.4, 1200, 7], (0, 2, 1000, 7)),
        ([5, 5, 5, 9], None),
        ([9, 5, 5, 9], None),
        ([1, 2, 3], None),
        ({"ymin": 1}, None),
        ([True, 0, 5, 5], None),
    ],
)
def test_boxes(box: Any, expected: Any) -> None:
    """A box is within the picture and has an inside, or is none."""
    assert getattr(sighting_of({"name": "a", "box_2d": box}), "box", "") == expected
