"""The place of usage: the chart and its groups, the limits, exports, and SQL, against a real server."""

import json

import pytest
from textual.widgets import Static, TabbedContent, TextArea

from tenantai.tui.app import Console
from tenantai.tui.screens.questions import Choose
from tenantai.tui.screens.usage import Usage
from tenantai.tui.usage_series import bar, short
from tenantai.tui.widgets.column_chart import ColumnChart, drawn, merged
from tests.running import Running, Tenant, until
from tests.tui.conftest import Opener, settled

GET_TENANT = "GET /api/v1/tenants/{tenant_id}"
SHOWN = "GET /tenants/{tenant_id}"


def place_of(console: Console) -> Usage:
    screen = console.screen
    assert isinstance(screen, Usage)
    return screen


async def use(running: Running, tenant: Tenant, count: int) -> None:
    for _ in range(count):
        await running.send("GET", tenant.path, key=tenant.key)


async def loaded(console: Console) -> Usage:
    place = place_of(console)
    await until(lambda: place.history is not None and place.quotas.records)
    return place


async def test_what_was_used_is_shown_by_group(opened: Opener, running: Running, acme: Tenant) -> None:
    """Each endpoint is a row with its share; the chart shows the one under the cursor; `m` shows another number."""
    await use(running, acme, 7)
    async with opened(acme.key, place="usage") as (console, pilot):
        place = await loaded(console)
        rows = {line.name: line.requests for line in place.groups.records}
        assert rows[SHOWN] == 7
        assert rows["all"] >= 8
        place.groups.table.cursor = next(at for at, line in enumerate(place.groups.table.rows) if line.name == SHOWN)
        await pilot.pause()
        chart = place.query_one(ColumnChart)
        assert chart.title.startswith(f"7 requests of {SHOWN} ")
        assert [number for _, number in chart.series][-1] == 7
        assert len(chart.series) == 31
        await pilot.press("m", "m")
        assert "errors" in chart.title


async def test_it_is_divided_by_keys_with_their_names(opened: Opener, running: Running, acme: Tenant) -> None:
    """`b` goes on to keys, which have names here; `i` and `s` divide the time otherwise."""
    await use(running, acme, 3)
    async with opened(acme.key, place="usage") as (console, pilot):
        place = await loaded(console)
        await pilot.press("b")
        await until(lambda: place.history is not None and place.history.group_by == "key")
        assert any("…" in line.name for line in place.groups.records)
        await pilot.press("i")
        await until(lambda: place.history is not None and place.history.interval == "month")
        await pilot.press("s")
        await until(lambda: isinstance(console.screen, Choose))
        await pilot.press("enter")
        await until(lambda: place.history is not None and place.history.interval == "hour")
        assert place.span == "24 hours"
        assert len(place.query_one(ColumnChart).series) == 25


async def test_limits_say_how_much_is_used_and_how_long_it_lasts(opened: Opener, running: Running, acme: Tenant) -> None:
    """`v` shows every limit with its percent, and the month's with their outlook."""
    async with opened(acme.key, place="usage") as (console, pilot):
        place = await loaded(console)
        await pilot.press("v")
        assert place.query_one(TabbedContent).active == "limits"
        outlooks = {quota.name: quota.outlook for quota in place.quotas.records}
        assert outlooks["requests this month"].startswith("lasts to 20")
        assert len(outlooks) == 7
        assert "Plan pro" in str(place.query_one("#period", Static).content)


async def test_events_are_exported(opened: Opener, running: Running, acme: Tenant) -> None:
    """`X` writes every event of the span into a file."""
    await use(running, acme, 4)
    async with opened(acme.key, place="usage") as (console, pilot):
        place = await loaded(console)
        await pilot.press("X")
        await until(lambda: isinstance(console.screen, Choose))
        await pilot.press("j", "enter")
        await until(lambda: list((console.folder / "exports").glob("usage-*.jsonl")))
        path = next((console.folder / "exports").glob("usage-*.jsonl"))
        events = [json.loads(line) for line in path.read_text().splitlines()]
        assert sum(event["requests"] for event in events if event["endpoint"] == GET_TENANT) == 4
        assert console.screen is place


async def asked(console: Console, sql: str) -> Usage:
    """Ask in the box, and return the place once there is an answer."""
    place = place_of(console)
    place.box.text = sql
    place.box.action_ask()
    await until(lambda: not place.box.is_asking)
    return place


