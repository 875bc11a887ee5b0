"""What the server kept of a conversation, beside what was drawn of it."""

import pytest

from tenantai.tui.widgets.kept import NOTES, with_what_was_drawn
from tenantai.tui.widgets.said import Answer, Asked, Said
from tenantai.tui.widgets.tool_call import ToolCall

CUT = NOTES["interrupted"]
BROKE = "It broke off. R asks again."


def answered(text: str, note: str = "", *calls: ToolCall) -> Answer:
    answer = Answer(calls)
    answer.text, answer.note = text, note
    return answer


@pytest.mark.parametrize(
    ("kept", "drawn", "shown"),
    [
        ([Asked("A?"), answered("", CUT)], [Asked("A?"), answered("It is green", BROKE)], "It is green"),
        ([Asked("A?"), answered("It is", CUT)], [Asked("A?"), answered("It\n\nis green", BROKE)], "It\n\nis green"),
        ([Asked("A?")], [Asked("A?"), answered("It is green", BROKE)], "It is green"),
        ([Asked("A?"), answered("It is green.", CUT)], [Asked("A?"), answered("It is green", BROKE)], "It is green."),
        ([Asked("A?"), answered("Blue.")], [Asked("A?"), answered("It is green", BROKE)], "Blue."),
        ([Asked("A?"), answered("Blue", CUT)], [Asked("A?"), answered("It is green", BROKE)], "Blue"),
        ([Asked("B?"), answered("", CUT)], [Asked("A?"), answered("It is green", BROKE)], ""),
        ([Asked("A?"), answered("", CUT)], [], ""),
    ],
)
def test_what_was_drawn_stays(kept: list[Said], drawn: list[Said], shown: str) -> None:
    """The last answer stays as it was drawn where the server has only its beginning; what it kept whole, or elsewhere, wins."""
    told = with_what_was_drawn(kept, drawn)
    assert told[-1].text == shown
    assert len(told) == 2


def test_calls_that_were_drawn_stay() -> None:
    """A call that the server lost is shown as it stood; one that it kept is shown once, as it was kept."""
    lost, seen, same = ToolCall("1", "pay", state="asked"), ToolCall("2", "look", state="interrupted"), ToolCall("2", "look")
    told = with_what_was_drawn([Asked("A?"), answered("", CUT, same)], [Asked("A?"), answered("Well", BROKE, lost, seen)])
    answer = told[-1]
    assert isinstance(answer, Answer)
    assert [(call.call_id, call.state) for call in answer.calls] == [("2", "begun"), ("1", "passed")]
    assert answer.note == BROKE
