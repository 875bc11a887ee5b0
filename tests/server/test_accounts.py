"""Accounts: their records, and the boundary that a key bound to one does not cross."""

import pytest

from tenantai.server.routes import API
from tenantai.settings import Settings
from tests.gated_embedding import GatedEmbedding
from tests.running import Account, Reply, Running, Tenant, events_of, serving


async def test_records(running: Running, acme: Tenant) -> None:
    """An account is made, read, changed by what is sent, listed in pages and deleted."""
    made = await running.send(
        "POST",
        f"{acme.path}/accounts",
        key=acme.key,
        json={"name": " Ann ", "role": "viewer", "email": "ann@EXAMPLE.com", "externalId": "7"},
    )
    assert made.status == 201
    assert (made.data["name"], made.data["email"], made.data["external_id"]) == ("Ann", "ann@example.com", "7")
    path = f"{acme.path}/accounts/{made.data['id']}"
    changed = await running.send("PUT", path, key=acme.key, json={"role": "member", "email": None})
    assert (changed.data["role"], changed.data["email"], changed.data["name"]) == ("member", None, "Ann")
    assert (await running.send("GET", path, key=acme.key)).data == changed.data
    first = await running.send("GET", f"{acme.path}/accounts?limit=1", key=acme.key)
    rest = await running.send("GET", f"{acme.path}/accounts?limit=1&cursor={first.data['nextCursor']}", key=acme.key)
    assert [a["id"] for a in first.data["accounts"] + rest.data["accounts"]] == [acme.account.id, made.data["id"]]
    assert rest.data["nextCursor"] is None
    assert (await running.send("DELETE", path, key=acme.key)).data == {"id": made.data["id"], "deleted": True}
    assert (await running.send("GET", path, key=acme.key)).status == 404
    assert (await running.send("DELETE", path, key=acme.key)).status == 404


async def test_external_id_is_once(running: Running, acme: Tenant, globex: Tenant) -> None:
    """An externalId is one account's within a tenant, and free in another; taking it by a change is refused too."""
    body = {"name": "Ann", "role": "member", "externalId": "7"}
    assert (await running.send("POST", f"{acme.path}/accounts", key=acme.key, json=body)).status == 201
    assert (await running.send("POST", f"{acme.path}/accounts", key=acme.key, json=body)).error["code"] == "CONFLICT"
    assert (await running.send("POST", f"{globex.path}/accounts", key=globex.key, json=body)).status == 201
    taken = await running.send("PUT", f"{acme.path}/accounts/{acme.account.id}", key=acme.key, json={"externalId": "7"})
    assert taken.error["code"] == "CONFLICT"


async def test_deleting_takes_everything(running: Running, acme: Tenant, second: Account) -> None:
    """With an account go its files, chats and keys; the tenant's other accounts keep theirs."""
    await running.upload(acme, "Ours: the kettle is copper.", account=second)
    kept = await running.upload(acme, "Theirs: the kettle is steel.")
    await running.answer(acme, "kettle?", accountId=second.id)
    key, _ = await running.issue(acme, account=second)
    assert (await running.send("GET", f"{acme.path}/store", key=key)).status == 200
    assert (await running.send("DELETE", f"{acme.path}/accounts/{second.id}", key=acme.key)).status == 200
    assert (await running.send("GET", f"{acme.path}/store", key=key)).status == 401
    assert [hit["fileId"] for hit in await running.search(acme, "kettle copper")] == [kept]
    assert set(await running.files(acme)) == {kept}
    assert (await running.send("GET", f"{API}/chat/history", key=acme.key)).data["conversations"] == []


async def test_bound_key_sees_own_files(running: Running, acme: Tenant, second: Account) -> None:
    """A key bound to an account lists, finds and acts on its files only; another's do not exist for it."""
    theirs = await running.upload(acme, "The password of the cellar is juniper.", "cellar.txt")
    own = await running.upload(acme, "The attic smells of lavender and juniper.", "attic.txt", account=second)
    key, _ = await running.issue(acme, account=second)
    assert set(await running.files(acme, key=key)) == {own}
    assert {hit["fileId"] for hit in await running.search(acme, "juniper", key=key)} == {own}
    assert {hit["fileId"] for hit in await running.search(acme, "juniper")} == {own, theirs}
    store = (await running.send("GET", f"{acme.path}/store", key=key)).data
    assert store["counts"]["active"] == 1
    assert [r["ok"] for r in await running.act(acme, "delete", theirs, own, key=key)] == [False, True]
    assert (await running.send("GET", acme.files, key=key)).status == 403
    assert (await running.send("DELETE", f"{acme.files}/{theirs}", key=key)).status == 403
    reply = await running.send("DELETE", f"{acme.path}/accounts/{second.id}/files/{theirs}", key=acme.key)
    assert reply.status == 404
    assert set(await running.files(acme)) == {theirs}


