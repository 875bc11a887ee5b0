"""Markdown made into lines of a terminal, block by block, so that a text that grows costs only its last block.

Sources: markdown-it-py reads it, Rich draws a block. What must stay true: a block that another one follows is not drawn again
but for a new width or look; no link of the text reaches the terminal as one, and no way of writing a character gets past
`shown`, so neither HTML nor named characters are read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.theme import Theme
from textual.strip import Strip

CITE = "cite:"
MARK = re.compile(r"\[(\d{1,3})\](?![(\[:])")
FOLLOW = "follow"
"""The action of the widget that a click on a link is for, with the link's number in `MarkdownLines.links`."""
WIDTH_MIN = 12


@dataclass(frozen=True, slots=True)
class Look:
    """How Markdown looks: Rich's styles named `markdown.…`, what is behind code, and whether what is around is dark."""

    styles: Mapping[str, Style]
    code_background: str | None
    is_dark: bool


class MarkdownLines:
    """A text and its lines at the width it was fitted to last; `links` are what its links lead to."""

    def __init__(self, text: str = "") -> None:
        self.source = ""
        self.links: list[str] = []
        self.strips: list[Strip] = []
        self._numbers: dict[str, int] = {}
        self._whole: list[str] = []
        self._open: list[str] = []
        self._open_at = 0
        self._look: Look | None = None
        self._width = 0
        self._console: Console | None = None
        self.add(text)

    @property
    def plain(self) -> str:
        """What stands in the lines."""
        return "\n".join(strip.text.rstrip() for strip in self.strips)

    def add(self, text: str) -> None:
        """Add to the end of the text."""
        if text:
            self.source += text
            blocks = _blocks("".join(self._open) + text)
            open_count = 1 if "\n" in blocks[-1] else 2  # until its first line ends, the one before may go on: `a`, `#`, `#b`
            whole, self._open = blocks[:-open_count], blocks[-open_count:]
            self._whole += whole
            self._draw(whole)

    def fit(self, width: int, look: Look) -> None:
        """Draw the text at a width in cells, unless it is drawn so already."""
        if width == self._width and look is self._look:
            return
        if look is not self._look:
            self._console = Console(color_system="truecolor", force_terminal=True, legacy_windows=False, theme=Theme(look.styles))
        self._look, self._width = look, width
        self.strips, self._open_at = [], 0
        self._draw(self._whole)

    def _draw(self, whole: Sequence[str]) -> None:
        """Put blocks, and those that are open, in the place of those that were open when they were drawn."""
        del self.strips[self._open_at :]
        for source in whole:
            self.strips += self._strips(source)
        self._open_at = len(self.strips)
        for source in self._open:
            self.strips += self._strips(source)

    def _strips(self, source: str) -> list[Strip]:
        """Return the lines of a block, and an empty one before them where it is not the first."""
        if self._console is None or self._look is None:
            return []
        block = _Drawing(PARSER.parse(source), self._look)
        options = self._console.options.update(width=max(self._width, WIDTH_MIN), height=None, highlight=False)
        strips = [Strip(map(self._unlinked, line)) for line in self._console.render_lines(block, options, pad=False)]
        while strips and not strips[-1].text.strip():
            del strips[-1]
        while strips and not strips[0].text.strip():
            del strips[0]
        return [Strip.blank(0), *strips] if strips and self.strips else strips

    def _unlinked(self, segment: Segment) -> Segment:
        """Return a segment whose link is an action of ours, for the terminal would open any."""
        if segment.style is None or segment.style.link is None:
            return segment
        href = segment.style.link
        number = self._numbers.setdefault(href, len(self.links))
        if number == len(self.links):
            self.links.append(href)
        style = segment.style.update_link(None) + Style.from_meta({"@click": f"{FOLLOW}({number})"})
        return Segment(segment.text, style)


class _Drawing(Markdown):
    """Blocks that are read already, as Rich draws them."""

    elements: ClassVar[dict[str, type[MarkdownElement]]]

    def __init__(self, tokens: list[Token], look: Look) -> None:
        super().__init__("", code_theme="ansi_dark" if look.is_dark else "ansi_light")
        self.parsed = tokens
        self.code_background = look.code_background


class _Heading(Heading):
    """A heading at the left, whatever its level."""

    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}


class _Code(CodeBlock):
    """Code on a ground of its own."""

    def __init__(self, lexer_name: str, theme: str, background: str | None) -> None:
        super().__init__(lexer_name, theme)
        self._background = background

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> "_Code":
        """Make it of a token."""
        language = token.info.partition(" ")[0]
        background = markdown.code_background if isinstance(markdown, _Drawing) else None
        return cls(language or "text", markdown.code_theme, background)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        del console, options
        code = str(self.text).rstrip()
        yield Syntax(code, self.lexer_name, theme=self.theme, background_color=self._background, word_wrap=True, padding=(0, 1))


_Drawing.elements = {**Markdown.elements, "heading_open": _Heading, "fence": _Code, "code_block": _Code}


def _blocks(text: str) -> list[str]:
    """Return the text in pieces that each begin with a block; at least one."""
    lines = text.split("\n")
    starts = [token.map[0] for token in PARSER.parse(text) if token.level == 0 and token.nesting >= 0 and token.map]
    edges = [0, *starts[1:], len(lines)]
    return ["\n".join(lines[start:end]) + ("\n" if end < len(lines) else "") for start, end in pairwise(edges)]


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
