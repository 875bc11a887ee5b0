"""How far the sending of files is, as a line: they go one after the other."""

import time
from collections.abc import Callable
from pathlib import Path

from tenantai.pace import Pace
from tenantai.tui import shown
from tenantai.tui.widgets.operation_line import bar_of

TOLD_EVERY_SECONDS = 0.2


class Sending:
    """Tells of each file as it is begun, and then a few times a second how far it is."""

    def __init__(self, files: int, tell: Callable[[str], object]) -> None:
        self._files = files
        self._tell = tell
        self._at, self._name = 0, ""
        self._pace = Pace()
        self._told_at = 0.0

    def begin(self, at: int, path: Path) -> None:
        """Take note that the next file is sent."""
        self._at, self._name, self._pace = at, path.name, Pace()
        self._told_at = time.monotonic()
        self._tell(f"Sending {at + 1} of {self._files}: {shown.line(path.name, most=60)}")

    def paused(self, seconds: int) -> None:
        """Take note that the file waits, since it would pass the limit of a minute."""
        self._pace = Pace()
        waits = f"waits {seconds} s, for the minute's requests are used up"
        self._tell(f"Sending {self._at + 1} of {self._files}: {shown.line(self._name, most=60)} {waits}")

    def sent(self, done: int, total: int) -> None:
        """Take note of how many bytes of the file were handed on."""
        moment = time.monotonic()
        self._pace.note(done, moment)
        if done >= total or moment - self._told_at >= TOLD_EVERY_SECONDS:
            self._told_at = moment
            self._tell(self._text(done, total, moment))

    def _text(self, done: int, total: int, moment: float) -> str:
        share = 100 * done / total if total else 100.0
        rate, left = self._pace.rate(moment), self._pace.seconds_left(total, moment)
        parts = [
            f"{bar_of(share)} {share:.0f} %  Sending {self._at + 1} of {self._files}",
            *([f"{shown.size(rate)}/s"] if rate is not None else []),
            *([f"{shown.duration(left)} left"] if left is not None and done < total else []),
            *(["the server takes it in"] if done >= total else []),
            shown.line(self._name, most=60),
            f"{shown.size(done)} of {shown.size(total)}",
        ]
        return " · ".join(parts)
