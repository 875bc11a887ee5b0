"""After a SIGKILL under load the audit log tells of exactly the changes that are in the database."""

import asyncio
import json
import random
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from tenantai.server.services.audit_proof import prove
from tenantai.settings import Settings
from tenantai.storage.database import Database
from tenantai.storage.migrating import Layout
from tests.e2e.test_kill import call, process, register
from tests.running import until

ROUNDS, WORKERS = 5, 4
OTHERS = {
    "api-keys": "SELECT id FROM api_keys WHERE revoked_at IS NULL AND name = 'A'",
    "tools": "SELECT id FROM tools",
    "assets": "SELECT id, version FROM assets",
}
ACCOUNT_FIELDS = ("name", "email", "role", "external_id", "created_at", "updated_at")
Told = dict[str, dict[str, Any]]


class Load:
    """Changes of all kinds, one after another, with the request ids of those that were answered."""

    def __init__(self, session: aiohttp.ClientSession, url: str, path: str, chance: random.Random) -> None:
        self._session = session
        self._tenant = f"{url}{path}"
        self._chance = chance
        self._accounts: list[str] = []
        self._files: list[tuple[str, str]] = []
        self._made: dict[str, list[str]] = {"api-keys": [], "tools": [], "assets": []}
        self._lesser: list[str] = []
        self.answered: list[str] = []

    async def run(self) -> None:
        """Change things until the server is gone."""
        while True:
            kinds = (
                self._create,
                self._upload,
                self._upload,
                self._change,
                self._exclude,
                self._delete_file,
                self._delete_account,
                self._add_key,
                self._add_tool,
                self._add_asset,
                self._take_away,
                self._ask_for_too_much,
                self._ask_for_too_much,
            )
            with suppress(IndexError, AssertionError):
                await self._chance.choice(kinds)()

    async def _send(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        request_id = f"load-{self._chance.getrandbits(64):x}"
        answer = await call(self._session, method, f"{self._tenant}{path}", headers={"X-Request-Id": request_id}, **given)
        if all(result["ok"] for result in answer.get("results", ())):  # type: ignore[attr-defined]
            self.answered.append(request_id)
        return answer

    async def _create(self) -> None:
        made = await self._send("POST", "/accounts", json={"name": "A", "role": "member"})
        self._accounts.append(made["id"])

    async def _change(self) -> None:
        account_id = self._chance.choice(self._accounts)
        await self._send("PATCH", f"/accounts/{account_id}", json={"name": f"{self._chance.random()}"})

    async def _upload(self) -> None:
        account_id = self._chance.choice(self._accounts)
        form = aiohttp.FormData()
        form.add_field("file", f"The number is {self._chance.random()}.".encode(), filename="a.txt")
        made = await self._send("POST", f"/accounts/{account_id}/files", data=form)
        self._files.append((account_id, made["file"]["id"]))

    async def _exclude(self) -> None:
        _, file_id = self._files.pop(self._chance.randint(-len(self._files), -1) if self._files else 0)
        await self._send("POST", "/store/files/actions", json={"action": "exclude", "fileIds": [file_id]})

    async def _delete_file(self) -> None:
        account_id, file_id = self._files.pop(self._chance.randint(-len(self._files), -1) if self._files else 0)
        await self._send("DELETE", f"/accounts/{account_id}/files/{file_id}")

    async def _delete_account(self) -> None:
        if len(self._accounts) > 3:
            await self._send("DELETE", f"/accounts/{self._accounts.pop(0)}")

    async def _add_key(self) -> None:
        made = await self._send("POST", "/api-keys", json={"name": "A", "scopes": ["store:read"]})
        self._made["api-keys"].append(made["id"])
        self._lesser.append(made["apiKey"])

    async def _add_tool(self) -> None:
        tool = {"name": f"f{self._chance.getrandbits(48)}", "description": "Does it.", "parameters": {"type": "object"}}
        self._made["tools"].append((await self._send("POST", "/tools", json={**tool, "endpoint": "https://example.com/"}))["id"])

    async def _add_asset(self) -> None:
        form = aiohttp.FormData()
        form.add_field("file", f"The number is {self._chance.random()}.".encode(), filename="a.txt")
        made = await self._send("POST", f"/assets?path={self._chance.randrange(8)}.txt", data=form)
        self._made["assets"].append(made["asset"]["id"])

    async def _ask_for_too_much(self) -> None:
        """Be refused for lack of rights, unless the key is revoked by now; an answer is told of as a change's is."""
        request_id = f"refused-{self._chance.getrandbits(64):x}"
        headers = {"X-Request-Id": request_id, "x-api-key": self._chance.choice(self._lesser)}
        body = {"name": "Refused", "role": "admin"}
        async with self._session.post(f"{self._tenant}/accounts", json=body, headers=headers) as response:
            await response.read()
        assert response.status in {401, 403}
        if response.status == 403:
            self.answered.append(request_id)

    async def _take_away(self) -> None:
        kind = self._chance.choice(list(self._made))
        await self._send("DELETE", f"/{kind}/{self._made[kind].pop(0)}")


async def test_killed_under_load(settings: Settings) -> None:
    """After each kill the chain is whole, changes and entries are the same to the last, and no answered one is missing.

    Nor is one that was refused for lack of rights.
    """
    chance = random.Random(20260724)
    data_dir, answered = settings.data_dir, set[str]()
    headers: dict[str, str] = {}
    path = ""
    for _ in range(ROUNDS):
        async with process(data_dir) as url, aiohttp.ClientSession(headers=headers) as session:
            if not headers:
                path, _files = await register(session, url)
                headers["x-api-key"] = session.headers["x-api-key"]
            loads = [Load(session, url, path, chance) for _ in range(WORKERS)]
            running = [asyncio.create_task(load.run()) for load in loads]
            await until(partial(are_answered, loads, at_least=chance.randint(20, 200)))
        ends = await asyncio.gather(*running, return_exceptions=True)
        assert all(isinstance(end, (aiohttp.ClientError, ConnectionError)) for end in ends), ends
        answered |= {request_id for load in loads for request_id in load.answered}
        await compare(data_dir, path.rsplit("/", 1)[1], answered)


def are_answered(loads: Sequence[Load], *, at_least: int) -> bool:
    """Whether so many changes were answered."""
    return sum(len(load.answered) for load in loads) >= at_least


async def compare(data_dir: Path, tenant_id: str, answered: set[str]) -> None:
    """Hold the log against the database that a kill left."""
    database = Database(Layout(data_dir).database)
    await database.open()
    proof = await prove(database, tenant_id)
    await database.close()
    assert (proof.broken, proof.is_complete) == (None, True)
    with closing(sqlite3.connect(Layout(data_dir).database)) as connection:
        entries = connection.execute(
            "SELECT event_type, subject_id, details, request_id FROM audit_entries WHERE tenant_id = ? ORDER BY sequence",
            (tenant_id,),
        ).fetchall()
        fields = ", ".join(ACCOUNT_FIELDS)
        accounts = {
            row[0]: dict(zip(ACCOUNT_FIELDS, row[1:], strict=True))
            for row in connection.execute(f"SELECT id, {fields} FROM accounts")
        }
        files = connection.execute("SELECT id, account_id, state, excluded FROM files WHERE state != 'deleting'").fetchall()
        others = {name: set(connection.execute(sql).fetchall()) for name, sql in OTHERS.items()}
    assert answered <= {request_id for *_, request_id in entries}
    told = [request_id for kind, *_, request_id in entries if kind == "access.refused"]
    assert len(told) == len(set(told))
    assert set(told) & answered
    told_accounts, told_files = replayed((kind, subject, json.loads(details)) for kind, subject, details, _ in entries)
    assert told_accounts == accounts
    held = {
        row[0]: {"account_id": row[1], "state": row[2].replace("indexing", "pending"), "excluded": bool(row[3])} for row in files
    }
    assert told_files == held
    told_others = replayed_others((kind, subject, json.loads(details)) for kind, subject, details, _ in entries)
    assert told_others == others


def replayed(entries: Iterable[tuple[str, str, dict[str, Any]]]) -> tuple[Told, Told]:
    """Return the accounts and files that there must be if each entry's change was made, and no other."""
    accounts: Told = {}
    files: Told = {}
    for kind, subject, details in entries:
        after = details.get("after", {})
        if kind in {"account.created", "account.updated"}:
            known = accounts.setdefault(subject, {})
            known |= {name: value for name, value in after.items() if name in ACCOUNT_FIELDS}
        elif kind == "account.deleted":
            del accounts[subject]
            gone = [file_id for file_id, file in files.items() if file["account_id"] == subject]
            assert len(gone) == details["files_deleted"]
            files = {file_id: file for file_id, file in files.items() if file_id not in gone}
        elif kind == "file.deleted":
            del files[subject]
        elif kind.startswith("file."):
            known = files.setdefault(subject, {})
            known |= {name: value for name, value in after.items() if name in {"account_id", "state", "excluded"}}
    return accounts, files


def replayed_others(entries: Iterable[tuple[str, str, dict[str, Any]]]) -> dict[str, set[tuple[Any, ...]]]:
    """Return the live keys, the functions and the assets, these with their version, that there must be."""
    there: dict[str, dict[str, tuple[Any, ...]]] = {"api-keys": {}, "tools": {}, "assets": {}}
    for event, subject, details in entries:
        kind = {"key": "api-keys", "tool": "tools", "asset": "assets"}.get(event.split(".")[0])
        if kind is None:
            continue
        if event.endswith((".deleted", ".revoked")):
            there[kind].pop(subject)
        else:
            known = there[kind].get(subject, (subject,))
            version = details["after"].get("version") if kind == "assets" else None
            there[kind][subject] = (subject, version) if version else known
    return {kind: set(held.values()) for kind, held in there.items()}