async def test_bound_key_uploads_to_its_account(running: Running, acme: Tenant, second: Account) -> None:
    """A bound key uploads to its own account and to no other."""
    key, _ = await running.issue(acme, account=second)
    assert (await running.post_file(acme, b"mine, all mine", "a.txt", account=second, key=key)).status == 202
    assert (await running.post_file(acme, b"not mine", "b.txt", key=key)).status == 403
    await running.settled(acme)
    assert len(await running.files(acme)) == 1


async def test_bound_key_sees_own_accounts(running: Running, acme: Tenant, second: Account) -> None:
    """A bound key reads and changes its own account, and none beside it."""
    key, _ = await running.issue(acme, account=await running.add_account(acme, "Boss", role="admin"))
    listed = await running.send("GET", f"{acme.path}/accounts", key=key)
    assert [account["name"] for account in listed.data["accounts"]] == ["Boss"]
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        given = {"json": {"name": "Taken"}} if method in {"PUT", "PATCH"} else {}
        assert (await running.send(method, f"{acme.path}/accounts/{second.id}", key=key, **given)).status == 403


async def test_bound_key_sees_own_chats(running: Running, acme: Tenant, second: Account) -> None:
    """A bound key lists, reads, continues and deletes its account's chats only."""
    theirs = (await running.answer(acme, "One?", accountId=acme.account.id))[0]["messageMetadata"]["conversationId"]
    key, _ = await running.issue(acme, account=second)
    own = (await running.answer(acme, "Two?", key=key))[0]["messageMetadata"]["conversationId"]
    listed = await running.send("GET", f"{API}/chat/history", key=key)
    assert [(c["id"], c["account_id"]) for c in listed.data["conversations"]] == [(own, second.id)]
    for method in ("GET", "DELETE"):
        assert (await running.send(method, f"{API}/chat/history/{theirs}", key=key)).status == 403
    assert (await running.ask(acme, "More?", key=key, conversationId=theirs)).status == 403
    assert (await running.ask(acme, "As them?", key=key, accountId=acme.account.id)).status == 403
    assert (await running.send("GET", f"{API}/chat/history?accountId={acme.account.id}", key=key)).status == 403
    assert (await running.send("DELETE", f"{API}/chat/history/{own}", key=key)).status == 200
    assert len(await running.messages(acme, theirs)) == 2


async def test_accounts_do_not_share_a_conversation(running: Running, acme: Tenant, second: Account) -> None:
    """The tenant's own key cannot carry one account's documents into another's conversation, nor continue one as another."""
    await running.upload(acme, "The safe holds rubies.", account=second)
    held = (await running.answer(acme, "One?", accountId=acme.account.id))[0]["messageMetadata"]["conversationId"]
    reply = await running.ask(acme, "What is in the safe?", conversationId=held, accountId=second.id)
    assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN")
    assert len(running.chat.history) == 1
    await running.answer(acme, "What is in the safe?", conversationId=held)
    assert running.chat.history[-1].sources == ()


async def test_chat_answers_within_the_account(running: Running, acme: Tenant, second: Account) -> None:
    """The sources of an account's chat are its own; a file of another's cannot be named."""
    theirs = await running.upload(acme, "The safe holds rubies.")
    await running.upload(acme, "The safe holds pearls.", account=second)
    key, _ = await running.issue(acme, account=second)
    await running.answer(acme, "What does the safe hold?", key=key)
    assert [source.text for source in running.chat.history[-1].sources] == ["The safe holds pearls."]
    for asking in ({"key": key}, {"accountId": second.id}):
        assert (await running.ask(acme, "What?", files=[theirs], **asking)).status == 404  # type: ignore[arg-type]


async def test_progress_names_no_others_file(running: Running, acme: Tenant, second: Account) -> None:
    """The name of a file that is being indexed is told to its own account only; the others hear of nothing at all."""
    key, _ = await running.issue(acme, account=second)
    await running.post_file(acme, b"secret words", "their-secret-plan.txt")
    live = await running.send("GET", f"{acme.path}/store/progress", key=key, headers={"Accept": "text/event-stream"})
    assert '"status":"idle"' in live.text
    assert "their-secret-plan" not in live.text
    await running.post_file(acme, b"own words", "our-plan.txt", account=second)
    live = await running.send("GET", f"{acme.path}/store/progress", key=key, headers={"Accept": "text/event-stream"})
    assert "our-plan.txt" in live.text


