"""Ids that sort by their creation, whatever clocks say."""

from uuid import UUID

import pytest

from tenantai import identifiers
from tenantai.identifiers import make_ids_after, new_id
from tenantai.server.keys import DATABASE
from tenantai.settings import Settings
from tenantai.storage.database import compiled
from tests.running import serving, text_of

NEXT_CENTURY = "03bb2cc3-d800-7fff-bfff-fffffffffff0"


@pytest.fixture(autouse=True)
def _ids_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identifiers, "_ids", identifiers._Ids())


def test_ids_behind_one_of_a_clock_ahead() -> None:
    """Ids sort behind the newest of earlier processes, are of version 7, and never the same; an old one changes nothing."""
    make_ids_after(NEXT_CENTURY[:-12] + "000000000000")
    made = [new_id() for _ in range(1000)]
    assert made == sorted(set(made))
    assert {UUID(each).version for each in made} == {7}
    assert made[0] > NEXT_CENTURY[:-12]
    make_ids_after("01a21de0-b8ab-73ea-bf15-da3165a55b25")
    assert new_id() > made[-1]


async def test_conversation_that_began_on_a_clock_ahead(settings: Settings) -> None:
    """After a restart with the clock set right, what is said follows what was said, for people and for the model."""
    async with serving(settings) as running:
        acme = await running.register("Acme")
        events = await running.answer(acme, "First?")
        conversation = events[0]["messageMetadata"]["conversationId"]
        for number, row in enumerate(await running.rows("SELECT id FROM messages ORDER BY id")):
            ahead = f"{NEXT_CENTURY[:-12]}{number:012}"
            write = compiled("UPDATE messages SET id = :ahead WHERE id = :id")
            await running.app[DATABASE].write_one(write, ahead=ahead, id=row[0])
    async with serving(settings) as running:
        assert text_of(await running.answer(acme, "Second?", conversationId=conversation))
        messages = await running.messages(acme, conversation)
        assert [message["role"] for message in messages] == ["user", "assistant"] * 2
        assert [message["content"] for message in messages if message["role"] == "user"] == ["First?", "Second?"]
        assert [turn.text for turn in running.chat.history[-1].turns if turn.role == "user"] == ["First?", "Second?"]
