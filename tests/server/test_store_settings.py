"""The settings of a store: how they are changed, and that each really changes searches and answers."""

from typing import Any

import pytest

from tenantai.providers.protocols import FunctionCall
from tenantai.providers.scripted import ScriptedChat, Step
from tenantai.server import keys
from tenantai.settings import Settings
from tests.running import Account, Event, Reply, Running, Tenant, kinds, serving, text_of

DEFAULTS: dict[str, dict[str, Any]] = {
    "citations": {"enabled": True, "style": "numbered", "maxCitations": 50, "includeQuotes": True},
    "retrieval": {"topK": 8, "minScore": 0.0},
}
TERMS = "The deposit is 200 euros. It is paid back within 14 days. Keys are left at the gate."
SAID: list[Step] = [
    "A [[1|The deposit is 200 euros]]. B [[1|It is paid back within 14 days]]. C [[1|The deposit is 200 euros]]. ",
    "D [[1|Keys are left at the gate]]. E [[1|it is 900 euros]].",
]


async def change(running: Running, tenant: Tenant, settings: Any, *, key: str = "") -> Reply:
    """Change settings."""
    return await running.send("PATCH", f"{tenant.path}/store", key=key or tenant.key, json=settings)


def cited(events: list[Event]) -> list[dict[str, Any]]:
    """Return the citations that a stream told."""
    return [citation for event in events if event["type"] == "data-citations" for citation in event["data"]]


async def test_change_and_show(running: Running, acme: Tenant, globex: Tenant) -> None:
    """What is sent is changed, what is not stays, `GET` shows all, and another tenant keeps its own."""
    path = f"{acme.path}/store"
    assert (await running.send("GET", path, key=acme.key)).data["settings"] == DEFAULTS
    first = await change(running, acme, {"citations": {"style": "inline", "maxCitations": 3}})
    assert first.data == {**DEFAULTS, "citations": {**DEFAULTS["citations"], "style": "inline", "maxCitations": 3}}
    await running.upload(acme, "The lamp is green.")
    second = await change(running, acme, {"retrieval": {"minScore": 1}, "citations": {"style": None}})
    assert second.data == {"citations": first.data["citations"], "retrieval": {"topK": 8, "minScore": 1.0}}
    assert (await change(running, acme, {})).data == second.data
    assert (await running.send("GET", path, key=acme.key)).data["settings"] == second.data
    assert (await running.send("GET", f"{globex.path}/store", key=globex.key)).data["settings"] == DEFAULTS


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"citations": {"style": "footnotes"}}, {"citations.style"}),
        ({"citations": {"maxCitations": 0, "enabled": "yes"}}, {"citations.maxCitations", "citations.enabled"}),
        ({"citations": {"maxCitations": 51}, "retrieval": {"topK": 0}}, {"citations.maxCitations", "retrieval.topK"}),
        ({"retrieval": {"topK": 2.5, "minScore": 1.1}}, {"retrieval.topK", "retrieval.minScore"}),
        ({"retrieval": {"top_k": 3}, "colour": "red"}, {"retrieval.top_k", "colour"}),
        ({"retrieval": []}, {"retrieval"}),
    ],
)
async def test_bad_settings(running: Running, acme: Tenant, given: Any, fields: set[str]) -> None:
    """Every problem is named at once, and nothing is changed."""
    assert (await change(running, acme, given)).fields == fields
    assert (await running.send("GET", f"{acme.path}/store", key=acme.key)).data["settings"] == DEFAULTS


async def test_who_may(running: Running, acme: Tenant, second: Account) -> None:
    """A key bound to an account changes nothing for all; the operator gets 404 for a tenant that is not."""
    bound, _ = await running.issue(acme, account=second)
    reply = await change(running, acme, {"retrieval": {"topK": 1}}, key=bound)
    assert (reply.status, "not bound to an account" in reply.error["message"]) == (403, True)
    operator = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    nowhere = await running.send("PATCH", "/api/v1/tenants/01a00000-0000-7000-8000-000000000000/store", key=operator, json={})
    assert nowhere.status == 404


async def test_audit(running: Running, acme: Tenant) -> None:
    """A change is in the store's log with what differs, by name; the same again is not."""
    for _ in range(2):
        await change(running, acme, {"citations": {"includeQuotes": False}, "retrieval": {"topK": 8, "minScore": 0.25}})
    path = f"{acme.path}/store/audit?eventType=store_updated"
    (entry,) = (await running.send("GET", path, key=acme.key)).data["logs"]
    assert entry["details"] == {
        "before": {"citations.includeQuotes": True, "retrieval.minScore": 0.0},
        "after": {"citations.includeQuotes": False, "retrieval.minScore": 0.25},
    }