async def test_bound_key_sees_own_progress(settings: Settings, brisk: None) -> None:
    """Of an operation over several accounts' files a bound key is told its own files' part, in the store and in progress."""
    embedding = GatedEmbedding()
    embedding.gate.set()
    async with serving(settings, embedding=embedding) as running:
        acme = await running.register("Acme")
        second, third = await running.add_account(acme, "Second"), await running.add_account(acme, "Third")
        (key, _), (idle, _) = await running.issue(acme, account=second), await running.issue(acme, account=third)
        await running.post_file(acme, b"their words", "a.txt")
        await running.settled(acme)
        embedding.gate.clear()
        for number in range(3):
            await running.post_file(acme, f"their words {number}".encode(), f"{number}.txt")
        await running.post_file(acme, b"own words", "own.txt", account=second)
        await running.post_file(acme, b"", "empty.txt", account=second)
        whole = (await running.send("GET", f"{acme.path}/store/progress", key=acme.key)).data
        assert (whole["status"], whole["totalFiles"]) == ("in_progress", 5)
        for path, read in ((f"{acme.path}/store/progress", "data"), (f"{acme.path}/store", "operation")):
            reply = (await running.send("GET", path, key=key)).data
            own = reply if read == "data" else reply["operation"]
            assert (own["status"], own["totalFiles"], own["finishedAt"]) == ("in_progress", 2, None)
            assert own["currentFile"] in {None, "own.txt", "empty.txt"}
            assert {file["name"] for file in own["files"]} <= {"own.txt", "empty.txt"}
            other = (await running.send("GET", path, key=idle)).data
            assert (other if read == "data" else other["operation"])["status"] == "idle"
        assert (await running.send("GET", f"{acme.path}/store", key=key)).data["storage"]["usedBytes"] == len(b"own words")
        embedding.gate.set()
        told = events_of(
            (await running.send("GET", f"{acme.path}/store/progress", key=key, headers={"Accept": "text/event-stream"})).text
        )
        assert {state["totalFiles"] for state in told} == {2}
        assert [told[-1][name] for name in ("status", "processedFiles", "failedFiles")] == ["failed", 2, 1]
        assert told[-1]["finishedAt"] is not None
        own_ids = set(await running.files(acme, key=key))
        for state in told:
            assert {file["id"] for file in (*state["files"], *state["ended"])} <= own_ids
        assert {one["state"] for one in told[-1]["ended"]} == {"ready", "failed"}
        nobody = (await running.send("GET", f"{acme.path}/store/progress", key=idle)).data
        assert (nobody["files"], nobody["ended"]) == ([], [])
        assert (await running.settled(acme))[-1]["totalFiles"] == 5


@pytest.mark.parametrize(
    ("role", "reads", "writes", "governs"),
    [("viewer", True, False, False), ("member", True, True, False), ("admin", True, True, True)],
)
async def test_roles(running: Running, acme: Tenant, role: str, reads: bool, writes: bool, governs: bool) -> None:
    """A bound key's scopes are cut down to its account's role: viewers read, members work, admins also govern."""
    account = await running.add_account(acme, "Bound", role=role)
    key, _ = await running.issue(acme, account=account)

    def allowed(reply: Reply) -> bool:
        return reply.status < 300

    assert allowed(await running.send("GET", f"{acme.path}/store", key=key)) is reads
    assert allowed(await running.send("GET", f"{API}/chat/history", key=key)) is reads
    assert allowed(await running.ask(acme, "Hello?", key=key)) is writes
    assert allowed(await running.post_file(acme, b"words", "a.txt", account=account, key=key)) is writes
    assert allowed(await running.send("PATCH", acme.path, key=key, json={"name": "Ours"})) is governs
    renamed = await running.send("PATCH", f"{acme.path}/accounts/{account.id}", key=key, json={"name": "Me"})
    assert allowed(renamed) is governs


async def test_role_change_holds_at_once(running: Running, acme: Tenant) -> None:
    """A key loses what its account's role no longer gives with the very next request."""
    account = await running.add_account(acme, "Bound", role="member")
    key, _ = await running.issue(acme, account=account)
    assert (await running.ask(acme, "Hello?", key=key)).status == 200
    await running.send("PUT", f"{acme.path}/accounts/{account.id}", key=acme.key, json={"role": "viewer"})
    assert (await running.ask(acme, "Hello?", key=key)).status == 403
