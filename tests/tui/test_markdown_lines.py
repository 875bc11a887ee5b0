"""Markdown as lines of a terminal: what a text that grew looks like, its links, and its widths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from tenantai.tui.markdown_lines import Look, MarkdownLines

LOOK = Look({"markdown.strong": Style(bold=True)}, code_background="#202020", is_dark=True)
ANSWER = """# Lease

The deposit is **200 euros** [1], see [the law](https://example.org/x).
And more
#tags of it.

- one
  - nested
- two

3. three
4. four

> quoted

| item | boxes |
|---|--:|
| sofa | 0 |

```python
def rent():
    return 200
```

***
***bold***
"""


def drawn(*pieces: str, width: int = 60) -> MarkdownLines:
    lines = MarkdownLines()
    lines.fit(width, LOOK)
    for piece in pieces:
        lines.add(piece)
    return lines


def test_blocks_stand_apart() -> None:
    """Each block has an empty line before it; headings, lists, quotes, tables and code keep their form."""
    assert drawn(ANSWER).plain.splitlines() == [
        "Lease",
        "",
        "The deposit is 200 euros [1], see the law. And more #tags of",
        "it.",
        "",
        " • one",
        "    • nested",
        " • two",
        "",
        " 3 three",
        " 4 four",
        "",
        "▌ quoted",
        "",
        " item  boxes",
        " ───────────",
        " sofa      0",
        "",
        " def rent():",
        "     return 200",
        "",
        "-" * 60,
        "",
        "bold",
    ]


@pytest.mark.parametrize("length", [1, 2, 3, 7, 50])
def test_a_text_that_grew_looks_as_one_that_came_at_once(length: int) -> None:
    """However it was cut, and whatever half a mark looked like meanwhile."""
    pieces = [ANSWER[at : at + length] for at in range(0, len(ANSWER), length)]
    assert drawn(*pieces).strips == drawn(ANSWER).strips


@given(st.lists(st.text("ab #*-_>`|[]()!1.~\n", max_size=8), max_size=12))
def test_any_text_that_grew_looks_as_one_that_came_at_once(pieces: list[str]) -> None:
    """Whatever Markdown it is."""
    assert drawn(*pieces).plain == drawn("".join(pieces)).plain


def test_what_is_whole_is_not_drawn_again() -> None:
    """Lines of a block that another one follows stay the very same."""
    lines = drawn("First\n\nSecond\n")
    first = lines.strips[0]
    lines.add("\nThird\n\nFourth")
    assert lines.strips[0] is first
    assert lines.plain.split() == ["First", "Second", "Third", "Fourth"]


def test_links_are_actions_of_ours() -> None:
    """No link reaches the terminal; a click says its number."""
    lines = drawn("[1] and [here](https://example.org/) and [1]")
    segments = [segment for strip in lines.strips for segment in strip]
    assert not [segment for segment in segments if segment.style and segment.style.link]
    clicks = [segment.style.meta["@click"] for segment in segments if segment.style and "@click" in segment.style.meta]
    assert clicks == ["follow(0)", "follow(1)", "follow(0)"]
    assert lines.links == ["cite:1", "https://example.org/"]


def test_another_width_or_look_draws_all_anew() -> None:
    """Lines fit the width that was given last; one of no use is not taken."""
    lines = drawn(ANSWER)
    lines.fit(30, LOOK)
    assert lines.strips == drawn(ANSWER, width=30).strips
    assert max(strip.cell_length for strip in lines.strips) <= 30
    lines.fit(0, LOOK)
    assert lines.plain
    bold = Look({"markdown.strong": Style(italic=True)}, code_background=None, is_dark=False)
    lines.fit(30, bold)
    assert any(segment.style and segment.style.italic for strip in lines.strips for segment in strip)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("&#27;]0;x", "&#27;]0;x"),
        ("&rlm;x", "&rlm;x"),
        ("<b>x</b>", "<b>x</b>"),
        ("![p](https://example.org/p.png)", "!p"),
    ],
)
def test_nothing_names_a_character_or_loads_a_picture(text: str, shown: str) -> None:
    """What would be HTML or a named character stands there as it was written, a picture as a link."""
    assert drawn(text).plain == shown
