"""Analytics' storage: each row is taken once, hours are the sum of events, archives hold what was moved, tenants are apart."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantai.errors import NotReady
from tenantai.storage import analytics_archives as archives
from tenantai.storage import analytics_intake as intake
from tenantai.storage import analytics_questions as questions
from tenantai.storage.analytics import Analytics, Damaged, Session
from tenantai.storage.analytics_rebuilding import prepare
from tenantai.storage.analytics_tables import AUDIT, GROUPS, LOGS, USAGE
from tenantai.storage.audit import Entry, hash_of
from tests.storage.analytics_rows import added_up, event, hours, row

MEMORY = 128 * 2**20
LAST: dict[Any, int] = {"usage": 10**9, "audit": 10**9}


def day(year: int, month: int, number: int) -> datetime:
    """Return the beginning of a day, as DuckDB has it: in UTC, and without a zone."""
    return datetime(year, month, number, tzinfo=UTC).replace(tzinfo=None)


def opened(folder: Path) -> Analytics:
    analytics = Analytics(folder, memory_bytes_max=MEMORY, threads=1)
    analytics.open()
    return analytics


@pytest.fixture
def analytics(tmp_path: Path) -> Iterator[Analytics]:
    made = opened(tmp_path / "analytics")
    yield made
    made.close()


@pytest.fixture
def session(analytics: Analytics) -> Iterator[Session]:
    with analytics.session() as begun:
        yield begun


def times(count: int, *, months: int = 4) -> list[str]:
    """Return so many times of the first months of 2026, in order."""
    return [f"2026-{1 + at * months // count:02d}-{1 + at % 28:02d}T{at % 24:02d}:00:{at % 60:02d}.000Z" for at in range(count)]


def events(count: int, *, tenants: int = 3) -> list[dict[str, Any]]:
    stamped = sorted(times(count))
    return [event(at + 1, created_at=moment, tenant_id=f"t{at % tenants}") for at, moment in enumerate(stamped)]


def take(session: Session, rows: list[dict[str, Any]]) -> int:
    return intake.take(session, USAGE, [row(USAGE, each) for each in rows])


def everything(session: Session) -> dict[tuple[Any, ...], tuple[int, ...]]:
    return hours(session.rows("SELECT * FROM usage_hours"))


def numbers(analytics: Analytics, session: Session) -> list[int]:
    return sorted(n for (n,) in session.rows(f"SELECT number FROM {questions._everywhere(analytics, session, USAGE)}"))


def test_rows_are_taken_once(session: Session) -> None:
    """What was taken before is passed over, also in a batch that holds new rows."""
    rows = events(50)
    assert [take(session, rows[:30]), take(session, rows[:30]), take(session, rows[20:])] == [30, 0, 20]
    assert everything(session) == added_up(rows)
    assert intake.cursor(session, USAGE).number == 50


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.tuples(st.integers(1, 40), st.sampled_from(("committed", "cut", "cut late", "killed"))), max_size=12),
    seed=st.integers(0, 1000),
)
def test_killed_anywhere(tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[int, str]], seed: int) -> None:
    """Whatever a batch comes to, and wherever the process ends, events and hours are those that the cursor says."""
    folder = tmp_path_factory.mktemp("killed")
    rows, analytics = events(sum(size for size, _ in batches) + 1), opened(folder)
    for size, fate in batches:
        with analytics.session() as session:
            done = intake.cursor(session, USAGE).number
            batch = rows[done : done + size]
            if fate == "committed":
                take(session, batch)
            else:
                _cut(session, batch, late=fate == "cut late")
            done = intake.cursor(session, USAGE).number
            assert everything(session) == added_up(rows[:done])
            if seed % 3 == 0:
                intake.compact(session, until=day(2026, 3, 1))
        if fate == "killed":
            folder, left = tmp_path_factory.mktemp("left"), folder
            _copy_as_killed(left, folder)
            analytics.close()
            analytics = opened(folder)
    with analytics.session() as session:
        done = intake.cursor(session, USAGE).number
        assert everything(session) == added_up(rows[:done])
        assert numbers(analytics, session) == list(range(1, done + 1))
    analytics.close()


class CutError(Exception):
    """The process came to its end here."""


def _cut(session: Session, batch: list[dict[str, Any]], *, late: bool) -> None:
    """Take a batch, but never commit it."""
    real = session.rows

    def failing(sql: str, **given: Any) -> Any:
        if (sql == "COMMIT") if late else sql.startswith("INSERT INTO usage_events"):
            raise CutError
        return real(sql, **given)

    session.rows = failing  # type: ignore[method-assign]
    with pytest.raises(CutError):
        take(session, batch)
    session.rows = real  # type: ignore[method-assign]


def _copy_as_killed(left: Path, folder: Path) -> None:
    """Take the files as a SIGKILL leaves them: the write-ahead log is not worked in."""
    for path in left.glob("analytics.duckdb*"):
        (folder / path.name).write_bytes(path.read_bytes())


def test_hours_are_added_up_once(session: Session) -> None:
    """Adding up changes no sum, joins the rows of an hour, and comes to an end."""
    rows = events(400)
    for first in range(0, 400, 7):
        take(session, rows[first : first + 7])
    before, until = everything(session), day(2026, 4, 10)
    spans = 0
    while intake.compact(session, until=until):
        spans += 1
    assert spans == 3
    assert everything(session) == before == added_up(rows)
    (parts, whole) = session.one(
        "SELECT count(*), count(DISTINCT (tenant_id, begins, endpoint, key_id, account_id, model, status)) FROM usage_hours"
        " WHERE begins < TIMESTAMP '2026-04-10'"
    )
    assert parts == whole
    assert not intake.compact(session, until=until)


def test_late_events_are_counted(session: Session) -> None:
    """An event of an hour that was added up already, after a clock was set back, is in the sums."""
    rows = events(40)
    take(session, rows)
    while intake.compact(session, until=day(2027, 1, 1)):
        pass
    late = event(41, created_at="2026-01-01T00:00:01.000Z")
    take(session, [late])
    assert everything(session) == added_up([*rows, late])


def test_odd_values_are_taken(session: Session) -> None:
    """What someone spoiled by hand in the database, a time that is none, a number that is text, stops nothing."""
    take(session, [event(1, created_at="yesterday", status="x", model=7)])
    assert session.one("SELECT created_at::VARCHAR, status, model FROM usage_events") == ("1970-01-01 00:00:00", 0, "7")


@pytest.mark.parametrize("group_by", [None, "endpoint", "key", "account", "model", "status"])
@pytest.mark.parametrize("interval", ["hour", "day", "month"])
def test_history_is_what_the_events_say(session: Session, interval: Any, group_by: Any) -> None:
    """Each bucket has the sums of its own events, of that tenant alone."""
    rows = events(500)
    take(session, rows)
    since, until = day(2026, 1, 5), day(2026, 4, 3)
    count, told_as_json = questions.history(
        session, "t1", interval=interval, group_by=group_by, since=since, until=until, account_id=None, bucket_count=10_000
    )
    found = json.loads(told_as_json)
    expected: dict[tuple[str, str | None], list[int]] = {}
    width = {"hour": 13, "day": 10, "month": 7}[interval]
    column = GROUPS[group_by] if group_by else None
    for each in rows:
        if each["tenant_id"] == "t1" and since <= datetime.fromisoformat(each["created_at"][:19]) < until:
            group = None if column is None or each[column] is None else str(each[column])
            sums = expected.setdefault((each["created_at"][:width], group), [0, 0, 0, 0, 0])
            errors = each["requests"] if each["status"] >= 400 else 0
            for at, value in enumerate((each["requests"], errors, each["refused"], each["input_tokens"], each["output_tokens"])):
                sums[at] += value
    told = {
        (b["start"][:width], b["group"]): [b[n] for n in ("requests", "errors", "refused", "inputTokens", "outputTokens")]
        for b in found
    }
    assert (told, count) == (expected, len(found))
    assert [b["start"] for b in found] == sorted(b["start"] for b in found)
    assert all(b["totalTokens"] == b["inputTokens"] + b["outputTokens"] for b in found)


def archived(analytics: Analytics, session: Session, *, months: int = 2) -> None:
    """Move the first months into files."""
    for number in range(1, months + 1):
        through = archives.boundary(session, USAGE, day=f"2026-{number + 1:02d}-01")
        archives.write(analytics, session, USAGE, month=f"2026-{number:02d}", through=through)


def test_archives_hold_what_was_moved(analytics: Analytics, session: Session) -> None:
    """A month moves into a file: every row is in one place, the files are sorted by tenant, nobody else can read them."""
    rows = events(400)
    take(session, rows)
    archived(analytics, session)
    assert numbers(analytics, session) == list(range(1, 401))
    paths = sorted((analytics.folder / "usage").iterdir())
    assert [path.name for path in paths] == ["2026-01.parquet", "2026-02.parquet"]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    january = session.rows(f"SELECT tenant_id, number, created_at::VARCHAR FROM read_parquet('{paths[0]}')")
    assert january == sorted(january, key=lambda r: (r[0], r[2], r[1]))
    assert {moment[:7] for _, _, moment in january} == {"2026-01"}
    sums = archives.sums(analytics, session, USAGE, above=0, through=10**9)
    moved = [each for each in rows if each["created_at"] < "2026-03"]
    assert sums.row_count == len(moved)
    assert sums.sums == tuple(sum(each[name] for each in moved) for name in ("number", *USAGE.summed))
    assert archives.write(analytics, session, USAGE, month="2026-02", through=sums.row_count) is None


def test_an_archive_that_differs_is_not_kept(analytics: Analytics, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file does not read back as it was written, it is removed, and the rows stay where they are."""
    take(session, events(50))
    told = iter(range(9))
    monkeypatch.setattr(archives, "_fingerprint", lambda *_: next(told))
    with pytest.raises(archives.NotTheSame):
        archives.write(analytics, session, USAGE, month="2026-01", through=20)
    assert not list((analytics.folder / "usage").iterdir())
    assert session.one("SELECT count(*) FROM usage_events") == (50,)


