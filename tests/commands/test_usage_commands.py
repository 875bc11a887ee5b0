"""`usage history` and `analytics rebuild`, over a real server and a real folder."""

import json
from dataclasses import replace
from pathlib import Path

import duckdb

from tenantai.server import keys
from tenantai.settings import Settings
from tenantai.storage.migrating import Layout
from tests.commands.running_cli import over_http, run
from tests.running import API, Running, Tenant, serving


async def test_history(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`usage history` shows a line for each interval and group, or JSON, or writes a file of the events."""
    told = await over_http(running, acme, "usage", "history", "--group-by", "endpoint", home=tmp_path)
    head, line = told.out.splitlines()
    assert head.split() == ["start", "requests", "errors", "refused", "tokens", "in", "tokens", "out", "endpoint"]
    assert line.endswith("POST /api/v1/tenants/{tenant_id}/accounts")
    found = json.loads(
        (await over_http(running, acme, *("usage", "history", "--interval", "month", "--json"), home=tmp_path)).out
    )
    assert (found["interval"], len(found["buckets"])) == ("month", 1)
    file = tmp_path / "usage.parquet"
    saved = await over_http(running, acme, *("usage", "history", "--format", "parquet", "-o", str(file)), home=tmp_path)
    assert saved.code == 0, saved.err
    assert duckdb.connect().execute(f"SELECT sum(requests) >= 3 FROM '{file}'").fetchall() == [(True,)]
    lines = await over_http(running, acme, *("usage", "history", "--format", "jsonl"), home=tmp_path)
    assert {json.loads(line)["status"] for line in lines.out.splitlines()} == {200, 201}


async def test_misuse(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """A file without its kind, a span that is none, are refused in the words of the command."""
    nothing = await over_http(running, acme, *("usage", "history", "-o", "x"), home=tmp_path)
    assert (nothing.code, "--format" in nothing.err) == (2, True)
    wrong = await over_http(running, acme, *("usage", "history", "--from", "2026-02-01", "--to", "2026-01-01"), home=tmp_path)
    assert (wrong.code, "from: must lie before to" in wrong.err) == (1, True)
    empty = await over_http(running, acme, *("usage", "history", "--from", "2020-01-01", "--to", "2020-01-02"), home=tmp_path)
    assert (empty.code, empty.out, "Nothing was used" in empty.err) == (0, "", True)


async def test_the_operator_names_a_tenant(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """With the operator's key `--tenant` says whose use is shown."""
    key = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    shown = await over_http(
        running, replace(acme, key=key), *("usage", "history", "--tenant", acme.id, "--group-by", "status"), home=tmp_path
    )
    assert "201" in shown.out


async def test_rebuild(settings: Settings, brisk: None, tmp_path: Path) -> None:
    """`analytics rebuild` makes the file anew with the same numbers; without a database it refuses."""
    folder = ("--data-dir", str(settings.data_dir))
    async with serving(settings) as running:
        acme = await running.register("Acme")
        before = (await running.send("GET", f"{API}/usage/history?groupBy=endpoint", key=acme.key)).data["buckets"]
    file = Layout(settings.data_dir).analytics / "analytics.duckdb"
    held = file.stat().st_ino
    file.rename(file.with_name("old"))
    told = await run("analytics", "rebuild", *folder, home=tmp_path)
    assert (told.code, "Made anew" in told.err) == (0, True), told.err
    assert file.stat().st_ino != held
    async with serving(settings) as running:
        after = (await running.send("GET", f"{API}/usage/history?groupBy=endpoint", key=acme.key)).data["buckets"]
    assert [bucket for bucket in after if bucket in before] == before
    nowhere = await run("analytics", "rebuild", "--data-dir", str(tmp_path / "nowhere"), home=tmp_path)
    assert (nowhere.code, "no database" in nowhere.err) == (1, True)
