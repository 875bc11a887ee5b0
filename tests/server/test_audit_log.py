"""Reading the audit log: filters, pages, the live tail, exports and the proof."""

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest

from tenantai.errors import NotReady
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.services import audit_export, audit_proof, audit_tail, retention
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage import audit, audit_chain, audit_log
from tenantai.storage.audit import Actor
from tenantai.storage.database import Transaction, compiled
from tests.running import WAIT_SECONDS, Account, Reply, Running, Tenant, serving

AUDIT = f"{API}/audit"


async def write(running: Running, chain: str, count: int, **given: Any) -> None:
    """Add entries to a chain; `details` tells them apart."""

    async def unit(transaction: Transaction) -> None:
        for number in range(count):
            fields = {"event_type": "account.updated", "actor": Actor("key:k1", "k1"), "details": {"number": number}, **given}
            await audit.record(transaction, chain, **fields)

    await running.app[keys.DATABASE].write(unit)


async def ask(running: Running, tenant: Tenant, **query: str) -> Reply:
    """Ask for a page."""
    return await running.send("GET", AUDIT, key=tenant.key, params=query)


def sequences(reply: Reply) -> list[int]:
    """Return the sequences of a page."""
    return [entry["sequence"] for entry in reply.data["logs"]]


def operator_key(running: Running) -> str:
    """Return the operator's key."""
    return (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()


async def test_newest_first(running: Running, acme: Tenant, globex: Tenant) -> None:
    """A page has 100 entries unless it says otherwise, at most 1000, the newest first, with the whole tenant's total."""
    await write(running, globex.id, 3)
    await write(running, acme.id, 1100)
    reply = await ask(running, acme)
    assert sequences(reply) == list(range(1102, 1002, -1))
    assert (reply.data["total"], reply.data["totalIsExact"], reply.data["lastEventId"]) == (1102, True, "1102")
    assert len(sequences(await ask(running, acme, limit="1000"))) == 1000
    assert (await ask(running, acme, limit="1001")).fields == {"limit"}
    assert sequences(await ask(running, acme, limit="2", offset="1100")) == [2, 1]
    assert sequences(await ask(running, acme, limit="2", offset="999999")) == []
    assert {entry["tenant_id"] for entry in reply.data["logs"]} == {acme.id}


async def test_offset_and_cursor(running: Running, acme: Tenant) -> None:
    """An offset counts what the filters leave; with a cursor, off the road or below zero it is refused."""
    await write(running, acme.id, 4, subject_id="s")
    assert sequences(await ask(running, acme, subjectId="s", limit="2", offset="1")) == [5, 4]
    cursor = (await ask(running, acme, limit="1")).data["nextCursor"]
    for bad in ({"offset": "1", "cursor": cursor}, {"offset": "-1"}, {"offset": "x"}, {"offset": "10001", "subjectId": "s"}):
        assert (await ask(running, acme, **bad)).fields == {"offset"}
    assert (await ask(running, acme, offset="10001")).data["logs"] == []


@pytest.fixture
async def varied(running: Running, acme: Tenant) -> None:
    """Entries that differ in everything that can be asked for."""
    await write(running, acme.id, 2, event_type="file.excluded", subject_id="f1", asset_id="f1", account_id="a1")
    await write(running, acme.id, 2, event_type="file.included", subject_id="f2", asset_id="f2", account_id="a2")
    await write(running, acme.id, 1, event_type="key.revoked", subject_id="k9", actor=Actor("operator", "operator"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"eventType": "file.excluded"}, [4, 3]),
        ({"actor": "operator"}, [7]),
        ({"keyId": "k1"}, [6, 5, 4, 3]),
        ({"keyId": "operator", "actor": "operator"}, [7]),
        ({"accountId": "a2"}, [6, 5]),
        ({"subjectId": "k9"}, [7]),
        ({"assetId": "f1"}, [4, 3]),
        ({"assetId": "f1", "eventType": "file.included"}, []),
        ({"accountId": "a1", "eventType": "file.excluded", "keyId": "k1"}, [4, 3]),
        ({"from": "2000-01-01"}, [7, 6, 5, 4, 3, 2, 1]),
        ({"to": "2000-01-01T00:00:00Z"}, []),
        ({"from": "9999-01-01T00:00:00+01:00"}, []),
        ({"to": "9999-01-01", "eventType": "key.revoked"}, [7]),
    ],
)
async def test_filters(running: Running, acme: Tenant, varied: None, query: dict[str, str], expected: list[int]) -> None:
    """Each filter, alone and with others, leaves what it names, with its total."""
    reply = await ask(running, acme, **query)
    assert sequences(reply) == expected
    assert (reply.data["total"], reply.data["totalIsExact"]) == (len(expected), True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"eventType": "nothing.happened"}, "eventType"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"format": "pdf"}, "format"),
        ({"actor": "operator", "keyId": "k1"}, "actor"),
        ({"subjectId": "x" * 201}, "subjectId"),
    ],
)
async def test_filters_that_are_none(running: Running, acme: Tenant, query: dict[str, str], field: str) -> None:
    """A filter that cannot be is refused by name."""
    assert (await ask(running, acme, **query)).fields == {field}


