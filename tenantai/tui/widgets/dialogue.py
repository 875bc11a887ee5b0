"""The middle of a chat: the conversation, how it stands, and the prompt; asks, streams the answer, stops it, lets calls be decided.

What must stay true: what came of an answer stays on the screen whatever happens to its stream, and a question that came to nothing is
back in the prompt.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from tenantai.client import (
    ApprovalDecision,
    ChatApprovalAsked,
    ChatCitations,
    ChatEvent,
    ChatFault,
    ChatFinished,
    ChatStarted,
    ChatText,
    ChatToolAnswered,
    ChatToolBegun,
    ChatToolCalled,
    ChatToolFailed,
    ChatUsage,
    ClientError,
)
from tenantai.tui import shown
from tenantai.tui.actions import Acting
from tenantai.tui.widgets.prompt import Prompt
from tenantai.tui.widgets.said import WAITING, Answer, Asked, Said, about_of
from tenantai.tui.widgets.talk import Talk
from tenantai.tui.widgets.tool_call import ToolCall, text_of_output

if TYPE_CHECKING:
    from tenantai.client import Client

Stream = Callable[["Client"], AsyncGenerator[ChatEvent]]
STREAMS = "answer"
ANSWERING = "Answering… Esc stops it."
STOPPED = "Stopped. What came is kept. R asks again."
AGAIN = "R asks again."
ENDINGS = {
    "stop": "",
    "length": "The answer ends here because it reached the model's limit of length.",
    "content-filter": "The model's filter ended the answer.",
    "tool-calls": WAITING,
}


class Dialogue(Acting, Vertical):
    """One conversation as it goes on."""

    DEFAULT_CSS: ClassVar[str] = """
    Dialogue { width: 1fr; height: 1fr; }
    Dialogue > #about { height: 1; padding: 0 2; color: $text-muted; }
    """

    @dataclass
    class Came(Message):
        """A piece of an answer came; `turn` tells answers apart."""

        turn: int
        event: ChatEvent

    @dataclass
    class BrokeOff(Message):
        """A stream came to nothing, or broke off."""

        turn: int
        error: ClientError

    @dataclass
    class Begun(Message):
        """The server keeps the question in a conversation."""

        conversation_id: str

    @dataclass
    class Ended(Message):
        """An answer is over, whole or not; `is_stale` where what is shown may not be how the server has it."""

        is_stale: bool = False

    @dataclass
    class Asks(Message):
        """A question is to be asked."""

        text: str

    def __init__(self) -> None:
        super().__init__(id="dialogue")
        self.answer: Answer | None = None
        self.calls: dict[str, ToolCall] = {}
        self.last_question = ""
        self._asked: Asked | None = None
        self._turn = 0
        self._is_deciding = False
        self._is_kept = False
        self._decisions: dict[str, ApprovalDecision] = {}

    def compose(self) -> ComposeResult:
        """Lay out the conversation, the line about it, and the prompt."""
        yield Talk()
        yield Static("", id="about", markup=False)
        yield Prompt()

    @property
    def talk(self) -> Talk:
        """The conversation."""
        return self.query_one(Talk)

    @property
    def prompt(self) -> Prompt:
        """Where questions are written."""
        return self.query_one(Prompt)

    @property
    def is_answering(self) -> bool:
        """Whether an answer streams now."""
        return self.answer is not None

    @property
    def waiting(self) -> list[ToolCall]:
        """The calls that wait for a yes or no."""
        return [call for call in self.calls.values() if call.state == "asked" and call.approval_id is not None]

    def about(self, text: str) -> None:
        """Say below the conversation what the next question is for."""
        self.query_one("#about", Static).update(text)

    async def ask(self, text: str, stream: Stream) -> None:
        """Show a question, and its answer as it streams."""
        for call in self.waiting:
            call.become("passed")
        self._decisions.clear()
        self.last_question = text
        self._asked = Asked(text)
        self.talk.hint("")
        await self.talk.add(self._asked)
        await self._begin(stream, is_deciding=False)

    async def _begin(self, stream: Stream, *, is_deciding: bool) -> None:
        self._turn += 1
        self._is_deciding, self._is_kept = is_deciding, False
        self.answer = Answer()
        self.answer.say(ANSWERING, is_answering=True)
        self.prompt.is_busy = True
        await self.talk.add(self.answer)
        self.run_worker(self._streamed(self._turn, stream), group=STREAMS, exclusive=True, exit_on_error=False)
        self.screen.refresh_bindings()

    async def _streamed(self, turn: int, stream: Stream) -> None:
        try:
            async with aclosing(stream(await self.operating.link.client())) as events:
                async for event in events:
                    self.post_message(self.Came(turn, event))
        except ClientError as error:
            self.post_message(self.BrokeOff(turn, error))

    @on(Came)
    async def _came(self, event: Came) -> None:
        event.stop()
        if event.turn != self._turn or self.answer is None:
            return
        answer, said = self.answer, event.event
        match said:
            case ChatText():
                self.operating.garbage.touch()
                await answer.write(said.text)
            case ChatStarted():
                self._is_kept = True
                self.post_message(self.Begun(said.conversation_id))
            case ChatCitations():
                answer.citations = said.citations
                self.talk.put_cursor(answer, into_view=False)
            case ChatUsage():
                answer.tell(about_of(said.model, said.usage.get("totalTokens")))
            case ChatFault():
                answer.say(said.sentence, is_answering=True)
            case ChatFinished():
                await self._finished(answer, said.reason)
            case _:
                await self._called(answer, said)

    async def _called(self, answer: Answer, event: ChatEvent) -> None:
        match event:
            case ChatToolBegun():
                await self._call(answer, event.tool_call_id, event.tool_name)
            case ChatToolCalled():
                call = await self._call(answer, event.tool_call_id, event.tool_name)
                call.become("called", arguments=event.arguments)
            case ChatToolAnswered() if event.tool_call_id in self.calls:
                self.calls[event.tool_call_id].become("answered", result=text_of_output(event.output))
            case ChatToolFailed() if event.tool_call_id in self.calls:
                self.calls[event.tool_call_id].become("failed", result=event.sentence)
            case ChatApprovalAsked() if event.tool_call_id in self.calls:
                self.calls[event.tool_call_id].ask(event.approval_id)

    async def _call(self, answer: Answer, call_id: str, name: str) -> ToolCall:
        """Return the call of an id, shown in this answer where it is new."""
        if call_id not in self.calls:
            self.calls[call_id] = ToolCall(call_id, name)
            await answer.call(self.calls[call_id])
        return self.calls[call_id]

    async def _finished(self, answer: Answer, reason: str) -> None:
        note = f"{answer.note} {AGAIN}" if reason == "error" else ENDINGS.get(reason, f"It ended: {shown.line(reason)}.")
        if reason == "error":
            self._give_back()
        await self._end(shown.lines(note))

    async def _end(self, note: str, *, is_stale: bool = False, gone: Sequence[Said] = ()) -> None:
        """End the answer that streams, whatever came of it; what the server knows nothing of is `gone`."""
        answer = self.answer
        self._turn += 1
        if answer is not None:
            await answer.flush()
            answer.say(note)
            for call in answer.calls:
                if call.state in {"begun", "called"}:
                    call.become("interrupted")
        for said in gone:
            await said.remove()
        if gone:
            self.talk.put_cursor(next((said for said in reversed(self.talk.messages) if isinstance(said, Answer)), None))
        self.answer, self.prompt.is_busy = None, False
        self.post_message(self.Ended(is_stale))
        self.screen.refresh_bindings()

    async def stop(self) -> None:
        """Stop the answer at once; what came stays."""
        self.workers.cancel_group(self, STREAMS)
        await self._end(STOPPED)

    @on(BrokeOff)
    async def _broke_off(self, event: BrokeOff) -> None:
        event.stop()
        if event.turn != self._turn or self.answer is None:
            return
        self._give_back()
        asked = [] if self._asked is None or self._is_deciding else [self._asked]
        gone = [] if self._is_kept else [self.answer, *asked]
        await self._end(f"{shown.line(event.error.message)} {AGAIN}", is_stale=self._is_deciding, gone=gone)
        self.operating.refused(event.error)

    def _give_back(self) -> None:
        """Put the question back where it was written."""
        if not self._is_deciding and not self.prompt.text:
            self.prompt.put(self.last_question)

    def forget(self) -> None:
        """Let go of the conversation; an answer that streams is stopped."""
        self.workers.cancel_group(self, STREAMS)
        self.answer, self._asked, self.last_question = None, None, ""
        self._turn += 1
        self.calls, self._decisions = {}, {}
        self.prompt.is_busy = False

    def decide(self, call: ToolCall, *, approved: bool, reason: str | None = None) -> list[ApprovalDecision]:
        """Take a yes or no; returns all decisions once none waits any more."""
        if call.approval_id is None or call.state != "asked":
            return []
        self._decisions[call.call_id] = ApprovalDecision(call.approval_id, approved, reason)
        call.become("approved" if approved else "refused")
        if self.waiting:
            return []
        decided, self._decisions = list(self._decisions.values()), {}
        return decided

    async def go_on(self, stream: Stream) -> None:
        """Show how an answer goes on after the decisions."""
        for said in self.talk.messages:
            if isinstance(said, Answer) and said.note == WAITING:
                said.say("")
        await self._begin(stream, is_deciding=True)

    @on(Prompt.Sent)
    def _sent(self, event: Prompt.Sent) -> None:
        event.stop()
        self.post_message(self.Asks(event.text))
