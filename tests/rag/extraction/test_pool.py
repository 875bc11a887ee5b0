"""The child process: it reads, is stopped, crashes and is replaced, and never outlives the server."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from tenantai.rag.documents import ExtractionFailed
from tenantai.rag.extraction.pool import ExtractionPool, _checked
from tests.rag.extraction.files import LOREM, paragraph, write_pdf

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and named pipes")


@pytest.fixture
async def pool() -> AsyncIterator[ExtractionPool]:
    pool = ExtractionPool()
    yield pool
    await pool.close()


def child_pid(pool: ExtractionPool) -> int:
    assert pool.sandboxes[0].pid is not None
    return pool.sandboxes[0].pid


def text_file(tmp_path: Path, text: str = "Some words.") -> Path:
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    return path


def stuck_file(tmp_path: Path) -> Path:
    """A file whose reading never ends: a named pipe that nobody writes to."""
    path = tmp_path / "stuck"
    os.mkfifo(path)
    return path


async def started(pool: ExtractionPool, tmp_path: Path) -> int:
    await pool.extract(text_file(tmp_path), name="a.txt")
    return child_pid(pool)


async def test_one_child_reads_many(pool: ExtractionPool, tmp_path: Path) -> None:
    """Concurrent calls queue up for one child, which stays."""
    pid = await started(pool, tmp_path)
    pdf = write_pdf(tmp_path / "a.pdf", paragraph(LOREM))
    documents = await asyncio.gather(*(pool.extract(pdf, name="a.pdf") for _ in range(5)))
    assert {document.text for document in documents} == {LOREM.strip()}
    assert documents[0].blocks[0].page == 1
    assert child_pid(pool) == pid


async def test_refusal_passes(pool: ExtractionPool, tmp_path: Path) -> None:
    """A refusal comes through with reason, message and page count, and the child stays."""
    pid = await started(pool, tmp_path)
    scan = write_pdf(tmp_path / "a.pdf", lambda pdf: pdf.rect(10, 10, 50, 50))
    with pytest.raises(ExtractionFailed) as caught:
        await pool.extract(scan, name="a.pdf")
    assert (caught.value.reason, caught.value.page_count) == ("needs_ocr", 1)
    assert child_pid(pool) == pid


async def test_large_answer_leaves_the_loop_free(pool: ExtractionPool, tmp_path: Path) -> None:
    """Ten megabytes with many blocks come whole, and the event loop takes its turns meanwhile."""
    await started(pool, tmp_path)
    path = text_file(tmp_path, (("Grüße 😀 " + LOREM) * 3 + "\n\n") * 45_000)
    turns, done = 0, False

    async def watch() -> None:
        nonlocal turns
        while not done:
            await asyncio.sleep(0)
            turns += 1

    watching = asyncio.create_task(watch())
    document = await pool.extract(path, name="a.txt")
    done = True
    await watching
    assert len(document.text) > 9_000_000
    assert len(document.blocks) == 45_000
    assert turns > 1_000


@posix
async def test_time_limit(tmp_path: Path) -> None:
    """A file that takes too long is given up, and the next one is read by a new child."""
    pool = ExtractionPool(time_limit_seconds=5)
    pid = await started(pool, tmp_path)
    pool.sandboxes[0].time_limit_seconds = 0.05
    with pytest.raises(ExtractionFailed) as caught:
        await pool.extract(stuck_file(tmp_path), name="stuck")
    assert caught.value.reason == "time_limit"
    pool.sandboxes[0].time_limit_seconds = 30
    assert await started(pool, tmp_path) != pid
    await pool.close()


@posix
async def test_crash(pool: ExtractionPool, tmp_path: Path) -> None:
    """A child that dies while it reads costs that file alone."""
    pid = await started(pool, tmp_path)
    reading = asyncio.create_task(pool.extract(stuck_file(tmp_path), name="stuck"))
    os.kill(pid, signal.SIGSEGV)
    with pytest.raises(ExtractionFailed) as caught:
        await reading
    assert caught.value.reason == "crashed"
    assert await started(pool, tmp_path) != pid


@posix
async def test_cancel(pool: ExtractionPool, tmp_path: Path) -> None:
    """Cancelling stops the child's work and leaves the pool usable."""
    pid = await started(pool, tmp_path)
    path = stuck_file(tmp_path)
    reading = asyncio.create_task(pool.extract(path, name="stuck"))
    opened = await asyncio.to_thread(os.open, path, os.O_WRONLY)  # waits until the child reads
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    os.close(opened)
    assert await started(pool, tmp_path) != pid


