"""How far indexing is, live: bars on a terminal, for all of it and for each file under way, else a line for each file done."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from tenantai.commands.terminal import console, counted, one_line, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from tenantai.client import Client
    from tenantai.wire.files import FileProgress, Progress


GOES_ON = "The server goes on with it. See how far it is: `tenantai store progress --watch`"


async def watch_indexing(client: "Client", tenant_id: str) -> "Progress | None":
    """Show a store's progress to its end, as `show_indexing` does; who stops watching is told that it goes on."""
    try:
        return await show_indexing(client.store.live_progress(tenant_id))
    except asyncio.CancelledError:
        say(GOES_ON)
        raise


async def show_indexing(states: "AsyncIterator[Progress]", *, on_stderr: bool = True) -> "Progress | None":
    """Show progress until it ends; returns its last state."""
    to = console(on_stderr=on_stderr)
    return await (_bar(states, to) if to.is_terminal else _lines(states, to))


async def _bar(states: "AsyncIterator[Progress]", to: "Console") -> "Progress | None":
    from rich import progress as bars  # noqa: PLC0415  a tenth of a second that `--help` need not pay

    last = None
    said = bars.TextColumn("{task.description}", markup=False)
    columns = (bars.TextColumn("{task.fields[stage]}"), bars.BarColumn(), bars.TaskProgressColumn(), said)
    with bars.Progress(*columns, console=to, transient=True) as shown:
        whole, of_files = shown.add_task("", total=100, stage="indexing"), dict[str, "TaskID"]()
        async for last in states:
            shown.update(whole, completed=last.percentage, description=_now(last))
            _show_files(shown, of_files, last.files)
    return last


def _show_files(shown: "Bars", of_files: "dict[str, TaskID]", files: "Sequence[FileProgress]") -> None:
    """Give each file that is under way its bar, and take away those of the others."""
    for file_id in of_files.keys() - {file.id for file in files}:
        shown.remove_task(of_files.pop(file_id))
    for file in files:
        if file.id not in of_files:
            of_files[file.id] = shown.add_task("", total=100, stage=file.stage)
        shown.update(of_files[file.id], completed=file.percentage, stage=file.stage, description=_of(file))


async def _lines(states: "AsyncIterator[Progress]", to: "Console") -> "Progress | None":
    last, told = None, -1
    async for last in states:
        if last.processed_files != told:
            told = last.processed_files
            to.print(f"indexing: {told} of {counted(last.total_files, 'file')} ({last.percentage:.0f} %)")
    return last


def _now(state: "Progress") -> str:
    counted_files = f"{state.processed_files} of {counted(state.total_files, 'file')}"
    return counted_files if state.files else one_line(f"{counted_files} {state.stage or ''}", characters_max=60)


def _of(file: "FileProgress") -> str:
    unit = (file.rate_unit or "").removesuffix("_per_second")
    rate = [f"{file.rate:.0f} {unit}/s"] if file.rate is not None else []
    left = [f"{file.eta_seconds:.0f} s left"] if file.eta_seconds is not None else []
    return ", ".join([one_line(file.name, characters_max=40), *rate, *left])