def test_clocks_that_jump(analytics: Analytics, session: Session) -> None:
    """A row from the future holds up no archive, one from the past waits for the next."""
    moments = ["2026-01-01", "2026-01-02", "2030-01-01", "2026-01-03", "2026-02-01", "2026-01-04", "2026-03-01"]
    take(session, [event(at + 1, created_at=f"{day}T00:00:00.000Z") for at, day in enumerate(moments)])
    assert archives.months(session, USAGE, day="2026-03-01") == ["2026-01", "2026-02"]
    archived(analytics, session)
    assert [(a.month, a.through) for a in archives.registered(session, USAGE)] == [("2026-01", 4), ("2026-02", 6)]
    assert numbers(analytics, session) == list(range(1, 8))


@pytest.mark.parametrize("lost", ["nothing", "file", "head", "middle", "registration"])
def test_rebuilt_is_the_same(tmp_path: Path, lost: str) -> None:
    """From the archives and what comes again from the database, analytics are as they were; what is sound is not made anew."""
    analytics, rows = opened(tmp_path), events(600)
    with analytics.session() as session:
        take(session, rows[:599])
        archived(analytics, session, months=3)
        before, held = everything(session), numbers(analytics, session)
        if lost == "registration":
            session.rows("DELETE FROM archives WHERE month = '2026-03'")
            march = f"read_parquet('{tmp_path}/usage/2026-03.parquet')"
            session.rows(f"INSERT INTO usage_events SELECT * FROM {march}")
    analytics.close()
    _spoil(tmp_path / "analytics.duckdb", lost)
    prepared = prepare(analytics, LAST)
    assert prepared.archived["usage"] == 450
    assert prepared.lost == []
    assert prepared.cursors["usage"].number == (450 if lost in {"file", "head", "middle"} else 599)
    with analytics.session() as session:
        done = prepared.cursors["usage"].number
        take(session, rows[done:599])
        assert (everything(session), numbers(analytics, session)) == (before, held)
        take(session, rows[599:])
        assert everything(session) == added_up(rows)
    analytics.close()


