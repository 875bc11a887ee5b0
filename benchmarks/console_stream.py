"""How far a long answer lags behind what was said as the console draws it: each piece has a number to be read on the screen."""

import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from benchmarks.figures import Figure, quantile
from benchmarks.servers import started
from benchmarks.terminal import Terminal, cpu_seconds, running

RATE, PIECES = 200, 4000
COLUMNS, LINES = 120, 36
LIMIT = 0.25
NUMBER = re.compile(r"\bn(\d{4})\b")
BEGAN = re.compile(r"Began at (\d+\.\d+) of")


def stream_figures(environment: Mapping[str, str], *, pieces: int = PIECES) -> list[Figure]:
    """Ask for the answer in the place of chat, and watch it come."""
    answer = [piece for piece, _ in zip(_pieces(), range(pieces), strict=False)]
    with started("product", answer=answer, paced=RATE) as served:
        command = [sys.executable, "-m", "tenantai", "tui", "--url", served["url"], "--place", "chat"]
        given = {**environment, "TENANTAI_API_KEY": served["key"]}
        with running(command, columns=COLUMNS, lines=LINES, environment=given) as terminal:
            terminal.until(lambda: "Ask something about" in _screen(terminal))
            terminal.rest(0.3)
            watched = _watch(terminal, pieces)
    how = f"{pieces:,} pieces of Markdown (text, lists, code, tables) at {RATE}/s, pseudo-terminal of {COLUMNS} by {LINES}"
    lags = watched.lags
    return [
        Figure("lag at worst", max(lags), "s", how, below=LIMIT),
        Figure("lag of 99 % of the frames", quantile(lags, 0.99), "s", how),
        Figure("lag of the last piece", lags[-1], "s", "from when it was said to when it was drawn", below=LIMIT),
        Figure("frames that show something new", len(lags) / watched.seconds, "1/s", "counted while it streamed"),
        Figure("processor used by the console", watched.processor / watched.seconds * 100, "%", "of one core, while it streamed"),
    ]


@dataclass
class Watched:
    """What was seen of an answer: for each frame how old its oldest new piece was, and what the console used."""

    lags: list[float] = field(default_factory=list)
    seconds: float = 0.0
    processor: float = 0.0


def _watch(terminal: Terminal, pieces: int) -> Watched:
    watched, drawn = Watched(), -1
    terminal.press("Go on.")
    terminal.until(lambda: "Go on." in _screen(terminal))
    terminal.press("\r")
    terminal.until(lambda: BEGAN.search(_screen(terminal)))
    found = BEGAN.search(_screen(terminal))
    began = float(found[1]) if found else time.perf_counter()
    used = cpu_seconds(terminal.pid)
    while drawn < pieces - 1:
        terminal.until(partial(_is_past, terminal, drawn))
        watched.lags.append(terminal.read_at - (began + (drawn + 1) / RATE))
        drawn = _newest(terminal)
    watched.seconds, watched.processor = terminal.read_at - began, cpu_seconds(terminal.pid) - used
    return watched


def _is_past(terminal: Terminal, drawn: int) -> bool:
    return _newest(terminal) > drawn


def _screen(terminal: Terminal) -> str:
    return "\n".join(terminal.rows)


def _newest(terminal: Terminal) -> int:
    return max(map(int, NUMBER.findall(_screen(terminal))), default=-1)


def _pieces() -> Iterator[str]:
    """Yield pieces of Markdown, each with its number, on and on."""
    number = 0
    while True:
        for before, count, every, between in PARTS:
            for at in range(count):
                lead = before if at == 0 else between if at % every == 0 else " "
                yield f"{lead}n{number:04d}"
                number += 1


PARTS = (
    ("\n\n## A heading ", 1, 1, ""),
    ("\n\nA paragraph with **bold** words, `code` and a mark [1]: ", 120, 40, ".\n\nMore words of *another* paragraph "),
    ("\n\n- An item of a list ", 60, 6, "\n- Another item "),
    ("\n\n```python\ndef code():\n    ", 40, 4, "\n    "),
    ("\n```\n\n| one | two | three |\n|---|---|---|\n| ", 60, 3, " |\n| "),
    ("\n\n1. A numbered item ", 30, 3, "\n1. The next "),
)
"""The parts of an answer: how each begins, how many pieces it has, and what comes before each so-manieth of them."""
