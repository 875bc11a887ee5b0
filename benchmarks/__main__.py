"""Runs the benchmarks that are named, or all: `python -m benchmarks [NAME…]`; prints tables and writes results.json.

What must stay true: each benchmark runs in a process of its own, and a run of some leaves the results of the others as they were.
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.apart import run_apart
from benchmarks.figures import Figure, Outcome, Skipped

NAMES = ("http_get", "relay", "retrieval", "answers", "search_scale", "indexing", "startup", "analytics", "estimator", "console")
RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    """Run what is asked for; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the product; targets are in the README.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}; all without one")
    wanted = parser.parse_args().names or list(NAMES)
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    missed = False
    for name in wanted:
        began = time.monotonic()
        outcome = run_apart(name)
        _show(name, outcome, time.monotonic() - began)
        _record(name, outcome)
        missed |= not isinstance(outcome, Skipped) and any(figure.verdict == "MISSED" for figure in outcome)
    return 1 if missed else 0


def _show(name: str, outcome: Outcome, seconds: float) -> None:
    if isinstance(outcome, Skipped):
        print(f"{name}: skipped, {outcome.reason}")
        return
    table = Table(title=f"{name} ({seconds:.0f} s)", title_justify="left")
    for column in ("figure", "value", "unit", "target", "", "how"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for figure in outcome:
        table.add_row(figure.name, _shown(figure), figure.unit, figure.target, figure.verdict, figure.how)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _shown(figure: Figure) -> str:
    return f"{figure.value:,.0f}" if abs(figure.value) >= 1000 else f"{figure.value:.3g}"


def _record(name: str, outcome: Outcome) -> None:
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    entry: dict[str, Any] = {"skipped": outcome.reason} if isinstance(outcome, Skipped) else {
        "figures": [figure.json_ready() for figure in outcome]
    }  # fmt: skip
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    results[name] = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine, **entry}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
