"""The place of chat: asked, streamed, stopped, cut, approved, cited and deleted from the keyboard, against a real server."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from ipaddress import ip_network
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from tenantai.errors import ProviderFailed
from tenantai.providers.scripted import ScriptedChat, Step
from tenantai.settings import Settings
from tenantai.tui.app import Console, Start
from tenantai.tui.memory import Memory
from tenantai.tui.screens.chat import Chat
from tenantai.tui.screens.choose_files import ChooseFiles
from tenantai.tui.screens.questions import AskText, Choose, Confirm
from tenantai.tui.screens.source import MOVED, Source
from tenantai.tui.widgets.cited_markdown import CitedMarkdown
from tenantai.tui.widgets.dialogue import STOPPED
from tenantai.tui.widgets.said import WAITING, Answer, Asked
from tests.running import Running, Tenant, serving, until
from tests.server.tools.endpoints import Endpoint, call, endpoint, register
from tests.tui.conftest import settled

DOCUMENT = "The deposit is 200 euros, and the rent is due on the first. " + "Nothing else is said here. " * 400
CITED = "You pay **200** euros [[1|The deposit is 200 euros]] and more [[1|the rent is due on the first]]."
Scripts = Sequence[Sequence[Step]]


@asynccontextmanager
async def chatting(
    settings: Settings, tmp_path: Path, scripts: Scripts, *, size: tuple[int, int] = (120, 36), read_only: bool = False
) -> AsyncIterator[tuple[Running, Tenant, Console, Pilot[None]]]:
    """Open the place of chat in front of a server whose model plays these answers."""
    allowing = settings.model_copy(update={"tool_networks_allowed": (ip_network("127.0.0.0/8"),)})
    async with serving(allowing, chat=ScriptedChat(scripts)) as running:
        acme = await running.register("Acme")
        async with opened(running.url, acme.key, tmp_path, size=size, read_only=read_only) as (console, pilot):
            yield running, acme, console, pilot


@asynccontextmanager
async def opened(
    url: str, key: str, tmp_path: Path, *, size: tuple[int, int] = (120, 36), read_only: bool = False
) -> AsyncIterator[tuple[Console, Pilot[None]]]:
    """Open the place of chat with a key; no fault was reported at the end."""
    folder = tmp_path / "user"
    memory = Memory(folder / "console.json")
    console = Console(Start(url, key, place="chat", folder=folder, memory=memory, read_only=read_only))
    async with console.run_test(size=size) as pilot:
        await until(lambda: console.times_online > 0)
        await quiet(console, pilot)
        yield console, pilot
        assert not console._faults


async def quiet(console: Console, pilot: Pilot[None]) -> None:
    """Wait until nothing is asked or answered any more."""
    await until(lambda: not place_of(console).dialogue.is_answering)
    await settled(console, pilot)
    groups = {"load-conversation", "choice", "show"}
    await until(lambda: not any(w.group in groups and not w.is_finished for w in console.workers))
    await settled(console, pilot)


def place_of(console: Console) -> Chat:
    screen = next(screen for screen in console.screen_stack if isinstance(screen, Chat))
    assert isinstance(screen, Chat)
    return screen


def said(console: Console) -> list[tuple[str, str]]:
    """Return who said what."""
    return [("you" if isinstance(one, Asked) else "it", one.text) for one in place_of(console).talk.messages]


def answers(console: Console) -> list[Answer]:
    return [one for one in place_of(console).talk.messages if isinstance(one, Answer)]


async def ask(console: Console, pilot: Pilot[None], text: str) -> None:
    """Write a question, send it, and wait until it is shown."""
    count = len(place_of(console).talk.messages)
    place_of(console).dialogue.prompt.focus()
    await pilot.press(*text, "enter")
    await until(lambda: len(place_of(console).talk.messages) == count + 2)


def marked(source: Source) -> str:
    """Return the words that are marked."""
    return source.part.text[slice(*source.marked)] if source.part is not None and source.marked is not None else ""


def drawn(console: Console) -> str:
    """Return the screen as text."""
    lines = console.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


async def test_enter_comes_after_what_was_typed_before_it(settings: Settings, tmp_path: Path) -> None:
    """Letters and Enter that arrive at once, as from a slow line, send the whole question."""
    async with chatting(settings, tmp_path, [["Yes."]]) as (_, _, console, pilot):
        place_of(console).dialogue.prompt.focus()
        await pilot.pause()
        for key, character in (("h", "h"), ("i", "i"), ("enter", "\r"), ("x", "x")):
            console.post_message(events.Key(key, character))
        await until(lambda: len(said(console)) == 2)
        await quiet(console, pilot)
        assert said(console) == [("you", "hi"), ("it", "Yes.")]
        assert place_of(console).dialogue.prompt.text == "x"


async def test_an_answer_streams_with_its_sources(settings: Settings, tmp_path: Path, gate: asyncio.Event) -> None:
    """What came of an answer is shown while it streams; its sources are listed, and a conversation stands in the history."""
    async with chatting(settings, tmp_path, [["You ", "pay ", gate, *CITED]]) as (running, acme, console, pilot):
        await running.upload(acme, DOCUMENT, "terms.txt")
        await ask(console, pilot, "Deposit?")
        await until(lambda: answers(console)[0].text == "You pay ")
        await until(lambda: "You pay" in drawn(console))
        assert place_of(console).dialogue.is_answering
        gate.set()
        await quiet(console, pilot)
        place = place_of(console)
        assert said(console) == [("you", "Deposit?"), ("it", "You pay You pay **200** euros [1] and more [2].")]
        assert answers(console)[0].note == ""
        assert [cited.quote for cited in place.sources.records.records] == [
            "The deposit is 200 euros",
            "the rent is due on the first",
        ]
        assert [kept.title for kept in place.history.records] == ["Deposit?"]
        await until(lambda: "scripted" in drawn(console))


async def test_a_source_opens_at_its_quote(settings: Settings, tmp_path: Path) -> None:
    """Enter on a source opens its file with the quote marked, to the letter; the parts are turned, the quote is copied."""
    async with chatting(settings, tmp_path, [[CITED]]) as (running, acme, console, pilot):
        await running.upload(acme, DOCUMENT, "terms.txt")
        await ask(console, pilot, "Deposit?")
        await quiet(console, pilot)
        await pilot.press("escape", "s", "down", "q")
        assert console.clipboard == "the rent is due on the first"
        await pilot.press("enter")
        await until(lambda: isinstance(console.screen, Source) and console.screen.part is not None)
        source = console.screen
        assert isinstance(source, Source)
        assert marked(source) == "the rent is due on the first"
        await until(lambda: "terms.txt" in drawn(console))
        await pilot.press("l")
        assert any("last page" in notice.message for notice in console._notifications)
        await pilot.press("y")
        assert console.clipboard == "the rent is due on the first"
        await pilot.press("c")
        assert console.clipboard.endswith(f"/store/files/{source.cited.file_id}/text?start=0'")
        await pilot.press("escape")
        assert console.screen is place_of(console)


async def test_garbage_waits_for_an_answer(settings: Settings, tmp_path: Path) -> None:
    """An answer that streams puts the search for garbage off as a key does: it would stand still meanwhile."""
    pieces = ["One ", "two ", "three"]
    async with chatting(settings, tmp_path, [pieces]) as (_, _, console, pilot):
        noted: set[str] = set()
        console.garbage.touch = lambda: noted.update(said.text for said in place_of(console).talk.messages)  # type: ignore[method-assign]
        await ask(console, pilot, "Count.")
        await quiet(console, pilot)
        assert {"", "One ", "One two "} <= noted


async def test_a_mark_in_the_text_leads_to_its_source(settings: Settings, tmp_path: Path) -> None:
    """A click on `[2]` opens the second source."""
    async with chatting(settings, tmp_path, [["[[1|The deposit is 200 euros]]" + "[[1|the rent is due on the first]]"]]) as (
        running,
        acme,
        console,
        pilot,
    ):
        await running.upload(acme, DOCUMENT, "terms.txt")
        await ask(console, pilot, "Deposit?")
        await quiet(console, pilot)
        text = place_of(console).query_one(CitedMarkdown)
        await pilot.click(text, offset=(5, 0))
        await until(lambda: isinstance(console.screen, Source))
        assert isinstance(console.screen, Source)
        assert console.screen.cited.number == 2


async def test_a_small_terminal(settings: Settings, tmp_path: Path) -> None:
    """At 80 columns the sources stand below the conversation, once there are any, and H gives it the whole width."""
    async with chatting(settings, tmp_path, [[CITED]], size=(80, 24)) as (running, acme, console, pilot):
        place = place_of(console)
        assert not place.sources.region.area
        await running.upload(acme, DOCUMENT, "terms.txt")
        await ask(console, pilot, "Deposit?")
        await quiet(console, pilot)
        assert place.sources.region.y > place.talk.region.y
        assert place.sources.region.width == place.talk.region.width
        assert place.talk.region.height >= 8
        await pilot.press("escape", "H")
        await until(lambda: place.talk.region.width == 80)
        assert not place.sources.query_one("#quote").region.area
        await until(lambda: "terms.txt" in drawn(console))
        assert console.memory.number("chat.without-history", 0) == 1


async def test_pages_are_turned(settings: Settings, tmp_path: Path) -> None:
    """A quote of a PDF opens its page; the pages before and after are a key away, and g is the way back."""
    pdf = (Path(__file__).parents[2] / "examples" / "rental-agreement.pdf").read_bytes()
    quote = "The deposit bears no interest"
    async with chatting(settings, tmp_path, [[f"None [[1|{quote}]]."]]) as (running, acme, console, pilot):
        assert (await running.post_file(acme, pdf, "rental.pdf")).status == 202
        await running.settled(acme)
        await ask(console, pilot, "You pay a deposit equal to one month: the deposit bears no interest")
        await quiet(console, pilot)
        await pilot.press("escape", "s", "enter")
        await until(lambda: isinstance(console.screen, Source) and console.screen.part is not None)
        source = console.screen
        assert isinstance(source, Source)
        page = source.cited.page
        assert page is not None
        assert source.where.page == page
        assert marked(source) == quote
        beside = page + 1 if page == 1 else page - 1
        await pilot.press("l" if beside > page else "h")
        await until(lambda: source.where.page == beside)
        assert marked(source) == ""
        assert not source.query_one("#trouble", Static).has_class("shown")
        await pilot.press("g")
        await until(lambda: source.where.page == page)
        assert marked(source) == quote


async def test_a_file_that_changed_marks_nothing(settings: Settings, tmp_path: Path) -> None:
    """Where the quote does not stand in the file any more, nothing is marked and that is said."""
    async with chatting(settings, tmp_path, [[CITED]]) as (running, acme, console, pilot):
        file_id = await running.upload(acme, DOCUMENT, "terms.txt")
        other = await running.upload(acme, "Another text altogether.", "other.txt")
        await ask(console, pilot, "Deposit?")
        await quiet(console, pilot)
        cited = place_of(console).sources.records.records[0]
        assert cited.file_id == file_id
        console.push_screen(Source(acme.id, cited.model_copy(update={"file_id": other})))
        await until(lambda: isinstance(console.screen, Source) and console.screen.part is not None)
        assert isinstance(console.screen, Source)
        assert console.screen.marked is None
        await until(lambda: MOVED in drawn(console))


async def test_escape_stops_at_once_and_keeps_the_text(settings: Settings, tmp_path: Path, gate: asyncio.Event) -> None:
    """Esc while an answer streams ends it there and then; the model stops, and the server keeps what was said as interrupted."""
    async with chatting(settings, tmp_path, [["It is green", gate, " and more."], ["Blue."]]) as (running, acme, console, pilot):
        await ask(console, pilot, "Colour?")
        await until(lambda: answers(console)[0].text == "It is green")
        await pilot.press("escape")
        await quiet(console, pilot)
        assert said(console)[1:] == [("it", "It is green")]
        assert answers(console)[0].note == STOPPED
        await until(lambda: running.chat.streams_open == 0)
        conversation = place_of(console).conversation
        assert conversation is not None
        rows: list[str] = []

        async def is_kept() -> bool:
            rows[:] = [message["status"] for message in await running.messages(acme, conversation)]
            return rows == ["complete", "interrupted"]

        async with asyncio.timeout(20):
            while not await is_kept():
                pass
        await pilot.press("escape", "R")
        await until(lambda: len(answers(console)) == 2)
        await quiet(console, pilot)
        assert said(console)[2:] == [("you", "Colour?"), ("it", "Blue.")]
        assert place_of(console).conversation == conversation


async def test_a_question_that_is_refused_is_back_in_the_prompt(settings: Settings, tmp_path: Path) -> None:
    """A refused question leaves no trace in the conversation; it stands in the prompt as it was written."""
    async with chatting(settings, tmp_path, [["Hi."]]) as (_, acme, console, pilot):
        place_of(console).conversation = acme.id
        place_of(console).dialogue.prompt.focus()
        await pilot.press(*"Hello", "ctrl+j", *"there", "enter")
        await until(lambda: place_of(console).dialogue.prompt.text == "Hello\nthere")
        await quiet(console, pilot)
        assert said(console) == []
        assert place_of(console).talk.current is None
        assert any("no such conversation" in notice.message for notice in console._notifications)


async def test_a_fault_of_the_model_is_said(settings: Settings, tmp_path: Path) -> None:
    """An answer that the model breaks off keeps its text, says why, and the question is at hand again."""
    async with chatting(settings, tmp_path, [["Half ", ProviderFailed()], ["Whole."]]) as (_, _acme, console, pilot):
        await ask(console, pilot, "Colour?")
        await quiet(console, pilot)
        assert said(console)[1] == ("it", "Half ")
        assert answers(console)[0].note.endswith("R asks again.")
        assert place_of(console).dialogue.prompt.text == "Colour?"
        await pilot.press("enter")
        await until(lambda: len(answers(console)) == 2)
        await quiet(console, pilot)
        assert said(console)[3] == ("it", "Whole.")


async def test_a_cut_stream_comes_back(settings: Settings, tmp_path: Path, gate: asyncio.Event) -> None:
    """Where the line breaks, what came stays and the question is back; once the server is there again, so is what it kept."""
    async with serving(settings, chat=ScriptedChat([["It is green", gate]])) as running, wire(running.url) as (url, cut):
        acme = await running.register("Acme")
        async with opened(url, acme.key, tmp_path) as (console, pilot):
            await ask(console, pilot, "Colour?")
            await until(lambda: answers(console)[0].text == "It is green")
            was = console.times_online
            cut()
            await until(lambda: not place_of(console).dialogue.is_answering)
            assert said(console) == [("you", "Colour?"), ("it", "It is green")]
            assert answers(console)[0].note.endswith("R asks again.")
            assert place_of(console).dialogue.prompt.text == "Colour?"
            await until(lambda: running.chat.streams_open == 0)
            await until(lambda: console.times_online > was)
            await quiet(console, pilot)
            await pilot.press("ctrl+r")
            await quiet(console, pilot)
            assert said(console) == [("you", "Colour?"), ("it", "It is green")]
            assert "interrupted" in answers(console)[0].note


@asynccontextmanager
async def wire(url: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """A line to a server that can be cut: every connection that is open then breaks."""
    port, writers, pipes = int(url.rsplit(":", 1)[1]), list[asyncio.StreamWriter](), set[asyncio.Task[None]]()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65536):
                writer.write(piece)
        except ConnectionError:
            pass
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, onward))
        pipes.update(asyncio.ensure_future(one) for one in (pipe(reader, onward), pipe(there, writer)))

    def cut() -> None:
        for writer in writers:
            writer.transport.abort()
        writers.clear()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", cut
        cut()
        await asyncio.gather(*pipes, return_exceptions=True)


@asynccontextmanager
async def paying(
    settings: Settings, tmp_path: Path, scripts: Scripts
) -> AsyncIterator[tuple[Running, Tenant, Console, Pilot[None], Endpoint]]:
    """A console before a model whose function needs a yes."""
    async with endpoint() as there, chatting(settings, tmp_path, scripts) as (running, acme, console, pilot):
        await register(running, acme, there.url, name="pay", approval="ask")
        yield running, acme, console, pilot, there


async def test_a_call_is_approved(settings: Settings, tmp_path: Path) -> None:
    """A call that needs a yes is shown with its exact arguments; ctrl+y lets it be made, and the answer goes on."""
    scripts: Scripts = [["Shall I?", *call("pay", {"order": "A-7"})], ["Paid."]]
    async with paying(settings, tmp_path, scripts) as (_, _acme, console, pilot, there):
        await ask(console, pilot, "Pay it.")
        await quiet(console, pilot)
        assert answers(console)[0].note == WAITING
        await until(lambda: '{"order": "A-7"}' in drawn(console))
        assert not there.asked
        await pilot.press("ctrl+y")
        await until(lambda: len(answers(console)) == 2)
        await quiet(console, pilot)
        assert there.asked[0].content["arguments"] == {"order": "A-7"}
        assert answers(console)[1].text == "Paid."
        (made,) = place_of(console).dialogue.calls.values()
        assert made.state == "answered"
        assert answers(console)[0].note == ""
        assert not place_of(console).dialogue.waiting


async def test_a_call_is_refused_by_its_key(settings: Settings, tmp_path: Path) -> None:
    """ctrl+n asks for a reason, with which the call is refused; Escape leaves the call waiting."""
    scripts: Scripts = [call("pay", {"order": "A-7"}), ["As you wish."]]
    async with paying(settings, tmp_path, scripts) as (_, _acme, console, pilot, there):
        await ask(console, pilot, "Pay it.")
        await quiet(console, pilot)
        await pilot.press("ctrl+n")
        await until(lambda: isinstance(console.screen, AskText))
        await pilot.press("escape")
        await until(lambda: console.screen is place_of(console))
        assert place_of(console).dialogue.waiting
        await pilot.press("ctrl+n")
        await until(lambda: isinstance(console.screen, AskText) and console.screen.is_running)
        await pilot.press(*"Too dear.", "enter")
        await until(lambda: len(answers(console)) == 2)
        await quiet(console, pilot)
        (made,) = place_of(console).dialogue.calls.values()
        assert made.state == "failed"
        assert "Too dear." in made.result
        assert not there.asked


async def test_a_call_of_a_reopened_conversation_is_refused(settings: Settings, tmp_path: Path) -> None:
    """What waits is still asked for when the conversation is opened again; a no goes to the model with its reason."""
    scripts: Scripts = [call("pay", {"order": "A-7"}), ["As you wish."]]
    async with paying(settings, tmp_path, scripts) as (running, acme, console, pilot, there):
        await ask(console, pilot, "Pay it.")
        await quiet(console, pilot)
        await pilot.press("escape", "n")
        await quiet(console, pilot)
        assert said(console) == []
        place_of(console).history.table.focus()
        await pilot.press("enter")
        await until(lambda: said(console))
        await quiet(console, pilot)
        assert answers(console)[0].note == WAITING
        await pilot.click("#no")
        await until(lambda: isinstance(console.screen, AskText))
        await pilot.press(*"Too dear.", "enter")
        await until(lambda: len(answers(console)) == 2)
        await quiet(console, pilot)
        assert not there.asked
        assert answers(console)[1].text == "As you wish."
        (made,) = place_of(console).dialogue.calls.values()
        assert made.state == "failed"
        assert "Too dear." in made.result
        conversation = place_of(console).conversation
        assert conversation is not None
        kept = await running.messages(acme, conversation)
        place_of(console).open_conversation(conversation)
        await quiet(console, pilot)
        assert [text for _, text in said(console)] == [message["content"] for message in kept]
        (again,) = place_of(console).dialogue.calls.values()
        assert (again.state, again.result) == (made.state, made.result)


async def test_history_is_searched_and_deleted(settings: Settings, tmp_path: Path) -> None:
    """`/` searches on the server in what was said, Enter opens what is found, and d deletes what its question names."""
    async with chatting(settings, tmp_path, [["The lamp is green."], ["The sofa is red."]]) as (running, acme, console, pilot):
        first = (await running.answer(acme, "One?"))[0]["messageMetadata"]["conversationId"]
        await running.answer(acme, "Two?")
        await pilot.press("escape", "ctrl+r")
        await quiet(console, pilot)
        place = place_of(console)
        assert [kept.title for kept in place.history.records] == ["Two?", "One?"]
        place.history.table.focus()
        await pilot.press("slash", *"green")
        await until(lambda: [kept.id for kept in place.history.records] == [first])
        await quiet(console, pilot)
        await pilot.press("enter", "enter")
        await until(lambda: said(console) == [("you", "One?"), ("it", "The lamp is green.")])
        await pilot.press("d")
        await until(lambda: isinstance(console.screen, Confirm))
        await until(lambda: "One?" in drawn(console))
        await pilot.press("ctrl+y")
        await until(lambda: console.screen is place)
        await quiet(console, pilot)
        assert said(console) == []
        await pilot.press("escape")
        await quiet(console, pilot)
        assert [kept.title for kept in place.history.records] == ["Two?"]
        assert len(await running.rows("SELECT id FROM conversations")) == 1


async def test_account_and_files(settings: Settings, tmp_path: Path) -> None:
    """A question is asked for the account that was chosen, from the files that were marked."""
    async with chatting(settings, tmp_path, [["Hi."]]) as (running, acme, console, pilot):
        file_id = await running.upload(acme, "The lamp is green.", "lamp.txt")
        await running.upload(acme, "The sofa is red.", "sofa.txt")
        await pilot.press("escape", "a")
        await until(lambda: isinstance(console.screen, Choose))
        await pilot.press("down", "enter")
        await until(lambda: place_of(console).account is not None)
        await pilot.press("F")
        await until(lambda: isinstance(console.screen, ChooseFiles))
        await pilot.press("slash", *"lamp", "enter", "space", "enter")
        await until(lambda: place_of(console).files == {file_id: "lamp.txt"})
        await until(lambda: "account First · from 1 file(s)" in drawn(console))
        await ask(console, pilot, "lamp sofa")
        await quiet(console, pilot)
        assert await running.rows("SELECT account_id FROM conversations") == [(acme.account.id,)]
        asked = running.chat.history[-1]
        assert "green" in f"{asked}"
        assert "sofa is red" not in f"{asked}"
        await pilot.press("escape", "c")
        assert f'"files": ["{file_id}"]' in console.clipboard


async def test_the_prompt(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ctrl+j is a new line, the arrows bring earlier questions and the draft back, ctrl+e is an editor, Esc leaves."""
    editor = tmp_path / "editor.py"
    editor.write_text("import sys\npath = sys.argv[1]\ntext = open(path).read()\nopen(path, 'w').write(text.upper() + '!\\n')\n")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    async with chatting(settings, tmp_path, [["Hi."]]) as (running, _acme, console, pilot):
        await ask(console, pilot, "First")
        await quiet(console, pilot)
        prompt = place_of(console).dialogue.prompt
        await pilot.press(*"one", "ctrl+j", *"two", "up", "up")
        assert prompt.text == "First"
        await pilot.press("down")
        assert prompt.text == "one\ntwo"
        await pilot.press("ctrl+e")
        assert prompt.text == "one\ntwo"
        assert any("editor" in notice.message for notice in console._notifications)
        monkeypatch.setattr(console, "suspend", nullcontext)
        await pilot.press("ctrl+e")
        assert prompt.text == "ONE\nTWO!"
        await pilot.press("escape")
        assert place_of(console).talk.has_focus
        await pilot.press("i", "enter")
        await until(lambda: len(answers(console)) == 2)
        await quiet(console, pilot)
        assert running.chat.history[-1].turns[-1].text == "ONE\nTWO!"


