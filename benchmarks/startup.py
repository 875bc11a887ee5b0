"""From starting `tenantai serve` to the first 200 of /ready, and what the idle process then holds in memory.

The local model's files are in the data folder already, for fetching them measures the network. /ready asks the provider, so the
embedding model is loaded within the time.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, Outcome
from benchmarks.stores import MODEL, MODELS, minilm

RUNS = 7
IDLE_SECONDS = 2.0


async def measure() -> Outcome:
    """Start on an empty folder and on one that exists, in turns."""
    await (await minilm()).close()
    fresh: list[float] = []
    existing: list[float] = []
    listening: list[float] = []
    memory = 0.0
    with tempfile.TemporaryDirectory(prefix="tenantai-bench-") as kept:
        _give_model(Path(kept))
        for run in range(RUNS + 1):
            with tempfile.TemporaryDirectory(prefix="tenantai-bench-") as new:
                _give_model(Path(new))
                with _served(Path(new)) as (_, _listening, ready):
                    fresh.append(ready)
            with _served(Path(kept)) as (pid, heard, ready):
                existing.append(ready)
                listening.append(heard)
                if run == RUNS:
                    time.sleep(IDLE_SECONDS)  # noqa: ASYNC251  nothing else runs here
                    memory = _resident_megabytes(pid)
    how = f"median of {RUNS} starts in turns, after one that is not counted"
    return [
        Figure("start to ready, existing data folder", median(existing[1:]), "s", how, below=1.5),
        Figure("start to ready, empty data folder", median(fresh[1:]), "s", how, below=1.5),
        Figure("start to listening, existing data folder", median(listening[1:]), "s", "the line on stdout"),
        Figure("idle memory", memory, "MB", f"resident, {IDLE_SECONDS:g} s after ready, embedding model loaded"),
    ]


def _give_model(folder: Path) -> None:
    (folder / "models").mkdir()
    (folder / "models" / MODEL).symlink_to(MODELS / MODEL)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[int, float, float]]:
    """Serve on a folder; the process id, and the seconds to listening and to ready."""
    command = [sys.executable, "-m", "tenantai", "serve", "--port", "0", "--data-dir", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TENANTAI_", "GEMINI_", "GOOGLE_"))}
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            listening = time.perf_counter() - began
            _await_ready(line.split()[-1] + "/api/v1/ready")
            yield process.pid, listening, time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGTERM)


def _await_ready(url: str) -> None:
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                if response.status == 200:
                    return
        except urllib.error.URLError:
            time.sleep(0.005)


def _resident_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