@pytest.mark.parametrize(
    ("given", "text", "quotes"),
    [
        ({}, "A [1]. B [2]. C [1]. D [3]. E .", [0, 1, 2]),
        ({"enabled": False}, "A . B . C . D . E .", []),
        ({"style": "none"}, "A . B . C . D . E .", [0, 1, 2]),
        (
            {"style": "inline"},
            "A (a\\[1\\]_b.txt). B (a\\[1\\]_b.txt). C (a\\[1\\]_b.txt). D (a\\[1\\]_b.txt). E .",
            [0, 1, 2],
        ),
        ({"maxCitations": 1}, "A [1]. B . C [1]. D . E .", [0]),
        ({"maxCitations": 2, "style": "numbered"}, "A [1]. B [2]. C [1]. D . E .", [0, 1]),
    ],
)
async def test_citations_of_an_answer(settings: Settings, given: Any, text: str, quotes: list[int]) -> None:
    """Marks and citations are as the settings have them, in the stream, in the whole answer and in the history alike."""
    sentences = ["The deposit is 200 euros", "It is paid back within 14 days", "Keys are left at the gate"]
    async with serving(settings, chat=ScriptedChat([SAID, SAID])) as running:
        acme = await running.register("Acme")
        await running.upload(acme, TERMS, "a[1]_b.txt")
        assert (await change(running, acme, {"citations": given})).status == 200
        events = await running.answer(acme, "How much is the deposit?")
        assert text_of(events) == text
        assert [citation["quote"] for citation in cited(events)] == [sentences[n] for n in quotes]
        assert ("source-document" in kinds(events)) == bool(quotes)
        whole = (await running.ask(acme, "How much is the deposit?", headers={"Accept": "application/json"})).data
        assert (whole["text"], whole["citations"]) == (text, cited(events))
        kept = (await running.messages(acme, whole["conversationId"]))[1]
        assert (kept["content"], kept["citations"]) == (text, cited(events))


async def test_inline_names_the_page(settings: Settings) -> None:
    """Where a file has pages, the page of the quote stands beside its name."""
    from fpdf import FPDF

    document = FPDF()
    document.set_font("Helvetica", size=12)
    for line in ("The deposit is 200 euros, whoever asks for it.", "Keys are left at the gate of the yard."):
        document.add_page()
        document.multi_cell(0, text=line)
    said: list[Step] = [f"It is so [[{n}|Keys are left at the gate]]." for n in (1, 2)]
    async with serving(settings, chat=ScriptedChat([said])) as running:
        acme = await running.register("Acme")
        await running.post_file(acme, bytes(document.output()), "terms.pdf")
        await running.settled(acme)
        await change(running, acme, {"citations": {"style": "inline"}})
        assert "(terms.pdf, p. 2)" in text_of(await running.answer(acme, "Where are keys left?"))


async def test_without_quotes(settings: Settings) -> None:
    """Without quotes a citation has its place and no words, and one whose words are not in the source is dropped as ever."""
    async with serving(settings, chat=ScriptedChat([SAID])) as running:
        acme = await running.register("Acme")
        await running.upload(acme, TERMS)
        await change(running, acme, {"citations": {"includeQuotes": False}})
        events = await running.answer(acme, "How much is the deposit?")
        assert len(cited(events)) == 3
        assert not [citation for citation in cited(events) if "quote" in citation]
        first = cited(events)[0]
        assert TERMS[first["start"] : first["end"]] == "The deposit is 200 euros"
        assert "200 euros" not in str([event for event in events if event["type"] != "text-delta"])
        (conversation,) = (await running.send("GET", "/api/v1/chat/history", key=acme.key)).data["conversations"]
        assert (await running.messages(acme, conversation["id"]))[1]["citations"] == cited(events)


async def lamps(running: Running, acme: Tenant) -> None:
    """Upload three files, of which one answers best."""
    for colour in ("green", "red", "blue"):
        await running.upload(acme, f"The lamp in the hall of the {colour} house is {colour}.", f"{colour}.txt")


async def test_top_k(running: Running, acme: Tenant) -> None:
    """As many passages as the settings say are found and handed to the model; a search may name another number."""
    await lamps(running, acme)
    for top_k in (1, 2, 50):
        await change(running, acme, {"retrieval": {"topK": top_k}})
        found = await running.search(acme, "green lamp")
        assert len(found) == min(top_k, 3)
        await running.answer(acme, "green lamp?")
        assert [source.file_name for source in running.chat.history[-1].sources] == [hit["fileName"] for hit in found]
    await change(running, acme, {"retrieval": {"topK": 1}})
    assert len(await running.search(acme, "green lamp", topK=3)) == 3


async def test_min_score(running: Running, acme: Tenant) -> None:
    """What scores less than the settings say is neither found nor handed to the model."""
    await lamps(running, acme)
    scores = sorted((hit["scores"]["fused"] for hit in await running.search(acme, "green lamp")), reverse=True)
    assert scores[0] > scores[1]
    await change(running, acme, {"retrieval": {"minScore": (scores[0] + scores[1]) / 2}})
    assert [hit["fileName"] for hit in await running.search(acme, "green lamp", topK=3)] == ["green.txt"]
    await running.answer(acme, "green lamp?")
    assert [source.file_name for source in running.chat.history[-1].sources] == ["green.txt"]


async def test_searches_of_the_model(settings: Settings) -> None:
    """A search that the model makes itself keeps to the settings."""
    call = FunctionCall("c1", "search_documents", {"query": "green lamp"})
    async with serving(settings, chat=ScriptedChat([[call], ["Done."]])) as running:
        acme = await running.register("Acme")
        await lamps(running, acme)
        await change(running, acme, {"retrieval": {"topK": 2}})
        events = await running.answer(acme, "Which lamp?")
        (output,) = [event["output"] for event in events if event["type"] == "tool-output-available"]
        assert len(output["sources"]) == 2
