"""The feed of analytics: what it takes, what it survives, what leaves the database, and who is refused."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tenantai.errors import NotReady
from tenantai.identifiers import timestamp
from tenantai.server.services import analytics_feed, retention
from tenantai.server.services.analytics_feed import AnalyticsFeed
from tenantai.server.services.analytics_questions import BUSY, YOURS, Questions
from tenantai.server.services.audit_proof import Link, prove
from tenantai.server.services.retention import Retention
from tenantai.storage import analytics_archives, analytics_intake, audit, audit_log, tenants, usage
from tenantai.storage.analytics import TOO_SLOW, Analytics, Damaged, Session
from tenantai.storage.analytics_archives import NotTheSame
from tenantai.storage.analytics_tables import AUDIT, USAGE
from tenantai.storage.database import Database, Transaction, compiled
from tenantai.storage.usage import UsageEvent
from tests.running import until
from tests.storage.analytics_rows import added_up, event, hours

NOW = datetime(2026, 9, 1, tzinfo=UTC)
DAYS: dict[Any, int] = {"usage": 62, "audit": 62}


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytics_feed, "FEED_SECONDS", 0.01)
    monkeypatch.setattr(analytics_feed, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(analytics_feed, "BATCH_ROWS", 50)
    monkeypatch.setattr(retention, "FORGET_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(retention, "FORGET_ROWS", 30)


@pytest.fixture
def analytics(tmp_path: Path) -> Analytics:
    return Analytics(tmp_path / "analytics", memory_bytes_max=128 * 2**20, threads=1)


@pytest.fixture
async def feed(database: Database, analytics: Analytics) -> AsyncIterator[AnalyticsFeed]:
    made = AnalyticsFeed(database, analytics)
    await made.open()
    await made.catch_up(seconds=20)
    yield made
    await made.close()


@pytest.fixture
def keeping(database: Database, analytics: Analytics, feed: AnalyticsFeed) -> Retention:
    return Retention(database, analytics, feed, days=DAYS)


async def write(database: Database, count: int, *, month: int = 1, tenant_id: str = "t0") -> list[dict[str, Any]]:
    """Write events of a month; what was written."""
    rows = [
        event(n, created_at=f"2026-{month:02d}-{1 + n % 28:02d}T{n % 24:02d}:00:00.000Z", tenant_id=tenant_id)
        for n in range(count)
    ]
    made = [UsageEvent(**{name: each[name] for name in UsageEvent.__slots__}) for each in rows]

    async def unit(transaction: Transaction) -> None:
        if await tenants.get(transaction, tenant_id) is None:
            await tenants.create(transaction, tenant_id, name="T", email=f"{tenant_id}@x.org", plan="pro", moment=timestamp())
        await usage.add_events(transaction, tenant_id, events=made)

    await database.write(unit)
    return [asdict(each) for each in made]


async def counted(feed: AnalyticsFeed) -> dict[tuple[Any, ...], tuple[int, ...]]:
    await feed.catch_up(seconds=20)
    return await feed.on_thread(lambda session: hours(session.rows("SELECT * FROM usage_hours")))


async def left(database: Database, table: str = "usage_events") -> int:
    (row,) = await database.reading.all(compiled(f"SELECT count(*) FROM {table}"))
    return int(row[0])


async def test_everything_is_taken(database: Database, feed: AnalyticsFeed) -> None:
    """What is in the database is in analytics once a question has waited for it; the answer says up to when it is whole."""
    before = timestamp()
    rows = await write(database, 170)
    assert await counted(feed) == added_up(rows)
    assert feed.status.state == "up"
    assert feed.complete_through is not None
    assert feed.complete_through >= before


async def test_what_is_on_its_way_is_waited_for(database: Database, analytics: Analytics) -> None:
    """The journal is taken into the database before the database is read."""
    wanted: list[dict[str, Any]] = []

    async def settle() -> None:
        if not wanted:
            wanted.extend(await write(database, 20))

    feed = AnalyticsFeed(database, analytics, settle=settle)
    await feed.open()
    assert await counted(feed) == added_up(wanted) != {}
    await feed.close()


@pytest.mark.parametrize("fault", [NotReady("no"), OSError("disk"), ValueError("a bug")], ids=["database", "disk", "bug"])
async def test_a_fault_passes(database: Database, feed: AnalyticsFeed, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """While something fails, analytics say so, and nobody waits for them; then they go on where they were."""
    real, faults = analytics_intake.take, [fault] * 3

    def failing(*given: Any) -> int:
        if faults:
            raise faults.pop()
        return real(*given)

    monkeypatch.setattr(analytics_intake, "take", failing)
    rows = await write(database, 120)
    await feed.catch_up(seconds=20)
    assert (feed.status.state, feed.status.error is None) in {("down", False), ("up", True)}
    await until(lambda: not faults)
    assert await counted(feed) == added_up(rows)


async def test_damage_is_mended(database: Database, feed: AnalyticsFeed, analytics: Analytics) -> None:
    """A file that a question finds damaged is thrown away and made anew, and the numbers are the same."""
    rows = await write(database, 120)
    before = await counted(feed)
    feed.note_damage()
    await until(lambda: feed.status.state == "rebuilding")
    await until(lambda: feed.status.state == "up")
    assert await counted(feed) == before == added_up(rows)


async def test_damage_that_cannot_be_thrown_away_yet(
    database: Database, feed: AnalyticsFeed, analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file that the disk does not let go of is thrown away as soon as it does."""
    rows = await write(database, 120)
    real, faults = analytics.discard, [PermissionError(13, "held")] * 2

    def failing() -> None:
        if faults:
            raise faults.pop()
        real()

    monkeypatch.setattr(analytics, "discard", failing)
    feed.note_damage()
    await until(lambda: not faults)
    await until(lambda: feed.status.state == "up")
    assert await counted(feed) == added_up(rows)