def _spoil(path: Path, how: str) -> None:
    if how == "file":
        path.unlink()
    elif how in {"head", "middle"}:
        content = bytearray(path.read_bytes())
        start = 0 if how == "head" else 12288
        content[start : start + 65536] = b"\xff" * len(content[start : start + 65536])
        path.write_bytes(content)


def test_ahead_of_the_database(analytics: Analytics, session: Session) -> None:
    """Analytics that know rows which the database, an older copy put back, never had are made anew."""
    take(session, events(50))
    session.close()
    prepared = prepare(analytics, {"usage": 30, "audit": 0})
    assert prepared.cursors["usage"].number == 0


@pytest.mark.parametrize("how", ["gone", "spoiled"])
def test_a_lost_archive_is_told(analytics: Analytics, session: Session, how: str) -> None:
    """An archive that is gone or unreadable is named; what it added to the hours stays, and exports do without."""
    rows = events(400)
    take(session, rows)
    archived(analytics, session)
    session.close()
    path = analytics.folder / "usage" / "2026-01.parquet"
    path.unlink() if how == "gone" else path.write_bytes(b"PAR1 no more")
    prepared = prepare(analytics, LAST)
    assert set(prepared.lost) == {path}
    with analytics.session() as begun:
        assert everything(begun) == added_up(rows)
        assert numbers(analytics, begun)[0] > 1