async def test_read_only(settings: Settings, tmp_path: Path) -> None:
    """With --read-only nothing is asked and nothing deleted; reading goes on."""
    async with chatting(settings, tmp_path, [["Hi."]], read_only=True) as (running, acme, console, pilot):
        await running.answer(acme, "One?")
        place_of(console).dialogue.prompt.focus()
        await pilot.press(*"Hi", "enter", "escape", "ctrl+r")
        await quiet(console, pilot)
        place = place_of(console)
        place.history.table.focus()
        await pilot.press("enter")
        await until(lambda: said(console) == [("you", "One?"), ("it", "Hi.")])
        await pilot.press("R", "d")
        await settled(console, pilot)
        assert console.screen is place
        assert len(running.chat.history) == 1
        await until(lambda: "read-only" in drawn(console))


async def test_messages_are_copied(settings: Settings, tmp_path: Path) -> None:
    """The cursor's message is copied by y, all of them by Y, by c the question as a line for curl."""
    async with chatting(settings, tmp_path, [["Hi *you*."]]) as (_, acme, console, pilot):
        await ask(console, pilot, "Hello")
        await quiet(console, pilot)
        await pilot.press("escape", "y")
        assert console.clipboard == "Hi *you*."
        await pilot.press("k", "y")
        assert console.clipboard == "Hello"
        await pilot.press("Y")
        assert console.clipboard == "**You**\n\nHello\n\n**Answer**\n\nHi *you*."
        await pilot.press("c")
        assert '"message": "Hello"' in console.clipboard
        assert acme.key not in console.clipboard


