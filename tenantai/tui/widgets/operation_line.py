"""The operation of a store as one line: how far it is, at what rate, what is left, and with which file."""

import time
from collections import deque
from typing import ClassVar

from textual.content import Content
from textual.widgets import Static

from tenantai.tui import shown
from tenantai.wire.files import Progress

CELLS = 14
RATE_SECONDS = 15.0


class OperationLine(Static):
    """A bar and its figures; without an operation it takes no room."""

    DEFAULT_CSS: ClassVar[str] = """
    OperationLine { height: 1; padding: 0 1; display: none; text-wrap: nowrap; text-overflow: ellipsis; }
    OperationLine.shown { display: block; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False, id="operation")
        self.progress: Progress | None = None
        self.text = ""
        self._seen: deque[tuple[float, str | None, int]] = deque()

    def say(self, progress: Progress) -> None:
        """Show how far it is."""
        self.progress = progress
        self._note(progress)
        is_running = progress.status == "in_progress"
        parts = running_parts(progress, rate=self._rate()) if is_running else ended_parts(progress)
        bar = bar_of(progress.percentage) if is_running else ""
        has_failed = progress.status == "failed" and not is_cancelled(progress)
        tone = "$text-error" if has_failed else "$text-accent" if is_running else "$text-muted"
        self.text = " · ".join(parts)
        self._put(Content.assemble((f"{bar} " if bar else "", "$text-accent"), (self.text, tone)))

    def say_sending(self, text: str) -> None:
        """Show what is sent to the server before there is an operation."""
        self.text = text
        self._put(Content.styled(text, "$text-accent"))

    def _put(self, content: Content) -> None:
        self.update(content)
        self.set_class(bool(self.text), "shown")

    def _note(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._seen and self._seen[-1][1] != progress.operation_id:
            self._seen.clear()
        self._seen.append((now, progress.operation_id, progress.processed_files))
        while now - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()

    def _rate(self) -> float | None:
        """Return the files a second of late, None where that can't be told."""
        (began, _, before), (ended, _, after) = self._seen[0], self._seen[-1]
        return (after - before) / (ended - began) if after > before and ended > began else None


def bar_of(percentage: float, *, cells: int = CELLS) -> str:
    """Return a bar."""
    full = round(max(0.0, min(percentage, 100.0)) / 100 * cells)
    return "█" * full + "░" * (cells - full)


def running_parts(progress: Progress, *, rate: float | None) -> list[str]:
    """Return what there is to say of an operation in progress."""
    failed = [f"{progress.failed_files} failed"] if progress.failed_files else []
    more = f"and {progress.current_files - 1} more" if progress.current_file and progress.current_files > 1 else None
    what = " ".join(shown.line(part, most=60) for part in (progress.stage, progress.current_file, more) if part)
    pace = [] if rate is None else [f"{rate:.1f} files/s" if rate < 10 else f"{rate:.0f} files/s"]  # noqa: PLR2004  one digit is enough
    left = [] if progress.eta_seconds is None else [f"{shown.duration(progress.eta_seconds)} left"]
    counted = f"{progress.percentage:.0f} %  {progress.processed_files} of {shown.files(progress.total_files)}"
    return [counted, *failed, *pace, *left, what]


def ended_parts(progress: Progress) -> list[str]:
    """Return what there is to say of an operation that has ended; nothing where there was none."""
    if progress.status == "idle":
        return []
    word = "Completed" if progress.status == "completed" else "Cancelled" if is_cancelled(progress) else "Failed"
    failed = [f"{progress.failed_files} failed"] if progress.failed_files else []
    why = [shown.line(progress.report.error)] if progress.report is not None and progress.report.error else []
    return [f"{word} {shown.when(progress.finished_at)}", shown.files(progress.total_files), *failed, *why]


def is_cancelled(progress: Progress) -> bool:
    """Tell whether it ended because a person wanted it to; its status says only that it is not whole."""
    return progress.stage == "cancelled"
