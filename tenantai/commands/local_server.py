"""A server in a process of its own, for as long as a command needs it."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tenantai.commands.terminal import Failed

SERVING = re.compile(r"tenantai \S+ serving on (http://\S+)")
START_SECONDS = 120
STOP_SECONDS = 15
LOG_TAIL_BYTES = 4000


@asynccontextmanager
async def local_server(data_dir: Path, *, log: Path, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """Start a server on a data folder and yield its address; it is stopped at the end, whatever happens. Raises Failed."""
    command = (sys.executable, "-m", "tenantai", "serve", "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data_dir))
    with os.fdopen(os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab") as errors:
        began_at = os.fstat(errors.fileno()).st_size
        # A session of its own: Ctrl-C reaches us alone, and we stop the server once.
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        yield await _address(process, log, began_at)
    finally:
        await asyncio.shield(_stop(process))


async def _address(process: asyncio.subprocess.Process, log: Path, began_at: int) -> str:
    """Wait for the server's line; raises Failed with the server's own last sentence where it ends instead."""
    if process.stdout is None:
        raise Failed("The server's output can't be read.")
    try:
        async with asyncio.timeout(START_SECONDS):
            line = (await process.stdout.readline()).decode(errors="replace")
    except TimeoutError as error:
        raise Failed(f"The server did not start within {START_SECONDS} seconds. Its log: {log}") from error
    found = SERVING.match(line)
    if found is None:
        said = (await asyncio.to_thread(_tail, log, began_at)).removeprefix("Error: ")
        raise Failed(said or f"The server ended before it served. Its log: {log}")
    return found[1]


async def _stop(process: asyncio.subprocess.Process) -> None:
    for stop in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(stop)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
            return


def _tail(log: Path, began_at: int) -> str:
    """Return the last line that was written to the log since then."""
    with log.open("rb") as lines:
        lines.seek(max(began_at, log.stat().st_size - LOG_TAIL_BYTES))
        written = lines.read().decode(errors="replace").strip().splitlines()
    return written[-1] if written else ""
