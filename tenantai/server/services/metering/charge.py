"""The tokens of one answer, counted while it is being said, so that a killed process loses those of its last second at most.

What must stay true: once an answer is settled, all that was written down of it adds up to what it came to, whatever was
estimated before; an answer that nobody settles any more is charged no further.
"""

from collections.abc import Callable

from tenantai.providers.protocols import Usage

NOTHING = Usage(0, 0)


class Charge:
    """What was written down of an answer, and what it has come to by now."""

    def __init__(self, write: Callable[[Usage], None], settled: Callable[[Usage], None], counted: Callable[[], Usage]) -> None:
        self._write = write
        self._settled = settled
        self._counted = counted
        self._charged = NOTHING
        self._is_open = True

    def so_far(self) -> None:
        """Write down what came since; where an estimate was too high, the end corrects it."""
        if not self._is_open:
            return
        now, before = self._counted(), self._charged
        asked, said = max(now.input_tokens, before.input_tokens), max(now.output_tokens, before.output_tokens)
        self._add(Usage(asked - before.input_tokens, said - before.output_tokens))

    def settle(self, whole: Usage) -> None:
        """Write down the rest of what the answer came to, less than nothing where too much was; once."""
        self._is_open = False
        before = self._charged
        self._add(Usage(whole.input_tokens - before.input_tokens, whole.output_tokens - before.output_tokens))
        self._settled(whole)

    def _add(self, more: Usage) -> None:
        before = self._charged
        self._charged = Usage(before.input_tokens + more.input_tokens, before.output_tokens + more.output_tokens)
        if more.input_tokens or more.output_tokens:
            self._write(more)