async def test_nothing_in_a_text_steers_the_console(settings: Settings, tmp_path: Path) -> None:
    """Markup, escape sequences, and characters that turn the direction of text are drawn as marks; a link opens nothing."""
    evil = "\x1b]0;own\x07 [bold]x[/bold] [@click=app.quit]y[/] \u202e &#x202e; &#27; [z](javascript:1) ![i](http://x) <b>"
    async with chatting(settings, tmp_path, [[*call("nothing\x1b[2J", {"a": "\x1b[2J\u202e"}), evil], [evil]]) as (
        _,
        _acme,
        console,
        pilot,
    ):
        await ask(console, pilot, "[bold]q[/bold]")
        await quiet(console, pilot)
        text = drawn(console)
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert "[bold]q[/bold]" in text
        assert "[bold]x[/bold]" in text
        place_of(console).talk.focus()
        assert console.is_running


async def test_a_long_conversation_shows_its_end_first(settings: Settings, tmp_path: Path) -> None:
    """The last messages are shown, and b shows those before them."""
    async with chatting(settings, tmp_path, [["Hi."]]) as (running, acme, console, pilot):
        conversation = (await running.answer(acme, "0"))[0]["messageMetadata"]["conversationId"]
        for number in range(1, 20):
            await running.answer(acme, f"{number}", conversationId=conversation)
        await pilot.press("escape", "ctrl+r")
        await quiet(console, pilot)
        place_of(console).history.table.focus()
        await pilot.press("enter")
        await until(lambda: len(said(console)) == 30)
        assert said(console)[0] == ("you", "5")
        await pilot.press("b")
        await until(lambda: len(said(console)) == 40)
        assert said(console)[0] == ("you", "0")


async def test_another_tenant_begins_anew(settings: Settings, tmp_path: Path) -> None:
    """What is shown goes with the tenant that it is of."""
    async with serving(settings, chat=ScriptedChat([["Hi."]])) as running:
        acme, globex = await running.register("Acme"), await running.register("Globex")
        await running.answer(globex, "Theirs?")
        key = (settings.data_dir / "operator.key").read_text().strip()
        async with opened(running.url, key, tmp_path) as (console, pilot):
            console.tenant_id = acme.id
            await quiet(console, pilot)
            await ask(console, pilot, "Ours?")
            await quiet(console, pilot)
            console.tenant_id = globex.id
            await quiet(console, pilot)
            assert said(console) == []
            assert place_of(console).conversation is None
            assert [kept.title for kept in place_of(console).history.records] == ["Theirs?"]
            await until(lambda: "documents of Globex" in drawn(console))
