"""A model's Markdown, drawn as it comes; its marks `[1]` lead to the sources.

What must stay true: nothing in it opens anything by itself, and no way of writing a character gets past `shown`.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from textual import on
from textual.message import Message
from textual.widgets import Markdown

from tenantai.tui import shown

CITE = "cite:"
MARK = re.compile(r"\[(\d{1,3})\](?![(\[:])")


class CitedMarkdown(Markdown):
    """The text of an answer, whole or in pieces."""

    # No rule for the last block: it would be looked up anew for every block whenever one is added.
    DEFAULT_CSS: ClassVar[str] = "CitedMarkdown { padding: 0 1; margin: 0; }"

    @dataclass
    class Cited(Message):
        """A mark was chosen."""

        number: int
        markdown: "CitedMarkdown"

    def __init__(self, text: str | None = None) -> None:
        super().__init__(None if text is None else shown.lines(text), parser_factory=lambda: PARSER, open_links=False)

    @on(Markdown.LinkClicked)
    def _chosen(self, event: Markdown.LinkClicked) -> None:
        event.stop()
        if event.href.startswith(CITE):
            self.post_message(self.Cited(int(event.href.removeprefix(CITE)), self))
        else:
            self.notify(f"This leads to {shown.line(event.href, most=200)}. Nothing was opened.", markup=False)


def _parser() -> MarkdownIt:
    """Return a reader of Markdown without HTML, pictures and named characters (they could name what steers a terminal)."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable(["image", "entity"])
    parser.inline.ruler.before("link", "cite", _cite)
    return parser


def _cite(state: StateInline, silent: bool) -> bool:  # noqa: FBT001  markdown-it's own shape
    found = MARK.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.push("link_open", "a", 1).attrs = {"href": f"{CITE}{found[1]}"}
        state.push("text", "", 0).content = found[0]
        state.push("link_close", "a", -1)
    state.pos = found.end()
    return True


PARSER = _parser()