async def test_rebuilt_on_demand(database: Database, feed: AnalyticsFeed, keeping: Retention, analytics: Analytics) -> None:
    """Made anew from archives and database, analytics count what they counted."""
    rows = [*await write(database, 120), *await write(database, 100, month=2), *await write(database, 70, month=8)]
    await feed.catch_up(seconds=20)
    await keeping.run(NOW)
    before = await counted(feed)
    await feed.close()
    again = AnalyticsFeed(database, analytics)
    await again.connect()
    told = await again.rebuild()
    after = await again.on_thread(lambda session: hours(session.rows("SELECT * FROM usage_hours")))
    assert after == before == added_up(rows)
    assert told["usage"] == 290
    await again.close()


async def test_the_database_stays_bounded(database: Database, feed: AnalyticsFeed, keeping: Retention) -> None:
    """Month after month the database holds no more than its days; history goes on to know all."""
    rows: list[dict[str, Any]] = []
    for month in range(1, 9):
        rows += await write(database, 90, month=month)
        await feed.catch_up(seconds=20)
        await keeping.run(datetime(2026, month + 1, 1, tzinfo=UTC))
        assert await left(database) <= 90 * 3
    assert await counted(feed) == added_up(rows)
    found = await feed.on_thread(lambda session: [a.month for a in analytics_archives.registered(session, USAGE)])
    assert found == [f"2026-0{month}" for month in range(1, 7)]


async def test_for_ever(database: Database, analytics: Analytics, feed: AnalyticsFeed) -> None:
    """With 0 days nothing leaves the database."""
    await write(database, 90)
    await feed.catch_up(seconds=20)
    await Retention(database, analytics, feed, days={"usage": 0, "audit": 0}).run(NOW)
    assert await left(database) == 90


