"""Chat: conversations with the documents of the tenant, answers as they stream, and what they stand on.

What must stay true: what is shown is of the tenant and the account that are named; a change of either begins anew.
"""

from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal

from tenantai.client import ApprovalDecision
from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.curl import curl
from tenantai.tui.screens.conversations import Conversations
from tenantai.tui.screens.questions import AskText
from tenantai.tui.screens.source import Source
from tenantai.tui.widgets.cited_markdown import CitedMarkdown
from tenantai.tui.widgets.dialogue import Dialogue
from tenantai.tui.widgets.history import History
from tenantai.tui.widgets.kept import said_of, with_what_was_drawn
from tenantai.tui.widgets.said import Answer, Said
from tenantai.tui.widgets.sources import Sources
from tenantai.tui.widgets.talk import Talk
from tenantai.tui.widgets.tool_call import ToolCall

SHOWN_AT_ONCE = 30
EMPTY = """Ask something about the documents of {tenant}.

Enter sends; ctrl+j begins a new line; ctrl+e opens your editor.
Esc leaves the prompt: then i writes again, n begins anew, a chooses an account, F the files to answer from, ? tells all keys.
Conversations so far are at the left: / searches in them, Enter opens one."""
NO_TENANT = "There is no tenant yet. Make one, or press t to choose one."


