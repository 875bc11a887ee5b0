"""Names that are read, not chosen from: ten thousand cost what those on the screen do.

What must stay true: every name can be scrolled to, whole up to `NAME_MAX` characters.
"""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tenantai.tui import shown
from tenantai.tui.actions import Acting, Action, bindings
from tenantai.tui.widgets.scrolling import SCROLLING

NAME_MAX = 200


class NameList(Acting, ScrollView, can_focus=True):
    """The names, one a line, each behind a dot; `before` stands above them."""

    DEFAULT_CSS: ClassVar[str] = """
    NameList { height: auto; scrollbar-size-horizontal: 1; }
    """

    ACTIONS: ClassVar[tuple[Action, ...]] = SCROLLING
    BINDINGS = bindings(SCROLLING)

    def __init__(self, names: Sequence[str], *, before: str = "") -> None:
        super().__init__(classes="names")
        self._names = names
        self._before = [before] if before else []
        longest = max((len(name) if name.isascii() else 2 * len(name) for name in names), default=0)
        self.virtual_size = Size(min(longest, 2 * NAME_MAX) + 2, len(self._before) + len(names))

    def render_line(self, y: int) -> Strip:
        """Draw a line of the screen."""
        left, top = self.scroll_offset
        text = self._line(top + y)
        return Strip([Segment(text, self.rich_style)]).crop_extend(left, left + self.size.width, self.rich_style)

    def _line(self, at: int) -> str:
        lead = len(self._before)
        if at < lead:
            return self._before[at]
        return f"• {shown.line(self._names[at - lead], most=NAME_MAX)}" if at - lead < len(self._names) else ""
