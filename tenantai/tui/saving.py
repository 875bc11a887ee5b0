"""Files that come in pieces, written beside the console into the user's own folder.

What must stay true: a file under its name is whole; one that breaks off is gone.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO


async def save(folder: Path, name: str, pieces: AsyncIterator[bytes]) -> Path:
    """Write a file that only its owner reads from its pieces; returns where it is. Raises OSError, and what the pieces raise."""
    path, unfinished = folder / name, folder / f".{name}.part"
    file = await asyncio.to_thread(_opened, unfinished)
    try:
        with file:
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
        await asyncio.to_thread(unfinished.replace, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return path


def _opened(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
