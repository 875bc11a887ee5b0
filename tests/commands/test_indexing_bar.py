"""The bars of `--watch`: one for all of it, one for each file under way."""

import io
from collections.abc import AsyncIterator

from rich.console import Console

from tenantai.commands.indexing_bar import _bar
from tenantai.wire.files import FileProgress, Progress


def file(name: str, percentage: float) -> FileProgress:
    return FileProgress(
        id=name,
        name=name,
        stage="embedding",
        percentage=percentage,
        done=64,
        total=640,
        rate=32.4,
        rate_unit="chunks_per_second",
        eta_seconds=18.0,
    )


def state(*files: FileProgress, processed: int = 0) -> Progress:
    return Progress(
        status="in_progress",
        percentage=10.0,
        processed_files=processed,
        total_files=3,
        failed_files=0,
        current_file=files[0].name if files else None,
        current_files=len(files),
        stage="embedding",
        eta_seconds=None,
        operation_id="1",
        started_at=None,
        finished_at=None,
        files=files,
    )


async def test_a_bar_for_each_file() -> None:
    """A file has its bar while it is under way, its name drawn harmless; the last state is returned."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=120, color_system=None)
    states = [state(file("a.txt", 20), file("[red]\x1b[2Jb.txt", 30)), state(file("c.txt", 40), processed=2), state(processed=3)]

    async def told() -> AsyncIterator[Progress]:
        for one in states:
            yield one
            bars_shown()

    def bars_shown() -> None:
        assert console._live_stack[-1] is not None
        console._live_stack[-1].refresh()

    assert await _bar(told(), console) == states[-1]
    text = written.getvalue()
    assert "0 of 3 files" in text
    assert "a.txt, 32 chunks/s, 18 s left" in text
    assert "[red]b.txt" in text
    assert "\x1b[2Jb.txt" not in text
    last = text[text.index("2 of 3 files") :]
    assert "c.txt" in last
    assert "a.txt" not in last
