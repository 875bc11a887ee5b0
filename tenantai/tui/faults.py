"""Faults of the console itself: one report at a time, the others counted in it, and what can't be drawn left out.

What must stay true: no number of faults ends the console or keeps it busy, and the report of one can always be read and left.
"""

import time
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING
from weakref import WeakSet

from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.app import App

    from tenantai.tui.screens.report import Report

IN_A_ROW_MAX = 5
WINDOW_SECONDS = 2.0
DRAWING = "_compositor.py"


class Faults:
    """What went wrong in a console since it began; its length is how often."""

    def __init__(self, console: "App[None]") -> None:
        self._console = console
        self._count = 0
        self._untold = 0
        self._opening: Report | None = None
        self._recent: list[tuple[float, str]] = []
        self._hidden: WeakSet[Widget] = WeakSet()
        self._silent: set[str] = set()

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Forget what went wrong."""
        self._count = 0
        self.forgive()

    def forgive(self) -> None:
        """Give what was left out another chance."""
        self._recent.clear()
        self._silent.clear()
        for widget in list(self._hidden):
            vars(widget).pop("render_lines", None)
            widget.display = True
        self._hidden.clear()

    def report(self, error: Exception) -> None:
        """Show a fault, or count it in the report that is open; leave out what can't be drawn, and say no more of what goes on failing."""
        self._count += 1
        frames = list(_frames(error))
        widget, where = _widget_of(frames), _place_of(error, frames)
        if where in self._silent or (widget is not None and widget in self._hidden):
            self._tell_of_another()
            return
        if widget is not None and any(frame.f_code.co_filename.endswith(DRAWING) for frame in frames):
            self._leave_out(widget)
        elif self._goes_on(where):
            self._silent.add(where)
        self._tell(error)

    def _goes_on(self, where: str) -> bool:
        now = time.monotonic()
        self._recent = [*(known for known in self._recent if now - known[0] < WINDOW_SECONDS), (now, where)]
        return len([known for _, known in self._recent if known == where]) >= IN_A_ROW_MAX

    def _leave_out(self, widget: Widget) -> None:
        """Draw nothing of a widget from now on, and take it out of its screen as soon as that can be done."""
        self._hidden.add(widget)
        vars(widget)["render_lines"] = _blank
        self._console.call_later(self._hide, widget)

    def _hide(self, widget: Widget) -> None:
        widget.display = False
        self._console.screen.refresh()
        name = type(widget).__name__
        self._console.notify(f"{name} can't be drawn and is hidden. ctrl+r shows it again.", severity="error", markup=False)

    def _tell(self, error: Exception) -> None:
        """Open a report, where none is open."""
        from tenantai.tui.screens.report import Report  # noqa: PLC0415  the first frame does not wait for it

        if self._opening is not None or self._open_report() is not None:
            self._tell_of_another()
            return
        self._opening = Report(error)
        self._console.call_later(partial(self._push, self._opening))

    async def _push(self, report: "Report") -> None:
        try:
            await self._console.push_screen(report)
        finally:
            self._opening = None
            self._add_untold()

    def _tell_of_another(self) -> None:
        """Count a fault in the open report; however many come, one message at a time says so."""
        self._untold += 1
        if self._untold == 1 and self._opening is None:
            self._console.call_later(self._add_untold)

    def _add_untold(self) -> None:
        count, self._untold = self._untold, 0
        if count and (report := self._open_report()) is not None:
            report.more += count

    def _open_report(self) -> "Report | None":
        from tenantai.tui.screens.report import Report  # noqa: PLC0415

        return next((screen for screen in self._console.screen_stack if isinstance(screen, Report)), None)


def _frames(error: BaseException) -> Iterator[FrameType]:
    """Yield what was under way, the innermost last."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _widget_of(frames: list[FrameType]) -> Widget | None:
    """Return the widget that failed: the innermost that was at work."""
    selves = (frame.f_locals.get("self") for frame in reversed(frames))
    return next((one for one in selves if isinstance(one, Widget) and not isinstance(one, Screen)), None)


def _place_of(error: BaseException, frames: list[FrameType]) -> str:
    """Return what tells a fault from another: its kind, and the function that it came from."""
    code = frames[-1].f_code if frames else None
    return f"{type(error).__name__} {code.co_filename}:{code.co_name}" if code else type(error).__name__


def _blank(crop: Region) -> list[Strip]:
    return [Strip.blank(crop.width)] * crop.height
