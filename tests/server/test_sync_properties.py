"""Sync against a model of the vault: whatever is put, changed, moved and deleted, store and vault agree after each sync."""

import asyncio
import hashlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from tenantai.server.services import store_sync, vault_comparison
from tenantai.settings import Settings
from tests.running import Running, serving
from tests.vaults import Vault

PATHS = st.sampled_from(["a.txt", "b.txt", "f/a.txt", "f/g/c.txt", "z.txt"])
PHOTO = b"\x89PNG\r\n\x1a\n" + bytes(50)
CONTENTS = st.sampled_from([*(f"The {colour} lamp.".encode() for colour in ("red", "green", "blue")), PHOTO])
Contents = dict[str, bytes]


def expected(store: Contents, vault: Contents) -> dict[str, int]:
    """Return what a sync does, told by the two alone."""
    missing = [path for path in sorted(vault) if store.get(path) != vault[path]]
    left = [path for path in store if vault.get(path) != store[path]]
    free = Counter(store[path] for path in left)
    gone = Counter(store[path] for path in left if path not in vault)
    told = Counter(unchanged=len(vault) - len(missing))
    for path in missing:
        if free[vault[path]]:
            free[vault[path]] -= 1
            gone[vault[path]] = max(0, gone[vault[path]] - 1)
            told["moved"] += 1
        else:
            told["changed" if path in store else "new"] += 1
    return {name: told[name] for name in ("new", "changed", "moved", "unchanged")} | {"deleted": gone.total()}


class Syncing(RuleBasedStateMachine):
    """A tenant whose vault is put in and out of order, and synced."""

    runner: asyncio.Runner
    running: Running

    def __init__(self) -> None:
        super().__init__()
        self.model: Contents = {}
        self.in_store: Contents = {}
        self.ids: dict[str, str] = {}
        self.excluded: set[str] = set()

    def do(self, work: Any) -> Any:
        """Run something to its end on the server's loop."""
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        """Make a tenant."""
        self.vault = Vault(self.running, self.do(self.running.register("Acme")))

    @rule(path=PATHS, content=CONTENTS)
    def put(self, path: str, content: bytes) -> None:
        """Something new, or another version."""
        self.ids[path] = self.do(self.vault.put(path, content))
        self.model[path] = content

    @precondition(lambda self: self.model)
    @rule(data=st.data(), to=PATHS)
    def move(self, data: Any, to: str) -> None:
        """Its bytes are at another path."""
        path = data.draw(st.sampled_from(sorted(self.model)))
        self.put(to, self.model[path])
        if path != to:
            self.remove_at(path)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: Any) -> None:
        """It is gone."""
        self.remove_at(data.draw(st.sampled_from(sorted(self.model))))

    def remove_at(self, path: str) -> None:
        """Delete what is at a path."""
        self.do(self.vault.remove(path))
        del self.model[path]

    @rule()
    def sync(self) -> None:
        """Both agree, by what the model says is to be done; once more, and nothing is."""
        told = expected(self.in_store, self.model)
        refreshed = self.do(self.vault.refresh())
        assert {name: refreshed[name] for name in told} == told
        state = self.do(self.vault.sync())
        assert (state["status"], {name: state["report"][name] for name in told}) == ("completed", told)
        assert state["report"]["matches"] is True
        assert state["report"]["inVault"] == len(self.model) == state["report"]["inStore"] + state["report"]["skipped"]
        assert state["totalFiles"] == told["new"] + told["changed"]
        self.in_store = dict(self.model)
        again = self.do(self.vault.sync())
        assert (again["totalFiles"], again["report"]["unchanged"]) == (0, len(self.model))

    @rule(data=st.data())
    def sync_some(self, data: Any) -> None:
        """What is named is in the store as the vault has it, or gone with it; a path that is not named keeps what it had."""
        files = self.do(self.vault.synced())
        in_vault = {self.ids[path]: path for path in self.model}
        known = sorted({*in_vault, *(str(file["asset_id"]) for file in files.values())})
        if not known:
            return
        chosen = data.draw(st.sets(st.sampled_from(known), min_size=1))
        reply = self.do(self.vault.begin(*sorted(chosen)))
        assert reply.status == 202, reply.text
        self.do(self.running.settled(self.vault.tenant))
        held = self.held()
        for path in (in_vault[asset_id] for asset_id in chosen if asset_id in in_vault):
            assert held[path] == sha256(self.model[path])
        left = {str(file["asset_id"]) for path, file in self.do(self.vault.synced()).items() if path not in self.model}
        assert not left & chosen
        contents = {sha256(content): content for content in (*self.model.values(), *self.in_store.values())}
        self.in_store = {path: contents[content] for path, content in held.items()}

    def held(self) -> dict[str, str]:
        """Return what the store has of the vault: the hash of what is at each path."""
        files = self.do(self.vault.synced())
        assert {file["state"] for file in files.values()} <= {"ready", "skipped"}
        return {path: file["sha256"] for path, file in files.items()}

    @invariant()
    def nothing_is_left_over(self) -> None:
        """Each ready file has its chunk and its text, and nothing else has any; no operation is open."""
        if not hasattr(self, "vault"):
            return
        tenant = self.vault.tenant.id
        ready = "SELECT id FROM files WHERE tenant_id = :t AND state = 'ready' ORDER BY id"
        searched = (
            "SELECT file_id FROM chunks JOIN files ON files.id = file_id WHERE chunks.tenant_id = :t AND state != 'deleting'"
        )
        assert self.do(self.running.rows(ready, t=tenant)) == self.do(self.running.rows(f"{searched} ORDER BY 1", t=tenant))
        assert self.held() == {path: sha256(content) for path, content in self.in_store.items()}
        assert not self.do(self.running.rows("SELECT id FROM operations WHERE status = 'in_progress'"))


def sha256(content: bytes) -> str:
    """Return the hash of some bytes."""
    return hashlib.sha256(content).hexdigest()


def test_sync_is_what_a_model_says(settings: Settings, brisk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any run of uploads, changes, moves, deletions and syncs leaves the store as the vault is, by the shortest way."""
    monkeypatch.setattr(store_sync, "CHANGES_A_STEP", 2)
    monkeypatch.setattr(vault_comparison, "PAGE_ROWS", 2)
    with asyncio.Runner() as runner:
        server = serving(settings)
        Syncing.runner, Syncing.running = runner, runner.run(server.__aenter__())
        try:
            run_state_machine_as_test(
                Syncing,
                settings=hypothesis_settings(
                    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
                ),
            )
        finally:
            runner.run(server.__aexit__(None, None, None))
