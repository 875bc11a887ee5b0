"""Text from elsewhere never steers a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantai.tui import shown


@given(st.text())
def test_nothing_steers(text: str) -> None:
    """Whatever the text, what is shown holds no control, format or half character; a line is one line, of bounded length."""
    flat, several = shown.line(text), shown.lines(text)
    for shown_text in (flat, several.replace("\n", "")):
        assert not [c for c in shown_text if not c.isprintable() and c not in shown.JOINERS]
    assert len(flat) <= 500


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=100))
def test_plain_text_stays(text: str) -> None:
    """Printable text is shown as it is."""
    assert shown.line(text) == "".join(c if c.isprintable() else " " for c in text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred\x1b]52;c;aGk=\x07", "␛[31mred␛]52;c;aGk=␇"),
        ("a\nb\tc\rd", "a⏎b c␍d"),
        ("\u202eevil\u2066\ufeff", "�evil��"),
        ("\x9b31m", "�31m"),
        ("half \ud800", "half �"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
    ],
)
def test_marks(text: str, seen: str) -> None:
    """What would steer is shown as a mark that tells what it was."""
    assert shown.line(text) == seen


def test_long_lines_are_cut() -> None:
    """A line is no longer than asked for, and says that it was cut."""
    assert shown.line("x" * 600, most=10) == "xxxxxxxxx…"


def test_sizes_numbers_and_spans() -> None:
    """Figures are written as people read them."""
    assert [shown.size(count) for count in (0, 1023, 1536, 5 * 1024**3)] == ["0 B", "1023 B", "1.5 KB", "5.0 GB"]
    assert shown.number(1234567) == "1,234,567"
    assert [shown.duration(seconds) for seconds in (0, 59, 61, 3600, 90_061)] == ["0 s", "59 s", "1 min 1 s", "1 h", "1 d 1 h"]
    assert (shown.when(None), shown.when("never")) == ("–", "never")
