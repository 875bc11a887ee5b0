"""An answer on its way to a person: its text as it comes, then what it stands on, numbered as the text numbers it."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from tenantai.commands.terminal import Failed, one_line, show

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tenantai.client import ChatEvent, CitedQuote

QUOTE_CHARACTERS_MAX = 240

Show = Callable[..., None]


async def show_answer(events: "AsyncGenerator[ChatEvent]", *, show_text: Show = show) -> str:
    """Show an answer and its citations; returns the conversation's id, and raises Failed where it broke off."""
    from tenantai import client  # noqa: PLC0415  what a command works with is imported when it runs

    cited: Sequence[CitedQuote] = ()
    conversation_id = ""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, client.ChatStarted):
                conversation_id = event.conversation_id
            elif isinstance(event, client.ChatText):
                show_text(event.text, end="")
            elif isinstance(event, client.ChatCitations):
                cited = event.citations
            elif isinstance(event, client.ChatFault):
                show_text("")
                raise Failed(event.sentence)
    show_text("")
    for line in citation_lines(cited):
        show_text(line)
    return conversation_id


def citation_lines(cited: "Sequence[CitedQuote]") -> list[str]:
    """Return the lines that name each citation's file, page and quote."""
    lines = [""] if cited else []
    for citation in cited:
        place = f", p. {citation.page}" if citation.page is not None else ""
        lines.append(f"  [{citation.number}] {one_line(citation.file_name)}{place}{_quoted(citation.quote)}")
    return lines


def _quoted(quote: str | None) -> str:
    return "" if quote is None else f": “{one_line(quote, characters_max=QUOTE_CHARACTERS_MAX)}”"
