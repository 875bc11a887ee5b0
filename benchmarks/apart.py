"""Runs a benchmark in a process of its own, so that none feels what another left in memory."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module

from benchmarks.figures import Outcome


def run_apart(name: str) -> Outcome:
    """Run a benchmark in a new process and return what it measured."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, name).result()


def _run(name: str) -> Outcome:
    outcome: Outcome = asyncio.run(import_module(f"benchmarks.{name}").measure())
    return outcome
