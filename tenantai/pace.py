"""At what pace a count rises of late, and when it will be through: what the server tells of files, and the console of uploads.

What must stay true: a pace is told only of what was seen to rise, one that stalls slows down; it imports nothing of the product.
"""

from collections import deque

WINDOW_SECONDS = 15.0
SAMPLES_MAX = 64
APART_SECONDS = 0.2


class Pace:
    """A count that rises, with the times (of `time.monotonic`) at which it was noted."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES_MAX)

    def note(self, done: int, moment: float) -> None:
        """Note how much is done; what comes at once upon the last note takes its place."""
        if len(self._samples) > 1 and moment - self._samples[-2][0] < APART_SECONDS:
            self._samples.pop()
        self._samples.append((moment, done))
        while len(self._samples) > 2 and moment - self._samples[1][0] > WINDOW_SECONDS:  # noqa: PLR2004  two make a pace
            self._samples.popleft()

    def rate(self, moment: float) -> float | None:
        """Return how much is done a second, None while that can't be told."""
        if not self._samples:
            return None
        (began, before), (ended, after) = self._samples[0], self._samples[-1]
        silence = moment - ended
        span = ended - began if silence <= ended - began else moment - began
        return (after - before) / span if after > before and span >= APART_SECONDS else None

    def seconds_left(self, total: int, moment: float) -> float | None:
        """Return how long it will take until so much is done, None while that can't be told."""
        rate = self.rate(moment)
        if rate is None:
            return None
        ended, done = self._samples[-1]
        return max(0.0, (total - done) / rate - (moment - ended))
