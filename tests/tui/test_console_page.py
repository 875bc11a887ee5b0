"""The page of the console lists every action that there is, with its keys, its word and its sentence, and no other."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from tenantai import tui
from tenantai.tui.actions import Action

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "console.md").read_text()
ROW = re.compile(r"^\| (`[^|]+`(?:, `[^|]+`)*|–) \| (`:[a-z-]+`|–) \| .+ \|$", re.MULTILINE)


def every_action() -> dict[str, Action]:
    """Return the actions of every class of the console, by id."""
    found: dict[str, Action] = {}
    for path in Path(tui.__file__).parent.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for _, kind in inspect.getmembers(importlib.import_module(name.removesuffix(".__init__")), inspect.isclass):
            found |= {action.id: action for action in vars(kind).get("ACTIONS", ())}
    return found


def row_of(action: Action) -> str:
    """Return the row of the page for an action."""
    keys = ", ".join(f"`{key}`" for key in action.key.split(","))
    word = f"`:{action.command}`" if "(" not in action.command else "–"
    return f"| {keys} | {word} | {action.help} |"


@pytest.mark.parametrize("action", every_action().values(), ids=lambda action: action.id)
def test_every_action_has_its_row(action: Action) -> None:
    """An action is on the page with the keys, the word and the sentence that the console shows."""
    assert row_of(action) in PAGE.splitlines()


def test_no_row_is_of_nothing() -> None:
    """Every row of the page is an action's."""
    known = {row_of(action) for action in every_action().values()}
    assert not [match[0] for match in ROW.finditer(PAGE) if match[0] not in known]
