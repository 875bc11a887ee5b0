"""Windows, billing months, ledgers and the journal, against simple models of them."""

import bisect
import errno
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from mmap import mmap
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantai.errors import LimitExceeded
from tenantai.identifiers import timestamp_of
from tenantai.server.services.metering.ledger import Ledger, tenths_used
from tenantai.server.services.metering.periods import day_of, midnight, month_of
from tenantai.server.services.metering.windows import SLOTS, SlidingWindow
from tenantai.settings import Plan
from tenantai.storage import usage_journal
from tenantai.storage.tenants import Tenant
from tenantai.storage.usage_journal import OWED_BYTES_MAX, UsageJournal, last_second, line_of, parsed

BEGAN = midnight(date(2026, 1, 31))


def tenant_made_on(day: str) -> Tenant:
    """Return a tenant that was made on a day."""
    return Tenant("t", "T", "t@example.com", "pro", f"{day}T12:00:00.000Z", f"{day}T12:00:00.000Z")


@given(st.lists(st.floats(0, 400), max_size=300), st.integers(1, 20), st.sampled_from([60.0, 90.0]))
def test_window_never_lets_too_many_in(moments: list[float], limit: int, seconds: float) -> None:
    """No span of the window's length holds more than the limit, and a place is free again at most a 600th of it late."""
    window, let_in = SlidingWindow(seconds), list[float]()
    for moment in sorted(moments):
        within = len(let_in) - bisect.bisect_right(let_in, moment - seconds)
        surely_within = len(let_in) - bisect.bisect_right(let_in, moment - seconds * (1 + 1.001 / SLOTS))
        used = window.at(moment)
        assert within <= used <= surely_within or within <= used <= limit
        if used < limit:
            assert within < limit
            window.add(moment)
            let_in.append(moment)
        else:
            assert surely_within >= limit
            free_at = window.free_at(limit, moment)
            assert moment < free_at <= moment + seconds * (1 + 2 / SLOTS)
    assert window.at(1e6) == 0


@given(st.lists(st.floats(0, 4000), min_size=1, max_size=2000))
def test_window_memory_is_bounded(moments: list[float]) -> None:
    """However much is counted, the window holds no more than its slots."""
    window = SlidingWindow(60)
    for moment in sorted(moments):
        window.add(moment, 1000)
    assert len(window._slots) <= SLOTS + 1


def test_window_with_the_clock_set_back() -> None:
    """A clock that is set back frees nothing at once, and holds nothing for longer than the window lasts."""
    window = SlidingWindow(60)
    window.add(1_000_000.0)
    window.add(1_000_030.0)
    assert window.at(10.0) == 2
    assert window.at(39.0) == 2
    assert window.at(41.0) == 1
    window.add(45.0)
    assert window.at(71.0) == 1
    assert window.at(106.0) == 0


def test_ledger_with_the_clock_set_back() -> None:
    """A tenant at its limit of a minute waits no longer than that where the clock is set back; quotas are the days' own."""
    ledger = Ledger(tenant_made_on("2026-01-31"), Plan(requests_per_minute=3), moment=BEGAN)
    ahead = BEGAN + 40 * 86400
    ledger.admit(BEGAN)
    for _ in range(3):
        ledger.admit(ahead)
    with pytest.raises(LimitExceeded) as refused:
        ledger.admit(BEGAN + 10)
    assert refused.value.retry_after_seconds <= 61
    assert ledger.was_set_back
    ledger.admit(BEGAN + 71)
    assert (ledger.day_ends, ledger.day_requests) == (BEGAN + 86400, 1)
    assert (ledger.month_starts_on, ledger.month_requests) == ("2026-01-31", 1)