def test_another_program_holds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another program holds is not thrown away."""
    opened(tmp_path).close()
    error = duckdb.IOException('IO Error: Could not set lock on file "x": Conflicting lock is held')

    def connect(*_args: object, **_given: object) -> None:
        raise error

    monkeypatch.setattr(duckdb, "connect", connect)
    with pytest.raises(NotReady, match="Another program"):
        prepare(Analytics(tmp_path, memory_bytes_max=MEMORY, threads=1), LAST)
    assert (tmp_path / "analytics.duckdb").exists()


def test_other_layout(analytics: Analytics, session: Session) -> None:
    """A file of another version's tables is made anew."""
    session.rows("UPDATE layout SET number = 99")
    session.close()
    analytics.close()
    with pytest.raises(Damaged):
        analytics.open()
    assert prepare(analytics, LAST).cursors["usage"].number == 0


def test_unfinished_files_are_cleared(analytics: Analytics, session: Session) -> None:
    """What a kill left half written is no archive, and is gone at the next start."""
    folder = analytics.folder / "usage"
    folder.mkdir()
    (folder / "2026-01.unfinished").write_bytes(b"PAR1")
    (analytics.scratch / "x.csv").write_bytes(b"half")
    session.close()
    analytics.close()
    prepare(analytics, LAST)
    assert [*folder.iterdir(), *analytics.scratch.iterdir()] == []


def test_files_elsewhere_are_out_of_reach(session: Session, tmp_path: Path) -> None:
    """DuckDB reads and writes in its own folder only, and its settings can't be changed back."""
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    for sql in (
        f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ):
        with pytest.raises((duckdb.Error, NotReady)):
            session.rows(sql)


def test_forgotten_tenants(analytics: Analytics, session: Session) -> None:
    """Nothing of a tenant is left in tables and archives, and nothing of the others is touched."""
    rows = events(400)
    take(session, rows)
    archived(analytics, session)
    archives.forget(analytics, session, "t1")
    intake.forget(session, "t1")
    rest = [each for each in rows if each["tenant_id"] != "t1"]
    assert everything(session) == added_up(rest)
    assert numbers(analytics, session) == [each["number"] for each in rest]
    found = [archives.tenants(analytics, session, a) for a in archives.registered(session, USAGE)]
    assert [*found, intake.tenants(session)] == [{"t0", "t2"}] * 3


def test_the_last_tenant_of_an_archive(analytics: Analytics, session: Session) -> None:
    """An archive of one tenant alone goes with it."""
    take(session, events(100, tenants=1))
    archived(analytics, session)
    archives.forget(analytics, session, "t0")
    assert (archives.registered(session, USAGE), list((analytics.folder / "usage").iterdir())) == ([], [])


def entries(count: int, tenant_id: str, *, first: int) -> list[dict[str, Any]]:
    """Return a chain of entries."""
    made: list[dict[str, Any]] = []
    for at, moment in enumerate(times(count)):
        fields: dict[str, Any] = dict.fromkeys(Entry.__slots__)
        details = json.dumps({"name": "żółć \x00 '=1", "at": at})
        fields |= {"id": f"{tenant_id}-{at}", "tenant_id": tenant_id, "sequence": at + 1, "event_type": "file.deleted"}
        fields |= {"actor": f"key:{at % 3}", "details": details, "created_at": moment}
        fields |= {"account_id": "a" if at % 2 else None, "previous_hash": made[-1]["hash"] if made else "0" * 64}
        made.append({**fields, "hash": hash_of(fields), "number": first + at})
    return made


