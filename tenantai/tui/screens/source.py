"""A source, opened at the page of a quote, the quote marked; page forth and back.

What must stay true: only words that stand in the file now, to the letter, are marked; where the file has changed, that is said.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Footer, Static

from tenantai.client import CitedQuote, ClientError
from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.curl import curl
from tenantai.tui.screens.window import Window
from tenantai.wire.file_text import FileText

if TYPE_CHECKING:
    from tenantai.client import Client

BEFORE = 2_000
WINDOW = 20_000
PAGE_MAX = 100_000
MOVED = "The file has changed since: the quote does not stand there any more."
NO_TEXT = "There is no text on this page."
MARKED = "bold $text on $warning-muted"


@dataclass(frozen=True, slots=True)
class Where:
    """What part of the file is shown: a page, or from a character on."""

    page: int | None = None
    start: int | None = None


class Source(Window[None]):
    """The window on the file."""

    DEFAULT_CSS: ClassVar[str] = """
    Source { align: center middle; }
    Source > Vertical { width: 110; max-width: 96%; height: 94%; background: $surface; border: round $primary; }
    Source #where { height: 1; padding: 0 1; text-style: bold; background: $panel; }
    Source #trouble { height: auto; padding: 0 1; color: $text-warning; display: none; }
    Source #trouble.shown { display: block; }
    Source #text { height: auto; padding: 0 1; }
    Source VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("source.next", "l,right,n", "turn(1)", "Next page", "To the next page, or the next part of a file without pages."),
        Action("source.previous", "h,left,p", "turn(-1)", "Previous page", "To the page or the part before."),
        Action("source.quote", "g", "to_quote", "To the quote", "Back to the quote."),
        Action("source.down", "j", "scroll(1)", "Down", "A line down.", in_footer=False),
        Action("source.up", "k", "scroll(-1)", "Up", "A line up.", in_footer=False),
        Action("source.copy-quote", "y,q", "copy_quote", "Copy quote", "Copy the quote."),
        Action("source.copy-text", "Y", "copy_text", "Copy text", "Copy the text that is shown.", in_footer=False),
        Action("source.curl", "c", "copy_curl", "Copy curl", "Copy the request for this text as a line for curl.", in_footer=False),
        Action("source.leave", "escape,enter", "leave", "Close", "Back to the conversation."),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Came(Message):
        """A part of the file's text came."""

        where: Where
        part: FileText

    @dataclass
    class Failed(Message):
        """No text came."""

        error: ClientError

    def __init__(self, tenant_id: str, cited: CitedQuote) -> None:
        super().__init__()
        self.cited = cited
        self._tenant_id = tenant_id
        self.where = place_of(cited)
        self.part: FileText | None = None
        self.marked: tuple[int, int] | None = None

    def compose(self) -> ComposeResult:
        """Lay out where we are, what is wrong with it, and the text."""
        with Vertical():
            yield Static(shown.line(self.cited.file_name), id="where", markup=False)
            yield Static("", id="trouble", markup=False)
            with VerticalScroll():
                yield Static("Loading…", id="text", markup=False)
            yield Footer()

    def on_mount(self) -> None:
        """Ask for the part with the quote."""
        self.query_one(VerticalScroll).focus()
        self._ask(self.where)

    def _ask(self, where: Where) -> None:
        self.run_worker(self._asked(where), group="load", exclusive=True, exit_on_error=False)

    async def _asked(self, where: Where) -> None:
        try:
            part = await _text(await self.operating.link.client(), self._tenant_id, self.cited, where)
        except ClientError as error:
            self.post_message(self.Failed(error))
        else:
            self.post_message(self.Came(where, part))

    @on(Failed)
    def _failed(self, event: Failed) -> None:
        self.operating.refused(event.error)
        self._trouble(event.error.message)
        if self.part is None:
            self.query_one("#text", Static).update(shown.lines(self.cited.quote or ""))

    @on(Came)
    def _came(self, event: Came) -> None:
        self.where, self.part = event.where, event.part
        self.marked = span_of(event.part, self.cited)
        is_here = event.where == place_of(self.cited)
        self._trouble(MOVED if is_here and self.marked is None and event.part.text else "")
        self.query_one("#where", Static).update(self._where_text(event.part))
        self.query_one("#text", Static).update(_content(event.part.text, self.marked))
        self.refresh_bindings()
        self.call_after_refresh(self._to_mark)

    def _trouble(self, text: str) -> None:
        found = self.query_one("#trouble", Static)
        found.update(shown.lines(text))
        found.set_class(bool(text), "shown")

    def _where_text(self, part: FileText) -> str:
        if self.where.page is not None:
            place = f"page {self.where.page} of {part.page_count or '?'}"
        else:
            place = f"characters {shown.number(part.start + 1)}–{shown.number(part.end)} of {shown.number(part.characters)}"
        return f"{shown.line(part.file_name, most=80)} · {place} · [{self.cited.number}], score {self.cited.score:.2f}"

    def _to_mark(self) -> None:
        scroll, text = self.query_one(VerticalScroll), self.query_one("#text", Static)
        line = 0
        if self.marked is not None and self.part is not None and text.content_size.width:
            before = Content(shown.lines(self.part.text[: self.marked[0] + 1]))
            line = before.get_height({}, text.content_size.width) - 1
        scroll.scroll_to(y=max(0, line - scroll.size.height // 3), animate=False, force=True)

    def applies(self, action: str) -> bool | None:
        """Grey the copying of a quote whose words are withheld."""
        if action == "copy_quote":
            return True if self.cited.quote else None
        return True

    def action_turn(self, by: int) -> None:
        """Turn to another page or part."""
        there = self._beside(by)
        if there is not None:
            self._ask(there)
        else:
            self.notify("That is the last page." if by > 0 else "That is the first page.", timeout=2, markup=False)

    def _beside(self, by: int) -> Where | None:
        if self.part is None:
            return None
        if self.where.page is not None:
            page = self.where.page + by
            return Where(page) if 1 <= page <= (self.part.page_count or page) else None
        if by > 0:
            return Where(start=self.part.end) if self.part.end < self.part.characters else None
        return Where(start=max(0, self.part.start - WINDOW)) if self.part.start else None

    def action_to_quote(self) -> None:
        """Go back to the quote."""
        self._ask(place_of(self.cited))

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_copy_quote(self) -> None:
        """Copy the quote."""
        if self.cited.quote:
            self.operating.copy(self.cited.quote, what="quote")

    def action_copy_text(self) -> None:
        """Copy what is shown."""
        if self.part is not None:
            self.operating.copy(self.part.text, what="text")

    def action_copy_curl(self) -> None:
        """Copy the request for this text."""
        asked = {
            name: f"{value}" for name, value in (("page", self.where.page), ("start", self.where.start)) if value is not None
        }
        path = f"/tenants/{self._tenant_id}/store/files/{self.cited.file_id}/text"
        self.operating.copy(curl(self.operating.link_url, "GET", path, query=asked), what="command")

    def action_leave(self) -> None:
        """Close the window."""
        self.dismiss()


def place_of(cited: CitedQuote) -> Where:
    """Return the part of the file that a quote stands in."""
    return Where(cited.page) if cited.page is not None else Where(start=max(0, cited.start - BEFORE))


async def _text(client: "Client", tenant_id: str, cited: CitedQuote, where: Where) -> FileText:
    """Return a part of the file; of a page that is longer than an answer, the part with the quote."""
    limit = PAGE_MAX if where.page is not None else WINDOW
    part = await client.store.text(tenant_id, cited.file_id, page=where.page, start=where.start, limit=limit)
    if where == place_of(cited) and part.next_start is not None and cited.end > part.end:
        start = max(part.start, cited.start - BEFORE)
        part = await client.store.text(tenant_id, cited.file_id, page=where.page, start=start, limit=PAGE_MAX)
    return part


def span_of(part: FileText, cited: CitedQuote) -> tuple[int, int] | None:
    """Return where in a part of a text the quote stands, None where it does not; words that moved are found where they are now."""
    begin, end = cited.start - part.start, cited.end - part.start
    there = part.text[begin:end] if 0 <= begin < end else ""
    if there and (cited.quote is None or cited.quote == there or (end > len(part.text) and cited.quote.startswith(there))):
        return begin, begin + len(there)
    at = part.text.find(cited.quote) if cited.quote else -1
    return (at, at + len(cited.quote or "")) if at >= 0 else None


def _content(text: str, marked: tuple[int, int] | None) -> Content:
    if not text.strip():
        return Content(NO_TEXT)
    if marked is None:
        return Content(shown.lines(text))
    parts = (text[: marked[0]], text[marked[0] : marked[1]], text[marked[1] :])
    before, quote, after = (shown.lines(piece) for piece in parts)
    return Content.assemble(before, (quote, MARKED), after)
