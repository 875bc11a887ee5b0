"""How this program was called, so that what it advises can be typed as it stands."""

import re
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

NAME = "tenantai"
AS_IT_STANDS = "\b"  # click breaks no line of a paragraph that begins with it
NAMED = re.compile(rf"(?<![\w./-])(?:python -m {NAME}|(?<=`){NAME})(?= [a-z])")


def example(arguments: str) -> str:
    """Return the line of a command's help that shows how it is used."""
    return f"{AS_IT_STANDS}\nExample: {program()} {arguments}"


def as_called(sentence: str) -> str:
    """Return a sentence whose commands, written `tenantai COMMAND` or python -m tenantai COMMAND, can be typed here."""
    return NAMED.sub(lambda _: program(), sentence)


@cache
def program() -> str:
    """Return how the program is called from the working folder: by its name where that is found, else by its path."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == NAME:
        return f"{_typed(Path(sys.executable))} -m {NAME}"
    return _typed(called.absolute()) if called.name == NAME else NAME


def _typed(executable: Path) -> str:
    found = shutil.which(executable.name)
    if found is not None and Path(found) == executable:
        return executable.name
    folder = Path.cwd()
    return shlex.quote(str(executable.relative_to(folder) if executable.is_relative_to(folder) else executable))


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as Ctrl-C does, so that nothing half made stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
