"""The server's side of a sandbox: one child process at a time, replaced after a time limit, a crash or many jobs.

What must stay true: a caller that is cancelled leaves no work behind, and nothing outlives `close`.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tenantai.sandbox.frames import LENGTH

FRAME_BYTES_MAX = 8 * 1024**2  # more than any honest frame
NOTES_MAX = 10_000  # more than any honest job sends
Noted = Callable[[object], None]
"""Takes a note of a child, which may be anything by now; raises ValueError where it is none."""
# The child reads hostile files: it gets no keys or other secrets that the server's environment may hold.
ENVIRONMENT_KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


class JobTooSlow(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """A job took longer than its time; its child is killed."""


class JobCrashed(Exception):  # noqa: N818
    """The child died over a job, or answered what can't be read."""


class Sandbox:
    """A child process that runs a module of ours, started at first use; calls queue up for it."""

    def __init__(self, module: str, *, time_limit_seconds: float, memory_limit_bytes: int, jobs_per_child: int) -> None:
        self.time_limit_seconds = time_limit_seconds
        self._module = module
        self._memory_limit_bytes = memory_limit_bytes
        self._jobs_per_child = jobs_per_child
        self._turn = asyncio.Lock()
        self._child: _Child | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The child's process id, None where there is none."""
        return self._child.process.pid if self._child else None

    async def ask(self, job: Mapping[str, Any], *, noted: Noted | None = None) -> tuple[dict[str, Any], list[bytes]]:
        """Return the head and the other frames of the answer to a job; raises JobTooSlow or JobCrashed."""
        async with self._turn:
            return await self._ask(job, noted)

    async def close(self) -> None:
        """End the child process and wait until it is gone."""
        self._retire()
        while self._ending:
            await asyncio.wait(self._ending)

    async def _ask(self, job: Mapping[str, Any], noted: Noted | None) -> tuple[dict[str, Any], list[bytes]]:
        answered = False
        try:
            async with asyncio.timeout(self.time_limit_seconds):
                child = await self._started()
                answer = await child.ask(job, noted)
            answered = True
        except TimeoutError:
            raise JobTooSlow from None
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, KeyError) as gone:
            raise JobCrashed from gone
        finally:
            if not answered or child.answered_count >= self._jobs_per_child:
                self._retire()
        return answer

    async def _started(self) -> "_Child":
        if self._child is not None and self._child.process.returncode is not None:
            self._retire()
        if self._child is None:
            self._child = _Child(await self._start())
        return self._child

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            str(self._memory_limit_bytes),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={name: os.environ[name] for name in ENVIRONMENT_KEPT if name in os.environ},
        )

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
    """A running child process and how many jobs it has answered."""

    process: Process
    answered_count: int = 0

    async def ask(self, job: Mapping[str, Any], noted: Noted | None) -> tuple[dict[str, Any], list[bytes]]:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise ConnectionError
        stdin.write(json.dumps(job).encode() + b"\n")
        await stdin.drain()
        head = await _read_head(stdout, noted)
        bodies = [await _read_frame(stdout) for _ in range(head["frames"])]
        self.answered_count += 1
        return head, bodies

    async def end(self) -> None:
        """Kill the process and wait for it; its pipes are drained, for asyncio reports an end only after theirs."""
        with suppress(ProcessLookupError):
            self.process.kill()
        with suppress(ConnectionError):
            await self.process.communicate()


async def _read_head(stdout: asyncio.StreamReader, noted: Noted | None) -> dict[str, Any]:
    """Return the first frame that is no note."""
    for _ in range(NOTES_MAX):
        head: dict[str, Any] = json.loads(await _read_frame(stdout))
        if "note" not in head:
            return head
        if noted is not None:
            noted(head["note"])
    raise ConnectionError


async def _read_frame(stdout: asyncio.StreamReader) -> bytes:
    (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
    if length > FRAME_BYTES_MAX:
        raise ConnectionError
    return await stdout.readexactly(length)
