"""Counting tokens where a provider doesn't."""

import json

from tenantai.providers.protocols import ChatRequest, Turn, Usage

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_PICTURE = 1_000
TOKENS_MAX = 1_000_000_000
"""More than any answer takes: what a provider counts beyond is a fault of its own, and in the end no database can hold it."""


def estimated_usage(request: ChatRequest, output_characters: int) -> Usage:
    """Return an estimate of a round's tokens from its characters."""
    asked = len(request.instructions) + sum(characters_of(turn) for turn in request.turns)
    pictures = sum(len(turn.pictures) for turn in request.turns) * TOKENS_PER_PICTURE
    return Usage(estimated_tokens(asked) + pictures, estimated_tokens(output_characters), estimated=True)


def counted_usage(asked: object, said: object) -> Usage | None:
    """Return the tokens that a provider says it counted, none said as 0; None where that is no count, to be estimated then."""
    said = 0 if said is None else said
    if isinstance(asked, int) and isinstance(said, int) and 0 <= asked <= TOKENS_MAX and 0 <= said <= TOKENS_MAX:
        return Usage(asked, said)
    return None


def characters_of(turn: Turn) -> int:
    """Return how many characters of a message a model reads, calls and their results among them."""
    calls = sum(len(call.name) + len(json.dumps(call.arguments)) for call in turn.calls)
    return len(turn.text) + calls + sum(len(json.dumps(result.output)) for result in turn.results)


def estimated_tokens(characters: int) -> int:
    """Return characters as tokens, rounded up."""
    return -(-characters // CHARACTERS_PER_TOKEN)
