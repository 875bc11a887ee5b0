"""What a benchmark returns: figures, each with how it was measured and what it must reach."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; `at_least` or `below` is its target, where it has one."""

    name: str
    value: float
    unit: str
    how: str
    at_least: float | None = None
    below: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is reached, empty without one."""
        if self.at_least is None and self.below is None:
            return ""
        reached = (self.at_least is None or self.value >= self.at_least) and (self.below is None or self.value < self.below)
        return "reached" if reached else "MISSED"

    @property
    def target(self) -> str:
        """The target as people write it."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"< {self.below:g}" if self.below is not None else ""

    def json_ready(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A benchmark that cannot run here, and why."""

    reason: str


Outcome = Sequence[Figure] | Skipped


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of rounds that were run in pairs."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))