@given(st.dates(date(2024, 1, 1), date(2032, 12, 31)), st.integers(1, 31))
def test_months_follow_each_other(day: date, anchor: int) -> None:
    """A day is in one month; months meet without a gap, and each begins on the anchor or the last day of a shorter month."""
    month = month_of(midnight(day) + 3600, anchor=anchor)
    assert month.starts_on <= day < month.ends_on
    assert month_of(month.ends, anchor=anchor).starts_on == month.ends_on
    assert month.starts_on.day == anchor or (month.starts_on + timedelta(days=1)).day == 1
    assert 28 <= (month.ends_on - month.starts_on).days <= 31


@pytest.mark.parametrize(
    ("at", "anchor", "begins", "ends"),
    [
        ("2026-02-28", 31, "2026-02-28", "2026-03-31"),
        ("2026-03-30", 31, "2026-02-28", "2026-03-31"),
        ("2028-02-29", 30, "2028-02-29", "2028-03-30"),
        ("2026-01-01", 15, "2025-12-15", "2026-01-15"),
    ],
)
def test_short_months(at: str, anchor: int, begins: str, ends: str) -> None:
    """A month that lacks the anchor's day begins on its last one."""
    month = month_of(midnight(date.fromisoformat(at)), anchor=anchor)
    assert (month.starts_on.isoformat(), month.ends_on.isoformat()) == (begins, ends)


LIMITS = st.fixed_dictionaries(
    {
        "requests_per_minute": st.integers(1, 6),
        "requests_per_hour": st.integers(1, 12),
        "requests_per_day": st.integers(1, 20),
        "requests_per_month": st.integers(1, 30),
    }
)


@given(
    LIMITS,
    st.lists(st.tuples(st.sampled_from([0.0, 1.0, 59.0, 61.0, 3601.0, 86400.0, 86400.0 * 20]), st.booleans()), max_size=80),
)
def test_ledger_against_a_model(limits: dict[str, int], steps: list[tuple[float, bool]]) -> None:
    """Under any order of requests, refusals and waits the quotas hold exactly, and what is refused is in none of them."""
    ledger, moment = Ledger(tenant_made_on("2026-01-31"), Plan(**limits), moment=BEGAN), BEGAN
    counted: list[float] = []
    refusals: list[LimitExceeded] = []
    for wait, is_taken_back in steps:
        moment += wait
        today, month = day_of(moment), month_of(moment, anchor=31)
        in_day = sum(m >= today.begins for m in counted)
        in_month = sum(m >= month.begins for m in counted)
        try:
            ledger.admit(moment)
        except LimitExceeded as refused:
            refusals.append(refused)
        else:
            assert in_day < limits["requests_per_day"]
            assert in_month < limits["requests_per_month"]
            assert sum(m > moment - 60 for m in counted) < limits["requests_per_minute"]
            assert sum(m > moment - 3600 for m in counted) < limits["requests_per_hour"]
            counted.append(moment)
            if is_taken_back:
                ledger.take_back()
                counted.pop()
        assert ledger.day_requests == sum(m >= today.begins for m in counted)
        assert ledger.month_requests == sum(m >= month.begins for m in counted)
    for refusal in refusals:
        assert refusal.details is not None
        assert refusal.details["used"] >= refusal.details["limit"]
        assert refusal.retry_after_seconds >= 1


@pytest.mark.parametrize(
    ("used", "limit", "tenths"), [(0, 3, 0), (1, 3, 333), (2999, 3000, 999), (3, 3, 1000), (9, 3, 1000), (0, 0, 1000)]
)
def test_percent_says_100_only_when_nothing_is_left(used: int, limit: int, tenths: int) -> None:
    """Percent are rounded down."""
    assert tenths_used(used, limit) == tenths


def _line(endpoint: str, requests: int = 1) -> bytes:
    return line_of("t", "2026-01-31", endpoint, "k", "", "", 200, requests, 0, 0, 0)


