"""A model's Markdown, drawn as it comes; its marks `[1]` lead to the sources.

What must stay true: nothing in it opens anything by itself; it is one widget, however long the text grows.
"""

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from tenantai.tui import shown
from tenantai.tui.markdown_lines import CITE, Look, MarkdownLines

PARTS = {
    "heading": ("h1", "h2"),
    "subheading": ("h3", "h4", "h5", "h6"),
    "code": ("code",),
    "link": ("link_url",),
    "bullet": ("item.bullet", "item.number"),
    "quote": ("block_quote",),
    "head": ("table.header",),
    "rule": ("table.border", "hr"),
}
"""The component classes, and the names that Rich has for what they style."""
PLAIN = {
    "markdown.paragraph": Style(),
    "markdown.code_block": Style(),
    "markdown.em": Style(italic=True),
    "markdown.strong": Style(bold=True),
    "markdown.s": Style(strike=True),
}


class CitedMarkdown(Widget):
    """The text of an answer, whole or in pieces."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"cited--{part}" for part in (*PARTS, "fence")}
    DEFAULT_CSS: ClassVar[str] = """
    CitedMarkdown {
        height: auto; padding: 0 1; margin: 0;
        & > .cited--heading { color: $markdown-h1-color; text-style: bold underline; }
        & > .cited--subheading { color: $markdown-h3-color; text-style: bold; }
        & > .cited--code { color: $text-warning; background: $warning-muted; }
        & > .cited--fence { background: $panel; }
        & > .cited--link { color: $text-accent; text-style: underline; }
        & > .cited--bullet { color: $text-primary; text-style: bold; }
        & > .cited--quote { color: $text-secondary; text-style: italic; }
        & > .cited--head { color: $text-primary; text-style: bold; }
        & > .cited--rule { color: $text-secondary; }
    }
    """

    @dataclass
    class Cited(Message):
        """A mark was chosen."""

        number: int
        markdown: "CitedMarkdown"

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._lines = MarkdownLines(shown.lines(text))
        self._look: Look | None = None
        self._is_stale = True

    def add(self, text: str) -> None:
        """Add to the end of the text."""
        before = len(self._lines.strips)
        self._lines.add(shown.lines(text))
        self.refresh(layout=len(self._lines.strips) != before or not before)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines there are at a width."""
        del container, viewport
        self._fit(width)
        return len(self._lines.strips)

    def render_line(self, y: int) -> Strip:
        """Return a line."""
        self._fit(self.content_size.width)
        base = self.rich_style
        strips = self._lines.strips
        strip = self._selected(strips[y], y) if y < len(strips) else Strip.blank(0)
        return strip.apply_style(base).adjust_cell_length(self.content_size.width, base).apply_offsets(0, y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the text that the mouse has marked."""
        return selection.extract(self._lines.plain), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw what is marked now."""
        del selection
        self.refresh()

    def notify_style_update(self) -> None:
        """Take another theme's colours; most changes of a style are none."""
        super().notify_style_update()
        self._is_stale = True

    def action_follow(self, number: int) -> None:
        """Go to a source, or say where a link would lead."""
        if not 0 <= number < len(self._lines.links):
            return
        href = self._lines.links[number]
        if href.startswith(CITE):
            self.post_message(self.Cited(int(href.removeprefix(CITE)), self))
        else:
            self.notify(f"This leads to {shown.line(href, most=200)}. Nothing was opened.", markup=False)

    def _fit(self, width: int) -> None:
        look = self._look_now() if self._is_stale or self._look is None else self._look
        if look != self._look:
            self._look = look
        self._is_stale = False
        self._lines.fit(width, self._look or look)

    def _look_now(self) -> Look:
        styles = dict(PLAIN)
        for part, names in PARTS.items():
            style = self.get_component_rich_style(f"cited--{part}", partial=True)
            styles |= {f"markdown.{name}": style for name in names}
        ground = self.get_component_rich_style("cited--fence", partial=True).bgcolor
        return Look(styles, ground.get_truecolor().hex if ground else None, self.app.current_theme.dark)

    def _selected(self, strip: Strip, y: int) -> Strip:
        """Return a line with what the mouse has marked of it."""
        selection = self.text_selection
        span = None if selection is None else selection.get_span(y)
        if span is None:
            return strip
        text = strip.text
        start, end = (cell_len(text[: len(text) if at == -1 else at]) for at in span)
        marked = self.screen.get_component_rich_style("screen--selection")
        before, within, after = (strip.crop(*cut) for cut in ((0, start), (start, end), (end, strip.cell_length)))
        return Strip.join([before, Strip(_restyled(within, marked)), after])


def _restyled(strip: Strip, style: Style) -> list[Segment]:
    return [Segment(segment.text, (segment.style or Style()) + style) for segment in strip]
