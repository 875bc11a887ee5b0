"""What is told of the files under way."""

import asyncio
import threading

import pytest

from tenantai.server.services.file_notes import FileNotes
from tenantai.server.services.progress import ProgressBoard
from tenantai.server.services.underway import ENDED_MAX, ENDED_SECONDS, FilesOfTenant, Underway
from tenantai.storage.database import Database
from tenantai.storage.files import File
from tenantai.wire.files import FileEnded


def ended(file_id: str) -> FileEnded:
    return FileEnded(
        id=file_id,
        state="ready",
        page_count=None,
        chunk_count=1,
        error_code=None,
        error_message=None,
        updated_at="2026-01-01T00:00:00.000Z",
    )


def test_a_try_from_its_begin_to_its_end() -> None:
    """The percentage rises through the stages; rate and time left are those of the stage, once something was seen to rise."""
    file = Underway("1", "a.pdf", None)
    told = [file.told(0.0)]
    for page, second in ((60, 1.0), (120, 2.0), (180, 3.0), (300, 4.0)):
        file.go_on("extracting", done=page, total=300, unit="pages_per_second", moment=second)
        told.append(file.told(second))
    assert (told[3].rate, told[3].rate_unit, told[3].done, told[3].total) == (60.0, "pages_per_second", 180, 300)
    assert told[3].eta_seconds is None
    file.go_on("chunking", moment=5.0)
    told.append(file.told(5.0))
    assert (told[-1].rate, told[-1].rate_unit, told[-1].done) == (None, None, None)
    for second, chunk in ((6.0, 0), (7.0, 64), (8.0, 128)):
        file.go_on("embedding", done=chunk, total=640, unit="chunks_per_second", moment=second)
        told.append(file.told(second))
    assert (told[-3].rate, told[-3].eta_seconds) == (None, None)
    assert (told[-1].rate, told[-1].rate_unit, told[-1].eta_seconds) == (64.0, "chunks_per_second", 8.0)
    file.go_on("finishing", moment=18.0)
    told.append(file.told(18.0))
    assert [one.stage for one in told] == [*["extracting"] * 5, "chunking", *["embedding"] * 3, "finishing"]
    percentages = [one.percentage for one in told]
    assert percentages == sorted(percentages)
    assert percentages[0] == 0
    assert percentages[-1] < 100


def test_a_percentage_never_goes_back() -> None:
    """A count that is told to be less than before, as by a file that took its reader over, takes nothing back."""
    file = Underway("1", "a.pdf", None)
    file.go_on("extracting", done=90, total=100, unit="pages_per_second", moment=0.0)
    before = file.told(0.0).percentage
    file.go_on("extracting", done=5, total=100, unit="pages_per_second", moment=1.0)
    assert file.told(1.0).percentage == before
    file.go_on("embedding", done=0, total=0, unit="chunks_per_second", moment=2.0)
    assert file.told(2.0).percentage > before


def test_what_ended_is_told_for_a_while_and_bounded() -> None:
    """A file that ended is under way no more; it is told for some seconds, to those who may see it, the newest first."""
    moment = 0.0
    files = FilesOfTenant(clock=lambda: moment)
    files.go_on("0", name="a", account_id="mine", stage="extracting", done=None, total=None, unit=None)
    assert [file.id for file in files.seen("mine")] == ["0"]
    for number in range(ENDED_MAX + 5):
        files.end(ended(str(number)), account_id="mine")
    assert files.seen(None) == []
    assert [one.id for one in files.ended("mine")] == [str(number) for number in range(ENDED_MAX + 4, 4, -1)]
    assert files.ended("other") == ()
    files.end(ended("shared"), account_id=None)
    assert [one.id for one in files.ended("other")] == ["shared"]
    moment = ENDED_SECONDS + 1
    assert files.ended(None) == ()


@pytest.fixture
def file() -> File:
    return File(
        id="1",
        tenant_id="t",
        account_id=None,
        operation_id="o",
        name="a.txt",
        media_type=None,
        bytes=1,
        sha256="0" * 64,
        state="indexing",
        excluded=False,
        error_code=None,
        error_message=None,
        page_count=None,
        chunk_count=0,
        created_at="",
        updated_at="",
        asset_id=None,
        asset_path=None,
    )


async def test_a_thread_that_goes_on_tells_nothing_more(database: Database, file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a thread tells of a file that its worker has let go does not bring it back."""
    monkeypatch.setattr("tenantai.server.services.file_notes.TOLD_EVERY_SECONDS", 0.0)
    board = ProgressBoard(database)
    underway = board._boards
    notes = FileNotes(board, file)
    notes.begin("chunking")
    so_far = notes.chunked_in_thread()
    told = threading.Thread(target=so_far, args=("characters", 10, 100))
    told.start()
    told.join()
    await asyncio.sleep(0)
    (seen,) = underway["t"].files.seen(None)
    assert (seen.done, seen.total, seen.unit) == (10, 100, "characters_per_second")
    notes.close()
    late = threading.Thread(target=so_far, args=("characters", 20, 100))
    late.start()
    late.join()
    await asyncio.sleep(0)
    assert underway["t"].files.seen(None) == []