async def test_times(running: Running, acme: Tenant) -> None:
    """From and to are both within, to the millisecond, in any zone; a clock that was set back hides nothing from a wide span."""
    await write(running, acme.id, 3)
    moments = ["1970-01-01T00:00:00.000Z", "2040-01-01T00:00:00.000Z", *(f"2026-01-01T00:00:0{n}.000Z" for n in range(3))]

    async def unit(transaction: Transaction) -> None:
        for sequence, moment in enumerate(moments, 1):
            sql = "UPDATE audit_entries SET created_at = :m WHERE tenant_id = :t AND sequence = :s"
            await transaction.run(compiled(sql), m=moment, t=acme.id, s=sequence)

    await running.app[keys.DATABASE].write(unit)
    middle = {"from": "2026-01-01T00:00:01Z", "to": "2026-01-01T01:00:01+01:00"}
    assert sequences(await ask(running, acme, **middle)) == [4]
    assert sequences(await ask(running, acme, **{"from": "1900-01-01", "to": "2100-01-01"})) == [5, 4, 3, 2, 1]


async def test_long_walks_are_cut(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two filters of which neither is rare are answered page by page, each after a bounded walk, and every entry comes once."""
    monkeypatch.setattr(audit_log, "EXAMINED_MAX", 7)
    monkeypatch.setattr(audit_log, "ROUNDS_MAX", 2)
    monkeypatch.setattr(audit_log, "COUNTED_MAX", 10)
    for number in range(12):
        event = "account.created" if number % 6 == 0 else "account.updated"
        await write(running, acme.id, 3, event_type=event, account_id="a")
    query = {"eventType": "account.created", "accountId": "a", "limit": "2"}
    seen: list[int] = []
    pages = 0
    cursor: str | None = ""
    while cursor is not None:
        reply = await ask(running, acme, **query, **({"cursor": cursor} if cursor else {}))
        assert reply.data["totalIsExact"] is False
        seen += sequences(reply)
        cursor = reply.data["nextCursor"]
        pages += 1
    assert seen == [23, 22, 21, 5, 4, 3]
    assert pages > 3


async def test_bound_key(running: Running, acme: Tenant, second: Account) -> None:
    """A key bound to an account reads what concerns that account, by whomever, and cannot ask for more."""
    await running.upload(acme, "The lamp is green.", account=second)
    await running.upload(acme, "The lamp is red.")
    key, _ = await running.issue(acme, account=second)
    for path in (AUDIT, f"{acme.path}/store/audit"):
        logs = (await running.send("GET", path, key=key)).data["logs"]
        assert {entry["details"].get("name") for entry in logs} <= {"notes.txt", None}
        assert len(logs) == (2 if "store" in path else 3)
    assert (await running.send("GET", f"{AUDIT}?accountId={acme.account.id}", key=key)).status == 403
    assert (await running.send("GET", f"{AUDIT}/verify", key=key)).status == 403
    lines = (await running.send("GET", f"{AUDIT}?format=jsonl", key=key)).text.splitlines()
    assert {json.loads(line)["account_id"] for line in lines} == {second.id}


async def test_operator(running: Running, acme: Tenant) -> None:
    """The operator reads the operator's own chain, or the tenant's that is named."""
    await running.send("GET", acme.path)
    await running.app[keys.REFUSALS].flush()
    key = operator_key(running)
    own = await running.send("GET", AUDIT, key=key)
    assert [entry["event_type"] for entry in own.data["logs"]] == ["access.unauthenticated"]
    theirs = await running.send("GET", f"{AUDIT}?tenantId={acme.id}", key=key)
    assert [entry["event_type"] for entry in theirs.data["logs"]] == ["account.created", "tenant.created"]
    assert (await running.send("GET", f"{AUDIT}?tenantId=operator", key=acme.key)).status == 403
    assert (await running.send("GET", f"{AUDIT}?tenantId=nobody", key=key)).status == 404


async def test_store_log(running: Running, acme: Tenant) -> None:
    """The store's log tells of files only, under the reference's names, and finds a file's story by its id and why it failed."""
    good = await running.upload(acme, "The lamp is green.")
    bad = (await running.post_file(acme, b"\x00\x01\x02", "odd.bin")).data["file"]["id"]
    await running.settled(acme)
    await running.act(acme, "exclude", good)
    path = f"{acme.path}/store/audit"
    reply = await running.send("GET", path, key=acme.key)
    told = [(entry["event_type"], entry["asset_id"]) for entry in reply.data["logs"]]
    expected = [("file_excluded", good), ("sync_failed", bad), ("file_uploaded", bad), ("sync_completed", good)]
    assert told == [*expected, ("file_uploaded", good)]
    assert reply.data["total"] == 5
    assert set(reply.data["logs"][0]) == {"id", "asset_id", "event_type", "actor", "details", "created_at"}
    (failed,) = (await running.send("GET", f"{path}?assetId={bad}&eventType=sync_failed", key=acme.key)).data["logs"]
    assert failed["details"]["error_message"]
    assert (await running.send("GET", f"{path}?eventType=file.failed", key=acme.key)).fields == {"eventType"}
    assert len((await running.send("GET", f"{path}?limit=2&offset=3", key=acme.key)).data["logs"]) == 2


async def test_exports(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export has every entry that the filters leave, oldest first, as CSV and as JSON Lines."""
    monkeypatch.setattr(audit_export, "SLICE_ENTRIES", 7)
    await write(running, acme.id, 30, subject_id="s")
    lines = await ask(running, acme, format="jsonl", subjectId="s")
    assert lines.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    records = [json.loads(line) for line in lines.text.splitlines()]
    assert [record["sequence"] for record in records] == list(range(3, 33))
    table = await ask(running, acme, format="csv", subjectId="s")
    assert 'filename="audit.csv"' in table.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert [int(row["sequence"]) for row in rows] == [record["sequence"] for record in records]
    assert json.loads(rows[0]["details"]) == records[0]["details"]
    assert (await ask(running, acme, format="jsonl", subjectId="nobody")).text == ""


async def test_an_export_can_be_proved_elsewhere(running: Running, acme: Tenant) -> None:
    """An exported entry's hash is that of what stands before it, so that whoever keeps an export can prove it."""
    await write(running, acme.id, 2, before={"x": 1}, after={"x": "é"})
    for line in (await ask(running, acme, format="jsonl")).text.splitlines():
        record = json.loads(line)
        covered = [json.dumps(value, sort_keys=True) if name == "details" else value for name, value in record.items()]
        assert hashlib.sha256(json.dumps(covered[:-1]).encode()).hexdigest() == record["hash"]


@pytest.mark.parametrize("begin", audit_export.FORMULA_BEGINS)
async def test_no_cell_is_a_formula(running: Running, acme: Tenant, begin: str) -> None:
    """A cell that a spreadsheet would take for a formula is text."""
    await write(running, acme.id, 1, subject_id=f"{begin}cmd|' /C calc'!A0")
    rows = list(csv.DictReader(io.StringIO((await ask(running, acme, format="csv")).text, newline="")))
    assert rows[-1]["subject_id"].startswith(f"'{begin}")


async def test_a_broken_export_never_seems_whole(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server goes down in the middle of an export the connection breaks, so that half is not taken for all."""
    monkeypatch.setattr(audit_export, "SLICE_ENTRIES", 7)
    await write(running, acme.id, 30)
    running.app[keys.AUDIT_TAIL].drain()
    with pytest.raises(aiohttp.ClientError):
        await ask(running, acme, format="jsonl")
    assert running.app[keys.LIVE_STREAMS].used(acme.id) == 0


class Tail:
    """A tail that is being read."""

    def __init__(self, response: Any) -> None:
        self._response = response

    async def line(self) -> str:
        """Return the next line that is not empty."""
        while True:
            line: str = (await asyncio.wait_for(self._response.content.readline(), WAIT_SECONDS)).decode()
            assert line, "the stream ended"
            if line.strip():
                return line.rstrip("\n")

    async def entry(self) -> dict[str, Any]:
        """Return the next entry, whose event has its sequence as its id."""
        event_id = await self.line()
        entry: dict[str, Any] = json.loads((await self.line()).removeprefix("data: "))
        assert event_id == f"id: {entry['sequence']}"
        return entry


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for new entries at once."""
    monkeypatch.setattr(audit_tail, "LOOK_EVERY_SECONDS", 0.01)


@asynccontextmanager
async def tailing(running: Running, key: str, *, after: int | None = None, query: str = "") -> AsyncIterator[Tail]:
    """Open a tail."""
    headers = {"x-api-key": key, "Accept": "text/event-stream", **({"Last-Event-ID": str(after)} if after is not None else {})}
    async with running.session.get(f"{running.url}{AUDIT}{query}", headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Tail(response)
        response.close()


async def test_tail(running: Running, acme: Tenant, globex: Tenant, quick: None) -> None:
    """A tail tells of each change as it comes, of this tenant and within its filters, and of nothing from before."""
    async with tailing(running, acme.key) as whole, tailing(running, acme.key, query="?eventType=key.revoked") as narrow:
        await running.add_account(globex, "Theirs")
        await running.add_account(acme, "Ours")
        await write(running, acme.id, 1, event_type="key.revoked")
        assert (await whole.entry())["details"]["after"]["name"] == "Ours"
        assert (await whole.entry())["event_type"] == (await narrow.entry())["event_type"] == "key.revoked"


async def test_tail_resumes(running: Running, acme: Tenant, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tail that goes on behind an entry misses none, however many were written meanwhile, and doubles none."""
    monkeypatch.setattr(audit_tail, "BATCH_ENTRIES", 5)
    last = int((await ask(running, acme)).data["lastEventId"])
    await write(running, acme.id, 23)
    async with tailing(running, acme.key, after=last) as tail:
        seen = [(await tail.entry())["sequence"] for _ in range(12)]
    async with tailing(running, acme.key, after=seen[-1]) as tail:
        await write(running, acme.id, 2)
        seen += [(await tail.entry())["sequence"] for _ in range(13)]
    assert seen == list(range(last + 1, last + 26))
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "x"}
    assert (await running.send("GET", AUDIT, key=acme.key, headers=headers)).fields == {"Last-Event-ID"}


async def test_tail_of_a_revoked_key(running: Running, acme: Tenant, quick: None) -> None:
    """A tail ends, and tells nothing more, soon after its key is revoked."""
    key, key_id = await running.issue(acme)
    async with tailing(running, key) as tail:
        await running.revoke(acme, key_id)
        running.app[keys.KEY_RING].forget_all()
        await write(running, acme.id, 1)
        assert json.loads((await tail.line()).removeprefix("data: "))["type"] == "error"
        assert await tail.line() == "data: [DONE]"


async def test_tail_while_the_database_fails(
    running: Running, acme: Tenant, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tail whose database fails ends as at a shutdown, so that its reader comes back with the last id."""
    async with tailing(running, acme.key) as tail:

        async def failing(*_: object, **__: object) -> None:
            raise NotReady

        monkeypatch.setattr(audit_log, "chain", failing)
        assert await tail.line() == "data: [DONE]"


async def test_tails_are_bounded_and_end_at_shutdown(settings: Settings, quick: None) -> None:
    """A tenant has so many tails as its plan has streams, gets a place back when one ends, and all end at a shutdown."""
    settings = settings.model_copy(update={"plans": Plans(pro=Plan(streams=2))})
    async with serving(settings) as running:
        acme = await running.register("Acme")
        headers = {"Accept": "text/event-stream"}
        async with tailing(running, acme.key), tailing(running, acme.key) as last:
            assert (await running.send("GET", AUDIT, key=acme.key, headers=headers)).error["code"] == "TOO_MANY_STREAMS"
            running.app[keys.AUDIT_TAIL].drain()
            assert await last.line() == "data: [DONE]"
        assert running.app[keys.LIVE_STREAMS].used(acme.id) <= 1


async def prove(running: Running, tenant: Tenant, **query: str) -> dict[str, Any]:
    """Ask for a proof."""
    return (await running.send("GET", f"{AUDIT}/verify", key=tenant.key, params=query)).data


async def tamper(running: Running, sql: str, **given: Any) -> None:
    """Change the record by hand."""

    async def unit(transaction: Transaction) -> None:
        await transaction.run(compiled(sql), **given)

    await running.app[keys.DATABASE].write(unit)


async def test_proof(running: Running, acme: Tenant, globex: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole chain is proved to its end, in as many requests as it takes; another tenant's fault is none of it."""
    monkeypatch.setattr(audit_proof, "SLICE_ENTRIES", 4)
    monkeypatch.setattr(audit_proof, "PROOF_ENTRIES", 8)
    await write(running, acme.id, 18)
    await tamper(running, "DELETE FROM audit_entries WHERE tenant_id = :t", t=globex.id)
    checked, proof = 0, await prove(running, acme)
    while True:
        checked += proof["checked"]
        assert proof["isValid"]
        if proof["isComplete"]:
            break
        proof = await prove(running, acme, cursor=proof["nextCursor"])
    assert (checked, proof["proved"]["sequence"], proof["nextCursor"]) == (20, 20, None)
    other = await prove(running, globex)
    assert (other["isValid"], other["broken"]) == (False, {"sequence": 1, "id": None, "fault": "cut off"})


@pytest.mark.parametrize(
    ("sql", "sequence", "fault"),
    [
        ("UPDATE audit_entries SET details = '{}' WHERE tenant_id = :t AND sequence = 5", 5, "edited"),
        ("UPDATE audit_entries SET actor = 'system' WHERE tenant_id = :t AND sequence = 5", 5, "edited"),
        ("UPDATE audit_entries SET details = x'00' WHERE tenant_id = :t AND sequence = 5", 5, "edited"),
        ("UPDATE audit_entries SET hash = 'x' WHERE tenant_id = :t AND sequence = 5", 5, "edited"),
        ("DELETE FROM audit_entries WHERE tenant_id = :t AND sequence = 5", 5, "missing"),
        ("DELETE FROM audit_entries WHERE tenant_id = :t AND sequence < 5", 1, "missing"),
        ("DELETE FROM audit_entries WHERE tenant_id = :t AND sequence > 9", 10, "cut off"),
        ("UPDATE audit_entries SET sequence = 100 WHERE tenant_id = :t AND sequence = 5", 5, "missing"),
        ("UPDATE audit_chains SET last_hash = 'x' WHERE tenant_id = :t", 12, "end edited"),
        ("UPDATE audit_chains SET last_sequence = 9 WHERE tenant_id = :t", 9, "end edited"),
        ("DELETE FROM audit_chains WHERE tenant_id = :t", 1, "added"),
    ],
)
async def test_broken_chains(running: Running, acme: Tenant, sql: str, sequence: int, fault: str) -> None:
    """What is edited, deleted, moved or cut off by hand is named at the first link that does not hold."""
    await write(running, acme.id, 10)
    await tamper(running, sql, t=acme.id)
    proof = await prove(running, acme)
    assert (proof["isValid"], proof["broken"]["sequence"], proof["broken"]["fault"]) == (False, sequence, fault)


async def test_old_end_cut_by_hand(running: Running, acme: Tenant) -> None:
    """Old entries that were removed by hand, the chain's own beginning moved along, are missed: nothing says that they may go."""
    await write(running, acme.id, 10)
    await tamper(
        running,
        "UPDATE audit_chains SET kept_after_sequence = 5, kept_after_hash = "
        "(SELECT hash FROM audit_entries WHERE tenant_id = :t AND sequence = 5) WHERE tenant_id = :t",
        t=acme.id,
    )
    await tamper(running, "DELETE FROM audit_entries WHERE tenant_id = :t AND sequence <= 5", t=acme.id)
    proof = await prove(running, acme)
    assert (proof["isValid"], proof["broken"]) == (False, {"sequence": 5, "id": None, "fault": "dropped"})


@pytest.mark.parametrize("spoiled", ["", "nonsense", "5", "[]"])
async def test_spoiled_entries_are_shown(running: Running, acme: Tenant, spoiled: str) -> None:
    """An entry that someone spoiled by hand is still listed and exported, beside the others."""
    await tamper(running, "UPDATE audit_entries SET details = :d WHERE sequence = 2", d=spoiled)
    assert (await ask(running, acme)).data["logs"][0]["details"] == {"unreadable": True}
    assert len((await ask(running, acme, format="csv")).text.splitlines()) == 3


async def test_rewritten_chain(running: Running, acme: Tenant) -> None:
    """A chain that someone hashed anew holds by itself, and not against an anchor that was kept elsewhere."""
    await write(running, acme.id, 3)
    anchor = (await prove(running, acme))["proved"]["anchor"]
    assert (await prove(running, acme, anchor=anchor))["isValid"]
    await tamper(running, "DELETE FROM audit_entries WHERE tenant_id = :t", t=acme.id)
    await tamper(running, "DELETE FROM audit_chains WHERE tenant_id = :t", t=acme.id)
    assert (await prove(running, acme))["broken"] == {"sequence": 1, "id": None, "fault": "missing"}
    await write(running, acme.id, 1)
    assert (await prove(running, acme))["broken"]["fault"] == "begun anew"
    await tamper(running, "DELETE FROM audit_entries WHERE tenant_id = :t", t=acme.id)
    await tamper(running, "DELETE FROM audit_chains WHERE tenant_id = :t", t=acme.id)
    await write(running, acme.id, 1, event_type="tenant.created")
    await write(running, acme.id, 4)
    assert (await prove(running, acme))["isValid"]
    reply = await running.send("GET", f"{AUDIT}/verify", key=acme.key, params={"anchor": anchor})
    assert (reply.status, "anchor" in reply.error["message"]) == (404, True)
    assert (await running.send("GET", f"{AUDIT}/verify?anchor=1", key=acme.key)).fields == {"anchor"}
    assert (await running.send("GET", f"{AUDIT}/verify?cursor=abc", key=acme.key)).fields == {"cursor"}


async def test_retention(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is old leaves in slices; what stays is listed with its total, proved as before, and grows on."""
    await write(running, acme.id, 10)
    anchor = (await prove(running, acme))["proved"]["anchor"]
    database, proofs = running.app[keys.DATABASE], []
    unit = partial(retention._forget_chain, tenant_id=acme.id, sequence=7, month="2026-01-01", count=7)
    monkeypatch.setattr(retention, "FORGET_ROWS", 3)
    while await database.write(unit):
        proofs.append((await prove(running, acme))["isValid"])
    assert proofs == [True, True]
    reply = await ask(running, acme)
    assert sequences(reply) == [13, 12, 11, 10, 9, 8]
    assert [log["event_type"] for log in reply.data["logs"]].count("audit.archived") == 1
    assert reply.data["total"] == 6
    proof = await prove(running, acme, anchor=anchor)
    assert (proof["isValid"], proof["checked"]) == (True, 6)
    await tamper(running, "DELETE FROM audit_entries WHERE tenant_id = :t AND sequence = 8", t=acme.id)
    assert (await prove(running, acme))["broken"]["fault"] == "missing"


async def test_retention_during_a_proof(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that retention removes while they are being proved are no broken link."""
    monkeypatch.setattr(audit_proof, "SLICE_ENTRIES", 2)
    await write(running, acme.id, 10)
    database, real = running.app[keys.DATABASE], audit_chain.links
    slices = 0

    async def removing(*given: Any, **more: Any) -> Any:
        nonlocal slices
        slices += 1
        if slices == 3:
            await database.write(partial(retention._forget_chain, tenant_id=acme.id, sequence=8, month="2026-01-01", count=8))
        return await real(*given, **more)

    monkeypatch.setattr(audit_chain, "links", removing)
    proof = await prove(running, acme)
    assert (proof["isValid"], proof["proved"]["sequence"]) == (True, 12)


async def test_writing_during_a_proof(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that are written while a chain is proved are no fault of it."""
    real = audit_chain.newest

    async def writing(*given: Any, **more: Any) -> int:
        await write(running, acme.id, 3)
        return await real(*given, **more)

    monkeypatch.setattr(audit_chain, "newest", writing)
    assert (await prove(running, acme))["isValid"]