async def test_replaced_after_many_files(tmp_path: Path) -> None:
    """A child is replaced after its number of files."""
    pool = ExtractionPool(files_per_child=2)
    first = await started(pool, tmp_path)
    await pool.extract(text_file(tmp_path), name="a.txt")
    assert await started(pool, tmp_path) != first
    await pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is kept only on Linux")
async def test_memory_limit(tmp_path: Path) -> None:
    """A file that needs more memory than is allowed fails with that reason."""
    pool = ExtractionPool(memory_limit_bytes=400 * 1024**2)
    path = tmp_path / "a.html"
    path.write_bytes(b"<html>" + b"<p>word</p>" * 6_000_000)
    with pytest.raises(ExtractionFailed) as caught:
        await pool.extract(path, name="a.html")
    assert caught.value.reason == "memory_limit"
    assert (await pool.extract(text_file(tmp_path), name="a.txt")).text == "Some words."
    await pool.close()


async def test_close_ends_the_child(tmp_path: Path) -> None:
    """After close nothing runs; closing twice does no harm."""
    pool = ExtractionPool()
    pid = await started(pool, tmp_path)
    await pool.close()
    await pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_secrets_in_the_child(pool: ExtractionPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's environment holds no keys."""
    monkeypatch.setenv("TENANTAI_GEMINI_API_KEY", "secret")
    pid = await started(pool, tmp_path)
    assert b"secret" not in await asyncio.to_thread(Path(f"/proc/{pid}/environ").read_bytes)


SERVER = """
import asyncio, sys
from pathlib import Path
from tenantai.rag.extraction.pool import ExtractionPool, _checked

async def main():
    pool = ExtractionPool()
    await pool.extract(Path(sys.argv[1]), name="a.txt")
    print(pool.sandboxes[0].pid, flush=True)
    await pool.extract(Path(sys.argv[2]), name="stuck")

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for another process's child through a pidfd")
async def test_no_orphan(tmp_path: Path) -> None:
    """A server that is killed in the middle of a file leaves no child behind."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(text_file(tmp_path)), str(stuck_file(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    pid = int(await server.stdout.readline())
    handle = os.pidfd_open(pid)
    server.kill()
    await server.communicate()
    ended, _, _ = await asyncio.to_thread(select.select, [handle], [], [], 20)
    os.close(handle)
    with suppress(ProcessLookupError):
        if not ended:
            os.kill(pid, signal.SIGKILL)
    assert ended


async def test_import_is_light() -> None:
    """The server's side loads none of the libraries that read files."""
    code = (
        "import sys, tenantai.rag.extraction.pool; print([m for m in sys.modules if m in ('pypdfium2', 'mammoth', 'selectolax')])"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.strip() == b"[]"


async def test_how_far_a_long_file_is(pool: ExtractionPool, tmp_path: Path) -> None:
    """Of a file whose reading takes a while the pages or characters that are read are told on the way, of a small one nothing."""
    told: list[tuple[str, int, int]] = []
    await started(pool, tmp_path)
    await pool.extract(text_file(tmp_path), name="a.txt", so_far=lambda *note: told.append(note))
    assert told == []
    pdf = write_pdf(tmp_path / "long.pdf", *[paragraph(LOREM * 60)] * 120)
    document = await pool.extract(pdf, name="long.pdf", so_far=lambda *note: told.append(note))
    assert document.page_count == 120
    assert told
    assert told == sorted(told)
    assert {(unit, total) for unit, _, total in told} == {("pages", 120)}
    told.clear()
    text = text_file(tmp_path, (LOREM * 2 + "\n\n") * 150_000)
    await pool.extract(text, name="a.txt", so_far=lambda *note: told.append(note))
    assert told == sorted(told)
    assert {unit for unit, _, _ in told} == {"characters"}
    assert all(done <= total for _, done, total in told)


@pytest.mark.parametrize(
    "note", [None, 5, [], ["pages", 2, 1], ["pages", -1, 1], ["pages", "1", 2], ["bytes", 1, 2], ["pages", 1.5, 2]]
)
def test_a_note_that_is_none(note: object) -> None:
    """A child that a hostile file has taken over can tell no nonsense: such a note ends it."""
    with pytest.raises(ValueError, match="no note"):
        _checked(lambda *_: None)(note)
