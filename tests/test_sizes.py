"""Sizes for people: one way of saying them, wherever they are said."""

import ast
from pathlib import Path

import pytest

from tenantai.sizes import size_words
from tenantai.tui import shown

PACKAGE = Path(__file__).parents[1] / "tenantai"


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (10 * 1024**3, "10.0 GB"), (2048 * 1024**4, "2048.0 TB")],
)
def test_a_size_is_the_same_at_a_terminal_and_in_the_console(size_bytes: int, said: str) -> None:
    """Steps of 1024, with one decimal from kilobytes on."""
    assert size_words(size_bytes) == shown.size(size_bytes) == said


def test_commands_say_sizes_in_no_way_of_their_own() -> None:
    """Every command takes the words of a size from the one place."""
    for path in (PACKAGE / "commands").glob("*.py"):
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        sources = {node.module for node in imports for alias in node.names if alias.name == "size_words"}
        assert sources <= {"tenantai.sizes"}, path.name
        assert ("size_words(" in path.read_text()) == bool(sources), path.name