async def test_sql_is_answered_in_rows(opened: Opener, running: Running, acme: Tenant) -> None:
    """In the third view one SELECT is answered with its own columns; the question is remembered."""
    await use(running, acme, 5)
    async with opened(acme.key, place="usage") as (console, pilot):
        place = await loaded(console)
        await pilot.press("v", "v")
        await until(lambda: isinstance(console.focused, TextArea))
        sql = "SELECT endpoint, sum(requests) AS asked FROM usage_events GROUP BY ALL ORDER BY 2 DESC"
        place.box.text = sql
        await pilot.press("ctrl+j")
        await until(lambda: place.box.records is not None)
        records = place.box.records
        assert records is not None
        assert [column.title for column in records.table.columns] == ["endpoint", "asked"]
        await until(lambda: records.records)
        assert (GET_TENANT, 5) in [(endpoint, int(count)) for _, (endpoint, count) in records.records]
        assert "usage_events (all" in str(place.query_one("#sql-said", Static).content)
        place.box.text = "SELECT 1"
        await pilot.press("ctrl+up")
        assert place.box.text == sql
        await pilot.press("ctrl+down")
        assert place.box.text == ""
        await pilot.press("escape")
        assert console.focused is records.table


@pytest.mark.parametrize(
    ("sql", "said"), [("SELECT nothing FROM usage_events", "nothing"), ("DELETE FROM usage_events", "SELECT")]
)
async def test_wrong_sql_is_said_and_the_answer_stays(
    opened: Opener, running: Running, acme: Tenant, sql: str, said: str
) -> None:
    """What is wrong stands below the box; the rows of before stay."""
    async with opened(acme.key, place="usage") as (console, _):
        await loaded(console)
        place = await asked(console, "SELECT 42 AS answer")
        await asked(console, sql)
        text = place.query_one("#sql-said", Static)
        assert text.has_class("wrong")
        assert said in str(text.content)
        assert place.box.records is not None
        assert [row for _, row in place.box.records.records] == [[42]]


async def test_sql_asks_one_tenant_or_everyone(
    opened: Opener, running: Running, acme: Tenant, globex: Tenant, operator: str
) -> None:
    """The operator asks the shown tenant's rows, and with `O` everyone's; a tenant's key never has more than its own."""
    await use(running, acme, 2)
    await use(running, globex, 3)
    sql = "SELECT count(DISTINCT tenant_id) AS tenants FROM usage_events WHERE tenant_id <> 'operator'"
    async with opened(operator, place="usage", tenant=acme.id) as (console, pilot):
        await loaded(console)
        place = await asked(console, sql)
        assert place.box.records is not None
        assert [row for _, row in place.box.records.records] == [[1]]
        place.groups.table.focus()
        await pilot.press("O")
        await asked(console, sql)
        assert [row for _, row in place.box.records.records] == [[2]]
    async with opened(globex.key, place="usage") as (console, pilot):
        await loaded(console)
        await pilot.press("O")
        assert not place_of(console).is_everyones


async def test_a_question_is_ended(opened: Opener, running: Running, acme: Tenant) -> None:
    """Escape ends a question that is under way, and the box takes the next one."""
    async with opened(acme.key, place="usage") as (console, pilot):
        place = await loaded(console)
        await pilot.press("v", "v")
        place.box.text = "SELECT count(*) FROM range(100000000000) a, range(1000) b"
        place.box.action_ask()
        await pilot.press("escape")
        assert not place.box.is_asking
        await until(lambda: not any(worker.group == "sql" and not worker.is_finished for worker in console.workers))
        await settled(console, pilot)


def test_a_chart_is_readable_in_any_size() -> None:
    """Columns fit the width, the largest is full, what is more than nothing is seen, and neighbours are added up."""
    series = [(f"{day:02}", 100 if day == 5 else 1) for day in range(1, 31)]
    lines = [str(line) for line in drawn(series, width=72, height=10)]
    assert all(len(line) <= 72 for line in lines)
    assert lines[0].count("█") == 1
    assert lines[-3].count("▁") == 29
    assert lines[-1].split()[0] == "01"
    assert sum(number for _, number in merged(series, most=7)) == 129
    assert len(merged(series, most=7)) <= 7
    assert str(drawn([("a", 0)], width=40, height=8)[0]) == "Nothing was used in this time."


def test_numbers_and_bars_are_short() -> None:
    """A number has five characters at most; a bar says its share without colour."""
    assert [short(n) for n in (0, 999, 1_000, 123_456, 2_500_000, 3e9)] == ["0", "999", "1.0k", "123k", "2.5M", "3.0G"]
    assert bar(0.5, width=4) == "██··"
    assert bar(2.0, width=4) == "████"
    assert bar(0.0, width=4) == "····"
