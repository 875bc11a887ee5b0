"""A server on this machine, started by the console where none runs; and the key of its operator.

What must stay true: a server that the console started ends with it, orderly; its key is read, never shown or kept.
"""

import asyncio
import re
import sys
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

SERVING = re.compile(rb"serving on (http://\S+)")
START_SECONDS = 120.0
STOP_SECONDS = 15.0
OPERATOR_KEY = "operator.key"
HTTP_PORT = 80


class NotStarted(Exception):  # noqa: N818  reads as a sentence
    """The server did not come up; the text says why."""


class LocalServer:
    """A `serve` process of our own."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, port: int, data_dir: Path | None = None) -> str:
        """Start it and return its address once it takes requests; raises NotStarted."""
        command = [sys.executable, "-m", "tenantai", "serve", "--port", str(port)]
        if data_dir is not None:
            command += ["--data-dir", str(data_dir)]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
        )
        self._process = process
        assert process.stdout is not None  # noqa: S101  it was asked for
        assert process.stderr is not None  # noqa: S101
        said = asyncio.create_task(_last_lines(process.stderr))
        try:
            async with asyncio.timeout(START_SECONDS):
                while line := await process.stdout.readline():
                    if found := SERVING.search(line):
                        return found[1].decode()
        except TimeoutError:
            await self.stop()
            raise NotStarted("The server did not get ready in time. Start it by hand to see why: tenantai serve") from None
        await process.wait()
        raise NotStarted((await said) or "The server ended at once. Start it by hand to see why: tenantai serve")

    async def stop(self) -> None:
        """End it, if it was started: orderly, and by force where it does not end in time."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _last_lines(stream: asyncio.StreamReader) -> str:
    """Read a stream to its end and return the last line that says something."""
    last = ""
    while line := await stream.readline():
        last = line.decode(errors="replace").strip() or last
    return last


def port_here(url: str) -> int | None:
    """Return the port of an address at which a server of this machine would answer; None for any other address."""
    with suppress(ValueError):
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "http" and parts.path in {"", "/"} and (host == "localhost" or ip_address(host).is_loopback):
            return parts.port or HTTP_PORT
    return None


def operator_key(data_dir: Path | None) -> str | None:
    """Return the operator's key of a data folder on this machine, where this user may read it."""
    with suppress(OSError, UnicodeDecodeError):
        folder = data_dir if data_dir is not None else default_data_dir()
        return (folder / OPERATOR_KEY).read_text(encoding="utf-8").strip() or None
    return None


def default_data_dir() -> Path:
    """Return the data folder of a server that is started without naming one."""
    from tenantai.settings import Settings  # noqa: PLC0415  the first frame does not wait for it

    return Settings().data_dir
