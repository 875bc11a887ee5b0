"""The server's side of extraction: one child process at a time, replaced after a time limit, a crash or many files."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed
from tenantai.rag.extraction.answers import LENGTH, decode_answer

TIME_LIMIT_SECONDS = 60.0
MEMORY_LIMIT_BYTES = 2 * 1024**3
FILES_PER_CHILD = 200
FRAME_BYTES_MAX = 8 * 1024**2  # more than any honest frame: see answers
# The child reads hostile files: it gets no keys or other secrets that the server's environment may hold.
ENVIRONMENT_KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


class ExtractionPool:
    """Reads files in a child process that is started at first use; calls queue up for it."""

    def __init__(
        self,
        *,
        time_limit_seconds: float = TIME_LIMIT_SECONDS,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        files_per_child: int = FILES_PER_CHILD,
    ) -> None:
        self._time_limit_seconds = time_limit_seconds
        self._memory_limit_bytes = memory_limit_bytes
        self._files_per_child = files_per_child
        self._turn = asyncio.Lock()
        self._child: _Child | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def extract(self, path: Path, *, name: str) -> ExtractedDocument:
        """The document in the file at `path`, which was uploaded as `name`; raises ExtractionFailed."""
        async with self._turn:
            head, bodies = await self._ask({"path": str(path), "name": name})
        return await asyncio.to_thread(decode_answer, head, bodies)

    async def close(self) -> None:
        """End the child process and wait until it is gone."""
        self._retire()
        while self._ending:
            await asyncio.wait(self._ending)

    async def _ask(self, request: dict[str, str]) -> tuple[dict[str, Any], list[bytes]]:
        answered = False
        try:
            async with asyncio.timeout(self._time_limit_seconds):
                child = await self._started()
                answer = await child.ask(request)
            answered = True
        except TimeoutError:
            raise ExtractionFailed(
                "time_limit", f"Reading the file took longer than {self._time_limit_seconds:g} seconds and was stopped."
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, KeyError) as gone:
            raise ExtractionFailed("crashed", "The file could not be read: its reader crashed on it.") from gone
        finally:
            if not answered or child.answered_count >= self._files_per_child:
                self._retire()
        return answer

    async def _started(self) -> "_Child":
        if self._child is not None and self._child.process.returncode is not None:
            self._retire()
        if self._child is None:
            self._child = _Child(await _start(self._memory_limit_bytes))
        return self._child

    def _retire(self) -> None:
        """Kill the child, if there is one; a task waits for its end, so that a cancelled caller need not."""
        if self._child is None:
            return
        ending = asyncio.create_task(self._child.end())
        self._child = None
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


@dataclass(slots=True)
class _Child:
    """A running child process and how many files it has answered for."""

    process: Process
    answered_count: int = 0

    async def ask(self, request: dict[str, str]) -> tuple[dict[str, Any], list[bytes]]:
        """The head and the undecoded bodies of the answer to a request."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise ConnectionError
        stdin.write(json.dumps(request).encode() + b"\n")
        await stdin.drain()
        head = json.loads(await _read_frame(stdout))
        bodies = [await _read_frame(stdout) for _ in range(head["text_pieces"] + head["block_pieces"])]
        self.answered_count += 1
        return head, bodies

    async def end(self) -> None:
        """Kill the process and wait for it; its pipes are drained, for asyncio reports an end only after theirs."""
        with suppress(ProcessLookupError):
            self.process.kill()
        with suppress(ConnectionError):
            await self.process.communicate()


async def _start(memory_limit_bytes: int) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tenantai.rag.extraction.child",
        str(memory_limit_bytes),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={name: os.environ[name] for name in ENVIRONMENT_KEPT if name in os.environ},
    )


async def _read_frame(stdout: asyncio.StreamReader) -> bytes:
    (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
    if length > FRAME_BYTES_MAX:
        raise ConnectionError
    return await stdout.readexactly(length)
