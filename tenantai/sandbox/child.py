"""The child's side of a sandbox: one job a line on stdin, one framed answer each on stdout.

It ends when stdin closes, also in the middle of a job, so a server that was killed leaves nothing behind.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from tenantai.sandbox.frames import dumped, framed

NICENESS = 10
Answer = Callable[[dict[str, Any]], Iterable[bytes]]
"""Does a job; its frames, the first of them a head that says how many follow (`frames`). It raises nothing."""
Note = Callable[[list[str | int]], None]
"""Says something to whoever waits for the answer, before it comes."""


def serve(answer: Answer) -> None:
    """Do jobs until stdin closes; the first argument of the process is the memory limit in bytes."""
    serve_telling(lambda job, _note: answer(job))


def serve_telling(answer: Callable[[dict[str, Any], Note], Iterable[bytes]]) -> None:
    """Do jobs as `serve` does, and let them say meanwhile how far they are."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _step_back()
    _limit_memory(int(sys.argv[1]))
    answers = _take_stdout()
    jobs: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(jobs,), daemon=True).start()

    def note(words: list[str | int]) -> None:
        answers.write(framed(dumped({"note": words})))
        answers.flush()

    while True:
        for frame in answer(json.loads(jobs.get()), note):
            answers.write(frame)
        answers.flush()


def _step_back() -> None:
    """Leave the processor to the server where both want it: its event loop answers everyone, a job is one request's."""
    with contextlib.suppress(AttributeError, OSError):  # Windows has no niceness
        os.nice(NICENESS)


def _take_stdout() -> BinaryIO:
    """A private copy of stdout; whatever a library prints goes to stderr and cannot spoil an answer."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _listen(jobs: "SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        jobs.put(line)
    os._exit(0)


def _limit_memory(limit_bytes: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no resource, macOS refuses RLIMIT_AS
        import resource  # noqa: PLC0415

        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
