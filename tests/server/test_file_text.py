"""A file's text, at the page and the place that a citation names."""

from itertools import pairwise

import pytest
from fpdf import FPDF

from tenantai.client import Client, ClientError
from tenantai.providers.scripted import ScriptedChat
from tenantai.settings import Settings
from tests.gated_embedding import GatedEmbedding
from tests.running import Running, Tenant, serving, until

LINES = {1: "The amber lamp burns eleven hours", 3: "The jade lamp glows for nine nights", 4: "Wicks are free"}
FOUND_THERE = "Ask about it at the desk of lamps, which stands behind the door of the yard. "
WORDS = "Ünïcödé ünd 🕯️ light: ninety candles burn in the hall. "


def pdf_of_four_pages() -> bytes:
    """Return a PDF whose second page has no text."""
    document = FPDF()
    document.set_font("Helvetica", size=12)
    for page in range(1, 5):
        document.add_page()
        if page in LINES:
            document.multi_cell(0, text=f"{LINES[page]}. {FOUND_THERE * (60 if page == 3 else 1)}")
    return bytes(document.output())


async def posted(running: Running, tenant: Tenant, content: bytes, name: str) -> str:
    """Upload a file and wait until it is indexed; its id."""
    reply = await running.post_file(tenant, content, name)
    await running.settled(tenant)
    return str(reply.data["file"]["id"])


async def test_a_citation_is_found_on_its_page(settings: Settings) -> None:
    """The page that a citation names holds its quote exactly where the offsets say, on whatever page of the file."""
    async with serving(settings, chat=ScriptedChat([("unused",)])) as running:
        acme = await running.register("Acme")
        file_id = await posted(running, acme, pdf_of_four_pages(), "lamps.pdf")
        running.chat._answers.clear()
        running.chat._answers.append(tuple(f"[[{n}|{line}]]" for line in LINES.values() for n in range(1, 9)))
        events = await running.answer(acme, "How long does each lamp burn, and what of wicks?")
        cited = [citation for event in events if event["type"] == "data-citations" for citation in event["data"]]
        assert {c["page"] for c in cited} == set(LINES)
        async with Client(running.url, acme.key) as client:
            for c in cited:
                part = await client.store.text(acme.id, file_id, page=c["page"])
                assert part.text[c["start"] - part.start : c["end"] - part.start] == c["quote"] == LINES[c["page"]]
                assert [page.page for page in part.pages] == [c["page"]]
                assert (part.file_name, part.page_count, part.next_start) == ("lamps.pdf", 4, None)


async def test_pages_make_the_whole(running: Running, acme: Tenant) -> None:
    """The pages follow each other without a gap, one without text is empty, and beyond the last there is none."""
    file_id = await posted(running, acme, pdf_of_four_pages(), "lamps.pdf")
    async with Client(running.url, acme.key) as client:
        whole = await client.store.text(acme.id, file_id)
        assert [page.page for page in whole.pages] == [1, 3, 4]
        assert (whole.pages[0].start, whole.pages[-1].end) == (0, whole.characters)
        assert all(page.end == following.start for page, following in pairwise(whole.pages))
        read = [await client.store.text(acme.id, file_id, page=page) for page in range(1, 5)]
        assert "".join(part.text for part in read) == whole.text
        assert (read[1].text, read[1].pages, read[1].start) == ("", [], whole.pages[1].start)
        with pytest.raises(ClientError, match="no page 5") as beyond:
            await client.store.text(acme.id, file_id, page=5)
        assert beyond.value.code == "NOT_FOUND"
        piece = await client.store.text(acme.id, file_id, page=3, limit=100)
        assert (piece.end - piece.start, piece.next_start) == (100, piece.end)
        rest = await client.store.text(acme.id, file_id, page=3, start=piece.next_start)
        assert (piece.text + rest.text, rest.next_start) == (read[2].text, None)


async def test_parts_make_the_whole(running: Running, acme: Tenant) -> None:
    """A text without pages is read in parts that follow each other, counted in characters however many bytes they have."""
    text = WORDS * 800
    file_id = await running.upload(acme, text, "candles.txt")
    async with Client(running.url, acme.key) as client:
        parts = [await client.store.text(acme.id, file_id)]
        while parts[-1].next_start is not None:
            parts.append(await client.store.text(acme.id, file_id, start=parts[-1].next_start))
        assert len(parts) == 3
        assert "".join(part.text for part in parts) == text.strip()
        assert all(part.text == text[part.start : part.end] for part in parts)
        assert {(part.characters, part.page_count, len(part.pages)) for part in parts} == {(len(text.strip()), None, 0)}
        beyond = await client.store.text(acme.id, file_id, start=10_000_000)
        assert (beyond.text, beyond.start, beyond.end, beyond.next_start) == ("", *[len(text.strip())] * 2, None)
        with pytest.raises(ClientError, match="no page 1"):
            await client.store.text(acme.id, file_id, page=1)


async def test_too_much_is_refused(running: Running, acme: Tenant) -> None:
    """What is asked beyond the bounds is named, every problem at once."""
    file_id = await running.upload(acme, "The lamp is green.")
    path = f"{acme.path}/store/files/{file_id}/text"
    reply = await running.send("GET", f"{path}?limit=100001&start=-1&page=0", key=acme.key)
    assert reply.fields == {"limit", "start", "page"}


async def test_a_bound_key_reads_its_own_and_shared_files(running: Running, acme: Tenant) -> None:
    """A key that is bound to an account reads no other account's text, nor what is deleted; an excluded file can be read."""
    file_id = await running.upload(acme, "The lamp is green.")
    own, _ = await running.issue(acme, account=acme.account)
    other, _ = await running.issue(acme, account=await running.add_account(acme, "Other"))
    path = f"{acme.path}/store/files/{file_id}/text"
    await running.act(acme, "exclude", file_id)
    assert (await running.send("GET", path, key=own)).data["text"] == "The lamp is green."
    refused = await running.send("GET", path, key=other)
    assert (refused.status, "lamp" in refused.text) == (404, False)
    await running.act(acme, "delete", file_id)
    assert (await running.send("GET", path, key=own)).status == 404


async def test_a_file_that_is_not_indexed_has_no_text(settings: Settings, brisk: None) -> None:
    """While a file is indexed, and where it could not be, there is no text to show."""
    gated = GatedEmbedding()
    async with serving(settings, embedding=gated) as running:
        acme = await running.register("Acme")
        file_id = (await running.post_file(acme, b"The lamp is green.", "green.txt")).data["file"]["id"]
        await until(lambda: gated.begun)
        reply = await running.send("GET", f"{acme.path}/store/files/{file_id}/text", key=acme.key)
        assert (reply.status, reply.error["code"]) == (409, "CONFLICT")
        gated.gate.set()
        await running.settled(acme)
        failed = await posted(running, acme, b"\x00\x01\x02", "odd.bin")
        assert (await running.send("GET", f"{acme.path}/store/files/{failed}/text", key=acme.key)).status == 409


async def test_pages_that_are_indexed_again_just_then(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose pages are gone since its text was looked at is being indexed: that is said, and is no fault of ours."""
    file_id = await posted(running, acme, pdf_of_four_pages(), "lamps.pdf")

    async def none(*_: object, **__: object) -> list[tuple[int, int]]:
        return []

    monkeypatch.setattr("tenantai.storage.file_texts.page_starts", none)
    reply = await running.send("GET", f"{acme.path}/store/files/{file_id}/text", key=acme.key)
    assert (reply.status, reply.error["code"]) == (409, "CONFLICT")
