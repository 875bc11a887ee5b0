"""Words to people: data on stdout, talk on stderr.

What must stay true: nothing that a server or a document says reaches a terminal as a control sequence.
"""

import json
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from tenantai.commands.program import as_called

if TYPE_CHECKING:
    from rich.console import Console

CONTROLS = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
REORDERING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]")


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
yes_option = click.option("--yes", "is_sure", is_flag=True, help="Do it without asking.")


class Failed(click.ClickException):
    """A command that could not do what it was asked; its sentence goes to stderr, and the exit code is 1."""

    def __init__(self, message: str) -> None:
        super().__init__(as_called(plain(message)))


class Misused(Failed):
    """A command that was asked for something impossible; the exit code is 2."""

    exit_code = 2


def plain(text: str) -> str:
    """Return text without control and escape characters and without marks that reorder a line; line breaks stay."""
    return REORDERING.sub("", CONTROLS.sub("", text.replace("\r\n", "\n")))


def one_line(text: str, *, characters_max: int | None = None) -> str:
    """Return text on one line, cut at a word where it is too long."""
    line = " ".join(plain(text).split())
    if characters_max is None or len(line) <= characters_max:
        return line
    return line[:characters_max].rsplit(" ", 1)[0] + " …"


def say(text: str) -> None:
    """Tell the person something, on stderr."""
    click.echo(as_called(plain(text)), err=True)


def say_paused(seconds: int) -> None:
    """Tell that the next request waits."""
    say(f"The minute's requests are used up; going on in {seconds} s.")


def show(text: str, *, end: str = "\n") -> None:
    """Put data on stdout."""
    sys.stdout.write(plain(text) + end)
    sys.stdout.flush()


def show_json(value: Any) -> None:
    """Put a value on stdout as JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    sys.stdout.write(UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def show_record(record: Mapping[str, Any]) -> None:
    """Put a record on stdout, a line for each thing that it has."""
    for name, value in record.items():
        if value is not None:
            show(f"{name}: {one_line(_word(value))}")


def counted(count: int, noun: str) -> str:
    """Return so many of a thing, in words that fit one as well."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _word(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def confirm(question: str, *, is_sure: bool) -> None:
    """Ask before something is gone for good, unless `--yes` was given; raises Failed or Misused where it is not to be."""
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise Misused(f"{question} Add --yes to do it.")
    if not click.confirm(plain(question), err=True):
        raise Failed("Nothing was done.")


def console(*, on_stderr: bool = True) -> "Console":
    """Return a rich console that takes no markup from texts; it respects NO_COLOR and pipes."""
    from rich.console import Console  # noqa: PLC0415  a tenth of a second that `--help` need not pay

    return Console(stderr=on_stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)
