"""How the console begins: in a terminal, in a place and with colours that there are."""

import pytest

from tenantai.cli import run
from tenantai.commands.tui import DRIVER, PLACES
from tenantai.tui.app import Console
from tenantai.tui.places import SPOTS


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "needs a terminal"),
        (["--place", "keys", "--theme", "tenantai-light"], "needs a terminal"),
        (["--place", "kyes"], "There is no place kyes. Did you mean keys? There are overview, chat,"),
        (["--theme", "tenantai-lihgt"], "There is no theme tenantai-lihgt. Did you mean tenantai-light? There are"),
    ],
)
def test_what_it_does_not_begin_with(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal, and with a place or theme that there is not, it is refused in a sentence, and nothing is drawn."""
    monkeypatch.delenv(DRIVER, raising=False)
    monkeypatch.setattr(Console, "run", lambda _: pytest.fail("it was drawn"))
    assert run(["tui", *arguments]) == 2
    written = capsys.readouterr()
    assert sentence in written.err
    assert not written.out


def test_a_browser_needs_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a browser shows the console it begins without a terminal."""
    begun: list[Console] = []

    def begin(console: Console) -> None:
        begun.append(console)

    monkeypatch.setenv(DRIVER, "textual.drivers.web_driver:WebDriver")
    monkeypatch.setattr(Console, "run", begin)
    assert run(["tui", "--place", "logs"]) == 0
    assert [console.start.place for console in begun] == ["logs"]


def test_the_help_lists_the_places(capsys: pytest.CaptureFixture[str]) -> None:
    """`tui --help` has the name of every place."""
    assert tuple(spot.name for spot in SPOTS) == PLACES
    run(["tui", "--help"])
    page = " ".join(capsys.readouterr().out.split())
    assert ", ".join(PLACES) in page
