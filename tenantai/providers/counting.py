"""Counting tokens where a provider doesn't."""

from tenantai.providers.protocols import ChatRequest, Usage

CHARACTERS_PER_TOKEN = 4


def estimated_usage(request: ChatRequest, output_characters: int) -> Usage:
    """Return an estimate of a round's tokens from its characters."""
    asked = len(request.instructions) + sum(len(turn.text) for turn in request.turns)
    return Usage(estimated_tokens(asked), estimated_tokens(output_characters), estimated=True)


def estimated_tokens(characters: int) -> int:
    """Return characters as tokens, rounded up."""
    return -(-characters // CHARACTERS_PER_TOKEN)