class Chat(Conversations):
    """History at the left, the conversation in the middle, its sources at the right."""

    SPOT: ClassVar[str] = "chat"
    DEFAULT_CSS: ClassVar[str] = """
    Chat #right { width: 1fr; height: 1fr; layout: horizontal; }
    Chat Sources { width: 28%; min-width: 30; max-width: 60; }
    Chat.-without-history History { display: none; }
    Chat.-narrow History { width: 24; }
    Chat.-narrow #right { layout: vertical; }
    Chat.-narrow Sources { min-width: 100%; max-width: 100%; height: 6; border-left: none; border-top: solid $panel; padding: 0; }
    Chat.-narrow Sources.empty, Chat.-narrow Sources > VerticalScroll { display: none; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("chat.write", "i", "write", "Write", "Go to the prompt.", word="write"),
        Action("chat.new", "n", "new", "New", "Begin a new conversation.", word="new"),
        Action("chat.yes", "ctrl+y", "approve", "Yes", "Let the call that waits be made.", changes=True, scope="chat:create", priority=True),
        Action("chat.no", "ctrl+n", "refuse", "No…", "Refuse the call that waits, with a reason.", changes=True, scope="chat:create", priority=True),
        Action("chat.stop", "x", "stop_answer", "Stop", "Stop the answer that streams; Esc does, too.", word="stop"),
        Action("chat.again", "R", "ask_again", "Ask again", "Ask the last question again.", word="again", changes=True, scope="chat:create"),
        Action("chat.earlier", "b", "earlier", "Earlier", "Show the messages before those that are shown.", in_footer=False),
        Action("chat.source", "s", "to_sources", "Sources", "Go to the sources of the answer.", word="sources", in_footer=False),
        Action("chat.curl", "c", "copy_curl", "Copy curl", "Copy the last question as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self._earlier: list[Said] = []
        self._tenant: str | None = None

    def compose_middle(self) -> ComposeResult:
        """Lay out the three panes."""
        with Horizontal():
            yield History()
            with Container(id="right"):
                yield Dialogue()
                yield Sources(id="sources", classes="side empty")

    @property
    def dialogue(self) -> Dialogue:
        """The middle."""
        return self.query_one(Dialogue)

    @property
    def talk(self) -> Talk:
        """What was said."""
        return self.query_one(Talk)

    @property
    def sources(self) -> Sources:
        """What the answer under the cursor stands on."""
        return self.query_one(Sources)

    def on_mount(self) -> None:
        """Say what to do."""
        self.say_about()

    def focus_main(self) -> None:
        """Give the focus to the prompt."""
        self.dialogue.prompt.focus()

    def reveal(self, record_id: str) -> None:
        """Open the conversation that another place named."""
        self.open_conversation(record_id)

    def load(self) -> None:
        """List the conversations, and show the open one as the server has it; another tenant's begin anew."""
        if self.tenant_id != self._tenant:
            self._tenant, self.account, self.files = self.tenant_id, None, {}
            self.run_worker(self.begin_anew(), group="show", exit_on_error=False)
        elif self.conversation is not None and not self.dialogue.is_answering:
            self.open_conversation(self.conversation)
        self.say_about()
        self.list_conversations()

    def renew(self) -> None:
        """List the conversations anew; the open one stays as it is read."""
        if not self.dialogue.is_answering:
            self.list_conversations()

    @on(Conversations.Opened)
    async def _opened(self, event: Conversations.Opened) -> None:
        drawn = self.talk.messages if self.conversation == event.kept.conversation.id else []
        self.dialogue.forget()
        self.conversation = event.kept.conversation.id
        kept, self.dialogue.calls = said_of(event.messages, event.kept.pending_approvals)
        messages = with_what_was_drawn(kept, drawn)
        questions = [message.content for message in event.messages if message.role == "user"]
        self.dialogue.last_question = questions[-1] if questions else ""
        self._earlier = messages[:-SHOWN_AT_ONCE]
        self._hint_earlier()
        await self.talk.show(messages[-SHOWN_AT_ONCE:])
        self.say_about()
        self.refresh_bindings()

    def _hint_earlier(self) -> None:
        count = len(self._earlier)
        self.talk.hint(f"{shown.number(count)} earlier messages; b shows more of them." if count else "")

    async def begin_anew(self) -> None:
        """Show no conversation, and what to do."""
        self.dialogue.forget()
        self.conversation, self._earlier = None, []
        self.talk.hint(EMPTY.format(tenant=self.operating.tenant_name) if self.tenant_id else NO_TENANT)
        await self.talk.show([])
        self.say_about()
        self.refresh_bindings()

    def say_about(self) -> None:
        """Say what the next question is for."""
        who = self.operating.link_state.who
        bound = "its own account" if who is not None and who.account_id else "whole tenant"
        account = f"account {shown.line(self.account.name, most=30)}" if self.account else bound
        files = f" · from {len(self.files)} file(s)" if self.files else ""
        reads = " · read-only: nothing can be asked" if self.operating.read_only else ""
        self.dialogue.about(f"{account}{files} · {'this' if self.conversation else 'a new'} conversation{reads}")
        self.dialogue.prompt.read_only = self.operating.read_only

    @on(Dialogue.Asks)
    async def _asks(self, event: Dialogue.Asks) -> None:
        await self._put(event.text)

    async def _put(self, text: str) -> None:
        """Ask."""
        tenant_id = self.tenant_id
        if tenant_id is None:
            self.notify(NO_TENANT, severity="warning", markup=False)
            self.dialogue.prompt.put(text)
            return
        given: dict[str, Any] = {"conversation_id": self.conversation, "files": list(self.files) or None}
        if self.conversation is None and self.account is not None:
            given["account_id"] = self.account.id
        await self.dialogue.ask(text, lambda client: client.chat.stream(tenant_id, text, can_ask=True, **given))

    @on(Dialogue.Begun)
    def _begun(self, event: Dialogue.Begun) -> None:
        if self.conversation != event.conversation_id:
            self.conversation = event.conversation_id
            self.say_about()

    @on(Dialogue.Ended)
    def _ended(self, event: Dialogue.Ended) -> None:
        if event.is_stale and self.conversation is not None:
            self.open_conversation(self.conversation)
        self.list_conversations()

    @on(Talk.Highlighted)
    def _highlighted(self, event: Talk.Highlighted) -> None:
        self.sources.show(event.said.citations if event.said is not None else ())
        self.refresh_bindings()

    @on(CitedMarkdown.Cited)
    def _cited(self, event: CitedMarkdown.Cited) -> None:
        answer = next((node for node in event.markdown.ancestors if isinstance(node, Answer)), None)
        if answer is not None and answer is not self.talk.current:
            self.talk.put_cursor(answer, into_view=False)
            self.sources.show(answer.citations)
        cited = self.sources.choose(event.number)
        if cited is None:
            self.notify(f"The answer has no source [{event.number}].", severity="warning", markup=False)
        else:
            self._open_source(Sources.Opened(cited))

    @on(Sources.Opened)
    def _open_source(self, event: Sources.Opened) -> None:
        if self.tenant_id is not None:
            self.app.push_screen(Source(self.tenant_id, event.cited))

    @on(ToolCall.Decided)
    async def _decided(self, event: ToolCall.Decided) -> None:
        if event.approved:
            await self._decide(event.call, approved=True)
        else:
            self._refuse(event.call)

    @work(exit_on_error=False)
    async def _refuse(self, call: ToolCall) -> None:
        title = f"Why not {shown.line(call.tool_name, most=64)}? The model is told; empty is a no as well."
        reason = await self.app.push_screen_wait(AskText(title, placeholder="the reason"))
        if isinstance(reason, str):
            await self._decide(call, approved=False, reason=reason.strip()[:1000] or None)

    async def _decide(self, call: ToolCall, *, approved: bool, reason: str | None = None) -> None:
        decided: list[ApprovalDecision] = self.dialogue.decide(call, approved=approved, reason=reason)
        tenant_id, conversation_id = self.tenant_id, self.conversation
        if decided and tenant_id is not None and conversation_id is not None:
            await self.dialogue.go_on(lambda client: client.chat.decide(tenant_id, conversation_id, decided))

    def applies(self, action: str) -> bool | None:
        """Grey what makes no sense now; yes and no are there only while a call waits."""
        is_answering, is_asked = self.dialogue.is_answering, bool(self.dialogue.last_question)
        if action in {"approve", "refuse"}:
            return bool(self.dialogue.waiting) and not is_answering
        possible = {
            "stop_answer": is_answering,
            "ask_again": is_asked and not is_answering,
            "copy_curl": is_asked,
            "delete_conversations": bool(self.to_delete()),
            "earlier": bool(self._earlier),
            "to_sources": bool(self.sources.records.records),
        }
        return possible.get(action, True) or None

    def go_back(self) -> bool:
        """Stop the answer that streams; leave the prompt; then what every place ends."""
        if self.dialogue.is_answering:
            self.run_worker(self.dialogue.stop(), group="show", exit_on_error=False)
            return True
        if self.maximized is None and self.dialogue.prompt.has_focus:
            self.talk.focus()
            return True
        return super().go_back()

    def action_write(self) -> None:
        """Go to the prompt."""
        self.dialogue.prompt.focus()

    async def action_new(self) -> None:
        """Begin a new conversation."""
        await self.begin_anew()
        self.dialogue.prompt.focus()

    async def action_approve(self) -> None:
        """Let the first call that waits be made."""
        await self._decide(self.dialogue.waiting[0], approved=True)

    def action_refuse(self) -> None:
        """Refuse the first call that waits."""
        self._refuse(self.dialogue.waiting[0])

    async def action_stop_answer(self) -> None:
        """Stop the answer."""
        await self.dialogue.stop()

    async def action_ask_again(self) -> None:
        """Ask the last question again."""
        if self.dialogue.prompt.text == self.dialogue.last_question:
            self.dialogue.prompt.text = ""
        await self._put(self.dialogue.last_question)

    async def action_earlier(self) -> None:
        """Show earlier messages."""
        more, self._earlier = self._earlier[-SHOWN_AT_ONCE:], self._earlier[:-SHOWN_AT_ONCE]
        self._hint_earlier()
        await self.talk.put_first(more)
        self.refresh_bindings()

    def action_to_sources(self) -> None:
        """Go to the sources."""
        self.sources.records.table.focus()

    def action_copy_curl(self) -> None:
        """Copy the last question as a line for curl."""
        body: dict[str, Any] = {"tenantId": self.tenant_id, "message": self.dialogue.last_question}
        if self.conversation:
            body["conversationId"] = self.conversation
        if self.files:
            body["files"] = list(self.files)
        self.operating.copy(curl(self.operating.link_url, "POST", "/chat", body=body), what="command")
