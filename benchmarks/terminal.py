"""A program in a pseudo-terminal, and what stands on its screen: enough of a terminal to read what Textual writes.

What must stay true: a moment is taken when bytes came, before they are read, so that reading costs the figure nothing.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

TOKENS = re.compile(
    r"\x1b\[(?P<place>\d*(?:;\d*)?)H|\x1b\[(?P<style>[\d;:]*)m|\x1b\[[<=>?\d;:$ ]*[@-~]"
    r"|\x1b[P\]_][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[()][A-Z0-9]|\x1b[=>78cDEMc]|(?P<line>[\r\n])|(?P<text>[^\x00-\x1f\x7f]+)|[\x00-\x1a\x1c-\x1f\x7f]"
)
UNFINISHED = re.compile(r"\x1b[^a-zA-Z\x07]*\Z")
HANG_SECONDS = 60.0


@dataclass
class Terminal:
    """The screen of a program, a style beside each character; when it was started, and when its last bytes came."""

    pid: int
    file: int
    columns: int
    lines: int
    began_at: float
    read_at: float = 0.0
    _text: list[list[str]] = field(default_factory=list)
    _styles: list[list[str]] = field(default_factory=list)
    _at: tuple[int, int] = (0, 0)
    _style: str = ""
    _left: bytes = b""

    def __post_init__(self) -> None:
        self._text = [[" "] * self.columns for _ in range(self.lines)]
        self._styles = [[""] * self.columns for _ in range(self.lines)]

    @property
    def rows(self) -> list[str]:
        """The lines as text."""
        return ["".join(row) for row in self._text]

    def style_of(self, words: str) -> str | None:
        """Return the style in which words stand on the screen, None where they do not."""
        for at, row in enumerate(self.rows):
            if (column := row.find(words)) >= 0:
                return self._styles[at][column]
        return None

    def press(self, keys: str) -> float:
        """Type keys; the moment at which they were."""
        moment = time.perf_counter()
        os.write(self.file, keys.encode())
        return moment

    def read(self, seconds: float) -> bool:
        """Take what the program wrote meanwhile, waiting so long for it; whether anything came."""
        if not select.select([self.file], [], [], seconds)[0]:
            return False
        data = os.read(self.file, 1 << 20)
        self.read_at = time.perf_counter()
        self._take(data)
        return True

    def until(self, condition: Callable[[], object]) -> float:
        """Read until the screen is so; the moment at which the bytes came that made it so."""
        end = time.perf_counter() + HANG_SECONDS
        while not condition():
            self.read(1.0)
            if time.perf_counter() > end:
                raise TimeoutError("The screen stayed so:\n" + "\n".join(self.rows))
        return self.read_at

    def rest(self, seconds: float = 0.15) -> None:
        """Read until nothing comes for so long."""
        while self.read(seconds):
            pass

    def _take(self, data: bytes) -> None:
        text = (self._left + data).decode(errors="ignore")
        cut = UNFINISHED.search(text)
        self._left = text[cut.start() :].encode() if cut else _tail(self._left + data)
        for token in TOKENS.finditer(text[: cut.start()] if cut else text):
            self._obey(token)

    def _obey(self, token: re.Match[str]) -> None:
        if (place := token["place"]) is not None:
            line, _, column = place.partition(";")
            self._at = int(line or 1) - 1, int(column or 1) - 1
        elif token["style"] is not None:
            self._style = token["style"] if token["style"] in {"", "0"} else f"{self._style};{token['style']}"
        elif token["line"] is not None:
            self._at = (self._at[0] + 1, self._at[1]) if token["line"] == "\n" else (self._at[0], 0)
        elif token["text"] is not None:
            self._write(token["text"])

    def _write(self, text: str) -> None:
        line, column = self._at
        if 0 <= line < self.lines:
            fitting = text[: max(0, self.columns - column)]
            self._text[line][column : column + len(fitting)] = fitting
            self._styles[line][column : column + len(fitting)] = [self._style] * len(fitting)
        self._at = line, column + len(text)


def _tail(data: bytes) -> bytes:
    """Return the bytes of a character that has not come whole."""
    for count in range(1, min(4, len(data)) + 1):
        if data[-count] >= 0xC0:
            width = 2 if data[-count] < 0xE0 else 3 if data[-count] < 0xF0 else 4
            return data[-count:] if count < width else b""
    return b""


@contextmanager
def running(command: Sequence[str], *, columns: int, lines: int, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Run a program in a terminal while the block runs."""
    began_at = time.perf_counter()
    pid, file = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.execvpe(command[0], list(command), dict(environment))
    fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    try:
        yield Terminal(pid, file, columns, lines, began_at)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(file)


def cpu_seconds(pid: int) -> float:
    """Return how long a process has used a processor."""
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123  a line of the kernel's
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