def test_journal_counts_like_lines_together(tmp_path: Path) -> None:
    """What is read back is what was written, a second at a time, wherever reading begins."""
    journal = UsageJournal(tmp_path / "usage")
    journal.open()
    for second, endpoint in ((100, "a"), (100, "a"), (100, "b"), (101, "a")):
        journal.write(second, _line(endpoint))
    journal.close()
    (name,) = journal.segments()
    data = journal.read(name, offset=0)
    told = [(event.created_at[-5:-1], event.endpoint, event.requests) for event, _ in parsed(data, second=0)]
    assert told == [("0.000"[-4:], "a", 2), ("0.000"[-4:], "b", 1), ("1.000"[-4:], "a", 1)]
    cut = data.index(b"\n", data.index(b"\n") + 1) + 1
    rest = journal.read(name, offset=cut)
    later = [(event.endpoint, event.requests) for event, _ in parsed(rest, second=last_second(data[:cut], second=0))]
    assert later == [("a", 1), ("b", 1), ("a", 1)]


def test_torn_line_is_not_read(tmp_path: Path) -> None:
    """A line that a kill cut off is left alone, and what stands before it is read."""
    journal = UsageJournal(tmp_path / "usage")
    journal.open()
    journal.write(100, _line("a"))
    journal.close()
    (name,) = journal.segments()
    whole = (journal.folder / name).read_bytes()
    end = whole.index(b"\0")
    (journal.folder / name).write_bytes(whole[:end] + _line("b")[:9] + whole[end + 9 :])
    assert [event.endpoint for event, _ in parsed(journal.read(name, offset=0), second=0)] == ["a"]


def test_full_disk_owes_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full lines wait, too many are too many, and all are there once it is not."""
    monkeypatch.setattr(usage_journal, "SEGMENT_BYTES", len(_line("a")) * 2)
    journal = UsageJournal(tmp_path / "usage")
    journal.open()
    journal.write(100, _line("a"))

    def full(_path: Path, _size: int) -> mmap:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as disk:
        disk.setattr(usage_journal, "_taken", full)
        journal.write(100, _line("b"))
        journal.write(101, _line("c"))
        owed_only = journal.is_full
        for _ in range(OWED_BYTES_MAX // len(_line("x")) + 1):
            journal.write(101, _line("x"))
        assert (owed_only, journal.is_full) == (False, True)
    journal.write(102, _line("d"))
    assert not journal.is_full
    journal.close()
    told = []
    for name in journal.segments():
        offset = second = 0
        while data := journal.read(name, offset=offset):
            told += [(event.endpoint, event.created_at) for event, _ in parsed(data, second=second)]
            offset, second = offset + len(data), last_second(data, second=second)
    seconds = [datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z") for s in (100, 100, 101, 101, 102)]
    assert list(dict.fromkeys(told)) == list(zip("abcxd", seconds, strict=True))


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=60))
def test_journal_loses_and_doubles_nothing(written: list[tuple[int, str]]) -> None:
    """Over many small segments, read in pieces at any moment, each line is taken once, under its second."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(usage_journal, "SEGMENT_BYTES", 150)
        journal, second, places, taken = UsageJournal(Path(folder)), 100, dict[str, tuple[int, int]](), Counter[tuple[str, str]]()
        journal.open()
        expected = Counter[tuple[str, str]]()
        for wait, endpoint in written:
            second += wait
            journal.write(second, _line(endpoint))
            expected[endpoint, timestamp_of(second)] += 1
            if wait == 2:
                _take_all(journal, places, taken)
        _take_all(journal, places, taken)
        journal.close()
        assert taken == expected


def _take_all(journal: UsageJournal, places: dict[str, tuple[int, int]], taken: Counter[tuple[str, str]]) -> None:
    for name in journal.segments():
        offset, second = places.get(name, (0, 0))
        while data := journal.read(name, offset=offset):
            for event, _ in parsed(data, second=second):
                taken[event.endpoint, event.created_at] += event.requests
            offset, second = offset + len(data), last_second(data, second=second)
        places[name] = (offset, second)
