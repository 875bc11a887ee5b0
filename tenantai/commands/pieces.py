"""Files that come in pieces: to a file, whole or not at all, or to stdout."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tenantai.commands.terminal import Misused, plain, say, show

FORMS = ("csv", "jsonl", "parquet")


async def write_out(pieces: AsyncIterator[bytes], output: Path | None, *, form: str) -> None:
    """Put pieces where they are wanted; raises Misused where they are no text and stdout is a terminal."""
    if output is None:
        if form == "parquet" and sys.stdout.isatty():
            raise Misused("A Parquet file is not for a terminal. Name a file with --output.")
        await _print(pieces)
        return
    await _save(pieces, output)
    say(f"Exported to {output}.")


async def _print(pieces: AsyncIterator[bytes]) -> None:
    """Put a file on stdout: its bytes into a pipe, its text without control characters onto a terminal."""
    async for piece in pieces:
        if sys.stdout.isatty():
            show(plain(piece.decode("utf-8", "replace")), end="")
        else:
            sys.stdout.buffer.write(piece)
    sys.stdout.flush()


async def _save(pieces: AsyncIterator[bytes], output: Path) -> None:
    """Write a file whole or not at all."""
    half = output.with_name(f"{output.name}.part")
    try:
        with half.open("wb") as file:
            async for piece in pieces:
                file.write(piece)
        half.replace(output)
    finally:
        half.unlink(missing_ok=True)
