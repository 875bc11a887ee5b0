"""How far indexing is, live: a bar on a terminal, else a line for each file that is done."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tenantai.commands.terminal import console, counted, one_line

if TYPE_CHECKING:
    from rich.console import Console

    from tenantai.wire.files import Progress


async def show_indexing(states: "AsyncIterator[Progress]", *, on_stderr: bool = True) -> "Progress | None":
    """Show progress until it ends; returns its last state."""
    to = console(on_stderr=on_stderr)
    return await (_bar(states, to) if to.is_terminal else _lines(states, to))


async def _bar(states: "AsyncIterator[Progress]", to: "Console") -> "Progress | None":
    from rich import progress as bars  # noqa: PLC0415  a tenth of a second that `--help` need not pay

    last = None
    columns = (bars.TextColumn("indexing"), bars.BarColumn(), bars.TaskProgressColumn(), bars.TextColumn("{task.description}"))
    with bars.Progress(*columns, console=to, transient=True) as bar:
        task = bar.add_task("", total=100)
        async for last in states:
            bar.update(task, completed=last.percentage, description=_now(last))
    return last


async def _lines(states: "AsyncIterator[Progress]", to: "Console") -> "Progress | None":
    last, told = None, -1
    async for last in states:
        if last.processed_files != told:
            told = last.processed_files
            to.print(f"indexing: {told} of {counted(last.total_files, 'file')} ({last.percentage:.0f} %)")
    return last


def _now(state: "Progress") -> str:
    return one_line(f"{state.stage or ''} {state.current_file or ''}", characters_max=60)
