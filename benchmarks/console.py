"""The console: its first frame, a key's effect on a hundred thousand rows, a fast answer's lag, memory after an hour's use."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from benchmarks.console_keys import key_figures
from benchmarks.console_stream import stream_figures
from benchmarks.figures import Figure, Outcome
from benchmarks.servers import started
from benchmarks.terminal import running

RUNS = 7
NOBODY = "http://127.0.0.1:1"
ROOT = Path(__file__).parents[1]
ACTIONS = 1800


async def measure() -> Outcome:
    """Measure one after the other: nothing else runs meanwhile."""
    with tempfile.TemporaryDirectory(prefix="tenantai-bench-") as home:
        environment = _environment(Path(home))
        return [
            *_first_frames(environment),
            *key_figures(environment),
            *stream_figures(environment),
            *_memory(environment),
        ]


def _environment(home: Path) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name in {"PATH", "VIRTUAL_ENV"}}
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    return {**given, **terminal, "HOME": str(home), "PYTHONPATH": str(ROOT)}


def _first_frames(environment: Mapping[str, str]) -> list[Figure]:
    how = f"median of {RUNS} after one that is not counted, from starting the process to the places in the terminal"
    with started("product") as served:
        online = {**environment, "TENANTAI_API_KEY": served["key"]}
        alone, served_too = [], []
        for _ in range(RUNS + 1):
            alone.append(_first_frame(NOBODY, environment))
            served_too.append(_first_frame(served["url"], online))
    return [
        Figure("first frame, no server", median(alone[1:]), "s", how, below=0.4),
        Figure("first frame, a server there", median(served_too[1:]), "s", how, below=0.4),
    ]


def _first_frame(url: str, environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-m", "tenantai", "tui", "--url", url]
    with running(command, columns=120, lines=36, environment=environment) as terminal:
        return terminal.until(lambda: "1Overview" in terminal.rows[0]) - terminal.began_at


def _memory(environment: Mapping[str, str]) -> list[Figure]:
    """Use the console, headless, for what a person does in an hour."""
    with started("product", answer=["Some **bold** words", ", a list:\n\n- one\n- two\n", "and [1] a mark."]) as served:
        command = [sys.executable, "-m", "benchmarks.console_hour", json.dumps({**served, "actions": ACTIONS})]
        told = json.loads(subprocess.run(command, env=dict(environment), capture_output=True, check=True, text=True).stdout)
    how = (
        f"{ACTIONS:,} actions in every place: keys, filters, dialogs, chats, tails; resident after a fifth of them and at the end"
    )
    return [
        Figure("memory after a fifth of an hour's use", told["first"], "MB", how),
        Figure("memory at its end", told["last"], "MB", how),
        Figure("its growth", (told["last"] / told["first"] - 1) * 100, "%", how, below=10),
    ]
