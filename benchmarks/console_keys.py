"""From writing a key into the console's terminal to the frame that shows what it did, a hundred thousand rows behind."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from statistics import median

from benchmarks.figures import Figure
from benchmarks.long_list import COUNT, document
from benchmarks.terminal import Terminal, running

ROUNDS = 15
COLUMNS, LINES = 120, 36
LIMIT_MS = 50
NAME = re.compile(r"\d{6} [a-j]\d+\.pdf")
IN_SLICES = frozenset({"filter, no text known", "filter", "sort"})
GOING_ON = "Looking on"
Timed = tuple[float, float]
"""Seconds to the first frame that shows an effect, and to the one that shows all of it."""


def key_figures(environment: Mapping[str, str]) -> list[Figure]:
    """Press keys, each many times."""
    command = [sys.executable, "-m", "benchmarks.long_list"]
    found: dict[str, list[Timed]] = {}
    with running(command, columns=COLUMNS, lines=LINES, environment=environment) as terminal:
        terminal.until(lambda: document(0).name in "\n".join(terminal.rows))
        terminal.rest(0.3)
        for name, timed in _pressed(Keyboard(terminal)):
            found.setdefault(name, []).append(timed)
    return [figure for name, times in found.items() for figure in _figures(name, times)]


def _figures(name: str, times: list[Timed]) -> list[Figure]:
    firsts, wholes = [first * 1000 for first, _ in times], [whole * 1000 for _, whole in times]
    how = f"of {len(times)}; a pseudo-terminal of {COLUMNS} by {LINES}, {COUNT:,} rows"
    figures = [
        Figure(f"{name}: median", median(firsts), "ms", how, below=LIMIT_MS),
        Figure(f"{name}: worst", max(firsts), "ms", how, below=LIMIT_MS),
    ]
    if name in IN_SLICES:
        figures.append(
            Figure(f"{name}: until the last row, worst", max(wholes), "ms", "slices of 10 ms, frames and keys in between")
        )
    return figures


def _pressed(keyboard: "Keyboard") -> Iterator[tuple[str, Timed]]:
    """Press all that is measured; what it is, and how long it took."""
    yield "filter, no text known", keyboard.filtered("a")
    for turn in range(ROUNDS):
        yield "filter", keyboard.filtered("abcdefghij0123456789"[turn])
    keyboard.untimed("g")
    for turn in range(ROUNDS):
        yield "down", keyboard.moved("j", turn + 1)
    for _ in range(ROUNDS):
        yield "page down", keyboard.moved("\x1b[6~", None)
    for _ in range(ROUNDS):
        yield "G", keyboard.moved("G", COUNT - 1)
        yield "g", keyboard.moved("g", 0)
    for turn in range(ROUNDS):
        yield "mark", keyboard.marked(turn)
    for turn in range(ROUNDS):
        yield "down, rows marked", keyboard.moved("j", ROUNDS + turn + 1)
    for _ in range(4):
        for arrow in "▲▼ ":
            yield "sort", keyboard.sorted(arrow)
        keyboard.untimed("l")


class Keyboard:
    """What a person presses, and until when they see it."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._cursor_style = terminal.style_of(document(0).name)

    def untimed(self, keys: str) -> None:
        """Press keys."""
        self._terminal.press(keys)
        self._terminal.rest()

    def moved(self, keys: str, to: int | None) -> Timed:
        """Move: until the cursor is drawn on a row, or on another one than before."""
        before = self._row_under_cursor()
        return self._timed(
            keys, lambda: self._row_under_cursor() not in {None, before} if to is None else self._row_under_cursor() == to
        )

    def marked(self, number: int) -> Timed:
        """Mark: until the mark is drawn."""
        return self._timed(" ", lambda: f"● {document(number).name}" in self._screen())

    def filtered(self, letter: str) -> Timed:
        """Open the filter, and type a letter at once: until every row on the screen has it."""
        self._terminal.press("/")
        self._terminal.until(lambda: "Esc clears" in self._screen())
        timed = self._timed(letter, lambda: f"with “{letter}”" in self._screen())
        self._terminal.press("\x1b")
        self._terminal.until(lambda: "with “" not in self._screen())
        self._terminal.rest()
        return timed

    def sorted(self, arrow: str) -> Timed:
        """Sort: until the title shows which way."""
        return self._timed("o", lambda: arrow in self._screen() if arrow.strip() else not {"▲", "▼"} & set(self._screen()))

    def _timed(self, keys: str, condition: Callable[[], object]) -> Timed:
        began = self._terminal.press(keys)
        first = self._terminal.until(condition) - began
        self._terminal.rest()
        if GOING_ON in self._screen():
            self._terminal.until(lambda: GOING_ON not in self._screen())
        return first, self._terminal.read_at - began

    def _screen(self) -> str:
        return "\n".join(self._terminal.rows)

    def _row_under_cursor(self) -> int | None:
        names = NAME.findall(self._screen())
        return next((int(name[:6]) for name in names if self._terminal.style_of(name) == self._cursor_style), None)