@pytest.mark.parametrize("step", ["archived", "compared", "half forgotten"])
async def test_retention_cut_anywhere(
    database: Database, analytics: Analytics, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Cut off between a file's place, its registration and the forgetting of its rows, no row is lost or doubled."""
    first = AnalyticsFeed(database, analytics)
    await first.open()
    rows = [*await write(database, 120), *await write(database, 60, month=8)]
    await first.catch_up(seconds=20)
    keeping = Retention(database, analytics, first, days=DAYS)
    with monkeypatch.context() as patched:
        if step == "archived":
            patched.setattr(analytics_archives, "adopt", _cut)
        elif step == "compared":
            patched.setattr(Retention, "_compare", _cut)
        else:
            patched.setattr(retention, "_forget_usage", _once(retention._forget_usage))
        with suppress(CutError):
            await keeping.run(NOW)
    await first.close()
    assert await left(database) == (150 if step == "half forgotten" else 180)
    second = AnalyticsFeed(database, analytics)
    await second.open()
    await second.catch_up(seconds=20)
    assert await counted(second) == added_up(rows)
    await Retention(database, analytics, second, days=DAYS).run(NOW)
    assert await left(database) == 60
    assert await counted(second) == added_up(rows)
    everywhere = await second.on_thread(
        lambda s: (
            sum(a.row_count for a in analytics_archives.registered(s, USAGE)) + s.one("SELECT count(*) FROM usage_events")[0]
        )
    )
    assert everywhere == 180
    await second.close()


class CutError(Exception):
    """The process came to its end here."""


def _cut(*_args: object, **_given: object) -> Any:
    raise CutError


def _once(real: Any) -> Any:
    calls: list[int] = []

    async def failing(*args: Any, **given: Any) -> Any:
        if calls:
            raise CutError
        calls.append(1)
        return await real(*args, **given)

    return failing


async def test_what_differs_is_not_forgotten(database: Database, feed: AnalyticsFeed, keeping: Retention) -> None:
    """Where the database does not hold what the archives do, it forgets nothing."""
    await write(database, 90)
    await feed.catch_up(seconds=20)
    await database.write_one(compiled("UPDATE usage_events SET input_tokens = input_tokens + 1 WHERE number = 7"))
    with pytest.raises(NotTheSame):
        await keeping.run(NOW)
    assert await left(database) == 90


async def test_an_older_copy_of_the_database(
    database: Database, feed: AnalyticsFeed, keeping: Retention, analytics: Analytics
) -> None:
    """Beside archives that know more than a database put back, new events get numbers of their own and are counted."""
    old = await write(database, 90)
    await feed.catch_up(seconds=20)
    await keeping.run(NOW)
    await feed.close()
    await database.write_one(compiled("UPDATE sqlite_sequence SET seq = 10 WHERE name = 'usage_events'"))
    again = AnalyticsFeed(database, analytics)
    await again.open()
    await again.catch_up(seconds=20)
    await until(lambda: again.status.state == "up")
    new = await write(database, 20, month=8)
    assert await counted(again) == added_up([*old, *new])
    await again.close()


async def test_audit_months(database: Database, feed: AnalyticsFeed, keeping: Retention, analytics: Analytics) -> None:
    """Entries leave from the old end of each chain with an entry that says so; archive and database prove the chain together."""
    await write(database, 1)

    async def unit(transaction: Transaction) -> None:
        for n in range(80):
            await audit.record(
                transaction, "t0" if n % 4 else "t1", event_type="file.deleted", actor=audit.SYSTEM, subject_id=str(n)
            )

    await database.write(unit)
    await database.write_one(compiled("UPDATE audit_entries SET created_at = '2026-01-05' WHERE number <= 60"))
    await feed.catch_up(seconds=20)
    await keeping.run(NOW)
    assert await left(database, "audit_entries") == 22
    (archive,) = await feed.on_thread(lambda session: analytics_archives.registered(session, AUDIT))
    for chain, kept_after in (("t0", 45), ("t1", 15)):
        held = await audit_log.chain(database.reading, chain)
        assert held is not None
        assert held.kept_after_sequence == kept_after
        proof = await prove(database, chain)
        assert (proof.broken, proof.checked) == (None, 15 + 1 if chain == "t0" else 5 + 1)
        archived = await feed.on_thread(
            lambda s, c=chain: s.rows(  # type: ignore[misc]
                f"SELECT sequence, hash, previous_hash FROM {archive.source(analytics)} WHERE tenant_id = '{c}' ORDER BY sequence"
            )
        )
        assert [sequence for sequence, _, _ in archived] == list(range(1, kept_after + 1))
        assert Link(archived[-1][0], archived[-1][1]) == Link(held.kept_after_sequence, held.kept_after_hash)
        assert [previous for _, _, previous in archived[1:]] == [own for _, own, _ in archived[:-1]]
        last = (
            await audit_log.page(
                database.reading,
                chain,
                filters=audit_log.Filters(event_type="audit.archived"),
                within=await audit_log.span(database.reading, chain),
                row_count=9,
            )
        ).entries
        assert [dict(entry.details) for entry in last] == [
            {"month": "2026-01", "entries": kept_after, "through_sequence": kept_after}
        ]
    await keeping.run(NOW)
    assert await left(database, "audit_entries") == 22


async def test_deleted_tenants_are_forgotten(
    database: Database, feed: AnalyticsFeed, keeping: Retention, analytics: Analytics
) -> None:
    """What is left of a tenant that is no longer in the database is erased from analytics and archives; the others stay."""
    gone, kept = await write(database, 60, tenant_id="gone"), await write(database, 60, month=2)
    gone += await write(database, 30, month=8, tenant_id="gone")
    await feed.catch_up(seconds=20)
    await keeping.run(NOW)
    assert await counted(feed) == added_up([*gone, *kept])
    for table in ("tenants", "usage_events"):
        await database.write_one(compiled(f"DELETE FROM {table} WHERE {'id' if table == 'tenants' else 'tenant_id'} = 'gone'"))
    await keeping.run(NOW)
    assert await counted(feed) == added_up(kept)
    for path in (analytics.folder / "usage").iterdir():
        assert b"gone" not in path.read_bytes()


def asking(analytics: Analytics, **given: Any) -> Questions:
    return Questions(
        analytics, **{"threads": 1, "open_max": 3, "of_tenant_max": 2, "seconds_max": 20, "on_damage": list, **given}
    )


ENDLESS = "SELECT count(*) FROM range(1000000000000) AS numbers (n) WHERE hash(n) = 7"


async def test_questions_are_bounded(analytics: Analytics, feed: AnalyticsFeed) -> None:
    """Too many questions at once are refused with a sentence, a tenant's own before the others'; then there is room again."""
    questions, gate = asking(analytics), threading.Event()
    first = [asyncio.create_task(questions.ask("t0", lambda _: gate.wait(20))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(NotReady, match=YOURS[:20]):
        await questions.ask("t0", lambda _: 1)
    first.append(asyncio.create_task(questions.ask("t1", lambda _: gate.wait(20))))
    await asyncio.sleep(0)
    with pytest.raises(NotReady, match=BUSY[:20]):
        await questions.ask("t2", lambda _: 1)
    gate.set()
    await asyncio.gather(*first)
    assert await questions.ask("t0", lambda session: session.one("SELECT 7")) == (7,)
    await questions.close()


async def test_a_slow_question_is_stopped(analytics: Analytics, feed: AnalyticsFeed) -> None:
    """A question whose time is over is told so, and gives its thread back."""
    questions = asking(analytics, seconds_max=0.05)
    with pytest.raises(NotReady, match=TOO_SLOW[:20]):
        await questions.ask("t0", lambda session: session.one(ENDLESS))
    questions._seconds_max = 20
    assert await questions.ask("t0", lambda session: session.one("SELECT 7")) == (7,)
    await questions.close()


async def test_a_question_whose_caller_left_is_stopped(analytics: Analytics, feed: AnalyticsFeed) -> None:
    """Nobody's question goes on; one that waits is never begun."""
    questions, begun = asking(analytics), threading.Event()

    def work(session: Session) -> Any:
        begun.set()
        return session.one(ENDLESS)

    running = asyncio.create_task(questions.ask("t0", work))
    waiting = asyncio.create_task(questions.ask("t0", work))
    await until(begun.is_set)
    begun.clear()
    for task in (waiting, running):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: not questions._open)
    assert not begun.is_set()
    await questions.close()


async def test_a_question_that_finds_damage(analytics: Analytics, feed: AnalyticsFeed) -> None:
    """It is refused, and the damage is reported."""
    told: list[str] = []
    questions = asking(analytics, on_damage=lambda: told.append("damaged"))

    def work(_session: Session) -> None:
        raise Damaged

    with pytest.raises(NotReady):
        await questions.ask("t0", work)
    assert told == ["damaged"]
    await questions.close()
