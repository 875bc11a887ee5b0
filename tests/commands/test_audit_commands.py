"""`audit`, over a real server."""

import asyncio
import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tenantai.client import AuditFilters, Client, ClientError
from tenantai.server import keys
from tenantai.server.services import audit_export, audit_proof, audit_tail
from tenantai.settings import Settings
from tenantai.storage.database import compiled
from tests.commands.running_cli import WAIT_SECONDS, over_http, start
from tests.running import Running, Tenant, serving


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for new entries at once."""
    monkeypatch.setattr(audit_tail, "LOOK_EVERY_SECONDS", 0.01)


async def test_list(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`audit list` shows who did what to which thing, the newest first, narrowed by options."""
    await running.add_account(acme, "Second")
    listed = (await over_http(running, acme, "audit", "list", home=tmp_path)).out.splitlines()
    assert [line.split()[1] for line in listed] == ["account.created", "account.created", "tenant.created"]
    assert "127.0.0.1" in listed[0]
    assert "Second" in listed[0]
    path = f"{acme.path}/accounts/{acme.account.id}"
    await running.send("PATCH", path, key=acme.key, json={"email": "front@example.org"})
    changed = (await over_http(running, acme, "audit", "list", "--limit", "1", home=tmp_path)).out
    assert "email nothing → front@example.org" in changed
    narrowed = await over_http(
        running, acme, *("audit", "list", "--event", "account.created", "--limit", "1", "--json"), home=tmp_path
    )
    (entry,) = json.loads(narrowed.out)
    assert entry["details"]["after"]["name"] == "Second"
    wrong = await over_http(running, acme, "audit", "list", "--event", "nothing", home=tmp_path)
    assert (wrong.code, "--event" in wrong.err) == (1, True)
    wrong = await over_http(running, acme, "audit", "list", "--from", "then", "--to", "now", home=tmp_path)
    assert "--from: must be a time" in wrong.err
    assert "--to: must be a time" in wrong.err
    none = await over_http(running, acme, "audit", "list", "--subject", "nobody", home=tmp_path)
    assert (none.code, none.out) == (0, "")


async def test_the_operators_chain(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """The operator reads the operator's own chain, or a tenant's by name."""
    key = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    operator = replace(acme, key=key)
    assert (await over_http(running, operator, "audit", "list", home=tmp_path)).out == ""
    named = await over_http(running, operator, "audit", "list", "--tenant", acme.id, home=tmp_path)
    assert len(named.out.splitlines()) == 2


async def test_tail(settings: Settings, brisk: None, tmp_path: Path) -> None:
    """`audit tail -f` shows the last entries, then each that comes, until it is interrupted."""
    async with serving(settings) as running:
        acme = await running.register("Acme")
        arguments = ("audit", "tail", "-n", "1", "-f", "--json")
        following = await start(*arguments, home=tmp_path, TENANTAI_URL=running.url, TENANTAI_API_KEY=acme.key)
        assert following.stdout is not None
        lines = [await asyncio.wait_for(following.stdout.readline(), WAIT_SECONDS)]
        await running.add_account(acme, "Second")
        lines.append(await asyncio.wait_for(following.stdout.readline(), WAIT_SECONDS))
        assert [json.loads(line)["sequence"] for line in lines] == [2, 3]
        following.send_signal(2)
        await following.communicate()
        assert following.returncode == 130


async def test_export(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`audit export` writes a file whole, or its lines to a pipe."""
    told = await over_http(running, acme, "audit", "export", home=tmp_path)
    assert [json.loads(line)["sequence"] for line in told.out.splitlines()] == [1, 2]
    file = tmp_path / "audit.csv"
    saved = await over_http(running, acme, *("audit", "export", "--format", "csv", "--output", str(file)), home=tmp_path)
    assert saved.code == 0, saved.err
    with file.open(newline="") as lines:
        assert [row["event_type"] for row in csv.DictReader(lines)] == ["tenant.created", "account.created"]


async def test_an_export_that_breaks_off_leaves_no_file(
    running: Running, acme: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an export is no file, and the command fails."""
    monkeypatch.setattr(audit_export, "SLICE_ENTRIES", 1)
    running.app[keys.AUDIT_TAIL].drain()
    file = tmp_path / "audit.csv"
    broken = await over_http(running, acme, *("audit", "export", "--output", str(file)), home=tmp_path)
    assert (broken.code, file.exists(), (tmp_path / "audit.csv.part").exists()) == (1, False, False)


async def test_verify(running: Running, acme: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`audit verify` proves a chain part by part, takes an anchor again, and exits with 1 at a broken link, which it names."""
    monkeypatch.setattr(audit_proof, "PROOF_ENTRIES", 2)
    for number in range(4):
        await running.add_account(acme, f"Account {number}")
    whole = await over_http(running, acme, "audit", "verify", home=tmp_path)
    assert whole.code == 0, whole.err
    shown = dict(line.split(": ", 1) for line in whole.out.splitlines())
    assert (shown["valid"], shown["checked"]) == ("yes", "6")
    again = await over_http(running, acme, *("audit", "verify", "--anchor", shown["anchor"], "--json"), home=tmp_path)
    assert json.loads(again.out)["isValid"] is True
    database = running.app[keys.DATABASE]
    await database.write(lambda t: t.run(compiled("UPDATE audit_entries SET actor = 'system' WHERE sequence = 3")))
    broken = await over_http(running, acme, "audit", "verify", home=tmp_path)
    assert (broken.code, "valid: no" in broken.out) == (1, True)
    assert "entry 3" in broken.err


async def test_client(running: Running, acme: Tenant) -> None:
    """The client pages, follows from where a page ended, and hears why a tail ended."""
    key, key_id = await running.issue(acme)
    async with Client(running.url, key) as client:
        page = await client.audit.page(AuditFilters(event_type="account.created", until="2100-01-01"), limit=1)
        assert (page.total, page.total_is_exact, len(page.logs)) == (1, True, 1)
        await running.add_account(acme, "Second")
        following = client.audit.follow(after=page.last_event_id)
        entry = await anext(following)
        assert entry.details["after"]["name"] == "Second"
        await running.revoke(acme, key_id)
        running.app[keys.KEY_RING].forget_all()
        with pytest.raises(ClientError, match="may no longer"):
            await anext(following)
