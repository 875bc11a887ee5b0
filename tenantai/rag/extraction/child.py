"""The child process that reads files: one request a line on stdin, one framed answer each on stdout.

It ends when stdin closes, also in the middle of a file, so a server that was killed leaves nothing behind.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from tenantai.rag.documents import ExtractionFailed
from tenantai.rag.extraction.answers import document_frames, failure_frames
from tenantai.rag.extraction.reading import read

RECURSION_MAX = 3_000


def main() -> None:
    """Serve requests until stdin closes; the first argument is the memory limit in bytes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setrecursionlimit(RECURSION_MAX)
    _limit_memory(int(sys.argv[1]))
    answers = _take_stdout()
    requests: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        request = json.loads(requests.get())
        for frame in _answer(Path(request["path"]), name=request["name"]):
            answers.write(frame)
        answers.flush()


def _take_stdout() -> BinaryIO:
    """A private copy of stdout; whatever a library prints goes to stderr and cannot spoil an answer."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _listen(requests: "SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        requests.put(line)
    os._exit(0)


def _limit_memory(limit_bytes: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no resource, macOS refuses RLIMIT_AS
        import resource  # noqa: PLC0415

        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))


def _answer(path: Path, *, name: str) -> Iterator[bytes]:
    try:
        return document_frames(read(path, name=name))
    except ExtractionFailed as failed:
        return failure_frames(failed)
    except MemoryError:
        return failure_frames(ExtractionFailed("memory_limit", "The file needs more memory to be read than is allowed."))
    except Exception:  # noqa: BLE001  whatever a library does with a hostile file fails this file alone
        return failure_frames(ExtractionFailed("crashed", "The file could not be read: its reader failed on it."))


if __name__ == "__main__":
    main()