def test_archived_entries_are_provable(analytics: Analytics, session: Session) -> None:
    """Every field of an entry is in its archive as it was, so that its hash and the chain hold."""
    both = [*entries(60, "t0", first=1), *entries(60, "t1", first=61)]
    intake.take(session, AUDIT, [row(AUDIT, each) for each in both])
    archive = archives.write(analytics, session, AUDIT, month="2026-01", through=100)
    assert archive is not None
    assert sorted(archives.ends_of_chains(analytics, session, archive)) == [("t0", 60, 60), ("t1", 40, 40)]
    fields = ", ".join(Entry.__slots__)
    kept = session.rows(f"SELECT {fields} FROM {archive.source(analytics)} WHERE tenant_id = 't1' ORDER BY sequence")
    previous = "0" * 64
    for values in kept:
        entry = dict(zip(Entry.__slots__, values, strict=True))
        assert (hash_of(entry), entry["previous_hash"]) == (entry["hash"], previous)
        previous = entry["hash"]
    assert len(kept) == 40


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_exports(analytics: Analytics, session: Session, form: Any, tmp_path: Path) -> None:
    """A tenant's events come from everywhere they are, oldest first, and leave no file behind."""
    rows = events(300)
    rows[4]["key_id"] = "=1+1"
    take(session, rows)
    archived(analytics, session)
    since, until = "2026-01-03T00:00:00.000Z", "2026-03-20T00:00:00.000Z"
    file = questions.export_usage(analytics, session, "t1", form=form, since=since, until=until, account_id=None)
    assert list(analytics.scratch.iterdir()) == []
    expected = [each for each in rows if each["tenant_id"] == "t1" and since <= each["created_at"] < until]
    found = read_back(file.read(), form, tmp_path)
    assert [int(each["input_tokens"]) for each in found] == [each["input_tokens"] for each in expected]
    if form != "parquet":
        assert [each["created_at"] for each in found] == [each["created_at"] for each in expected]
    file.close()


def read_back(content: bytes, form: str, folder: Path) -> list[dict[str, Any]]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(content.decode())))
    if form == "jsonl":
        return [json.loads(line) for line in content.splitlines()]
    path = folder / "read.parquet"
    path.write_bytes(content)
    found = duckdb.connect().execute(f"SELECT * FROM '{path}'")
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def test_no_cell_is_a_formula(analytics: Analytics, session: Session, tmp_path: Path) -> None:
    """In a CSV a cell that a spreadsheet would reckon begins with an apostrophe."""
    take(session, [event(at + 1, created_at="2026-01-01", key_id=f"{begin}1") for at, begin in enumerate("=+-@\t\ra'")])
    file = questions.export_usage(analytics, session, "t0", form="csv", since=None, until=None, account_id=None)
    cells = [each["key_id"] for each in read_back(file.read(), "csv", tmp_path)]
    assert cells == ["'=1", "'+1", "'-1", "'@1", "'\t1", "'\r1", "a1", "'1"]
    file.close()


def test_an_export_that_fails_leaves_nothing(analytics: Analytics, session: Session) -> None:
    """A file that can't be written to its end is gone."""
    take(session, events(10))
    with pytest.raises((NotReady, duckdb.Error)):
        questions.export_usage(analytics, session, "t0", form="csv", since="no time", until=None, account_id=None)
    assert list(analytics.scratch.iterdir()) == []
    assert take(session, events(20)) == 10


def test_names_in_sql_are_data(analytics: Analytics, session: Session) -> None:
    """A tenant's id, an account's, whatever they hold, are compared, never run."""
    take(session, events(30))
    bad = "t1' OR '1'='1"
    file = questions.export_usage(analytics, session, bad, form="jsonl", since=None, until=None, account_id=bad)
    assert file.read() == b""
    file.close()
    span = {"since": day(2026, 1, 1), "until": day(2027, 1, 1)}
    assert questions.history(session, bad, interval="day", group_by=None, account_id=bad, bucket_count=10, **span) == (0, "[]")


def test_more_buckets_than_asked_for(session: Session) -> None:
    """Of more buckets than are wanted one more is counted; names with quotes in them are JSON."""
    take(session, [event(n, created_at=f"2026-01-0{n}T00:00:00.000Z", endpoint='GET "/ł\\"') for n in range(1, 6)])
    span = {"since": day(2026, 1, 1), "until": day(2027, 1, 1), "account_id": None}

    def asked(*, bucket_count: int) -> tuple[int, str]:
        return questions.history(session, "t0", interval="day", group_by="endpoint", bucket_count=bucket_count, **span)  # type: ignore[arg-type]

    assert [asked(bucket_count=count)[0] for count in (3, 5)] == [4, 5]
    assert {bucket["group"] for bucket in json.loads(asked(bucket_count=5)[1])} == {'GET "/ł\\"'}


def test_every_log_has_its_columns(session: Session) -> None:
    """The tables here have the columns of the database's, in their order."""
    for log in LOGS.values():
        found = session.rows(f"SELECT column_name FROM (DESCRIBE {log.table})")
        assert tuple(name for (name,) in found) == log.columns
