"""`Idempotency-Key`: what is sent again is answered again, once for all, and never to another caller."""

import asyncio
import threading
from typing import Any

import aiohttp
import pytest

from tenantai.errors import NotReady
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.services import idempotency
from tenantai.settings import Settings
from tenantai.storage import idempotent_answers
from tenantai.storage.database import Transaction
from tests.running import Running, Tenant, serving, until, until_seen

KEY = {"Idempotency-Key": "order-1"}


async def created(running: Running, tenant: Tenant, name: str = "Ann", **more: Any) -> Any:
    body = {"name": name, "role": "viewer"}
    given = {"key": tenant.key, "json": body, "headers": KEY, **more}
    return await running.send("POST", f"{tenant.path}/accounts", **given)


async def account_names(running: Running, tenant: Tenant) -> list[str]:
    reply = await running.send("GET", f"{tenant.path}/accounts", key=tenant.key)
    return [account["name"] for account in reply.data["accounts"]]


async def test_sent_again(running: Running, acme: Tenant) -> None:
    """The same request gets the first answer, to the letter, and nothing is made twice."""
    first, again = await created(running, acme), await created(running, acme)
    assert (first.status, again.status) == (201, 201)
    assert first.text == again.text
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await account_names(running, acme)).count("Ann") == 1


async def test_another_request(running: Running, acme: Tenant) -> None:
    """A key that was used for another body, or another address, is refused."""
    await created(running, acme)
    assert (await created(running, acme, "Ben")).status == 409
    other = await running.send("POST", f"{acme.path}/api-keys", key=acme.key, json={"name": "Ann"}, headers=KEY)
    assert other.status == 409
    assert "Ben" not in await account_names(running, acme)


async def test_another_caller(running: Running, acme: Tenant) -> None:
    """Another tenant's, and another key's, same key is its own."""
    beta = await running.register("Beta")
    secret, _ = await running.issue(acme)
    first = await created(running, acme)
    assert (await created(running, beta)).data["id"] != first.data["id"]
    assert (await created(running, acme, key=secret)).data["id"] != first.data["id"]


async def test_two_at_once(running: Running, acme: Tenant) -> None:
    """Of ten at once one is carried out; the others get its answer, or are told to come back."""
    replies = await asyncio.gather(*(created(running, acme) for _ in range(10)))
    assert {reply.status for reply in replies} <= {201, 409}
    assert len({reply.data["id"] for reply in replies if reply.status == 201}) == 1
    assert (await account_names(running, acme)).count("Ann") == 1


async def test_what_failed_is_tried_anew(running: Running, acme: Tenant) -> None:
    """A refused request leaves its key free."""
    assert (await running.send("POST", f"{acme.path}/accounts", key=acme.key, json={}, headers=KEY)).status == 400
    assert (await created(running, acme)).status == 201


@pytest.mark.parametrize("given", ["", "two words", "x" * 256])
async def test_key_that_is_none(running: Running, acme: Tenant, given: str) -> None:
    """A key must be visible ASCII, not too long."""
    reply = await created(running, acme, headers={"Idempotency-Key": given})
    assert reply.fields == {"Idempotency-Key"}


async def test_registration(running: Running) -> None:
    """A tenant that registers again has the same key again; the database holds neither the key nor what opens the answer."""
    body = {"email": "one@example.com", "organizationName": "One"}
    replies = [await running.send("POST", f"{API}/register", json=body, headers=KEY) for _ in range(2)]
    assert replies[0].data == replies[1].data
    secret = replies[0].data["apiKey"].encode()
    for row in await running.rows("SELECT * FROM idempotent_answers"):
        for value in row:
            assert secret not in (value if isinstance(value, bytes) else str(value).encode())
            assert b"order-1" not in (value if isinstance(value, bytes) else str(value).encode())


async def test_upload(running: Running, acme: Tenant) -> None:
    """A file that is sent again is one file; other bytes or another name under its key are refused, without a trace."""

    async def send(data: bytes, name: str) -> Any:
        form = aiohttp.FormData()
        form.add_field("file", data, filename=name)
        path = f"{acme.path}/accounts/{acme.account.id}/files"
        return await running.send("POST", path, key=acme.key, data=form, headers=KEY)

    first, again = await send(b"A lamp.", "a.txt"), await send(b"A lamp.", "a.txt")
    assert (first.status, first.text) == (202, again.text)
    assert (await send(b"A chair.", "a.txt")).status == 409
    assert (await send(b"A lamp.", "b.txt")).status == 409
    await running.settled(acme)
    assert len(await running.files(acme)) == 1
    assert not list((running.app[keys.SETTINGS].data_dir / "files" / "incoming").iterdir())


async def test_answer_that_is_asked_for_whole(running: Running, acme: Tenant) -> None:
    """A chat's whole answer is given again, and its conversation grows by one question."""
    whole = {**KEY, "Accept": "application/json"}
    first = await running.ask(acme, "Where is the lift?", headers=whole)
    again = await running.ask(acme, "Where is the lift?", headers=whole)
    assert (again.text, again.headers["Idempotent-Replayed"]) == (first.text, "true")
    assert again.headers["X-Conversation-Id"] == first.headers["X-Conversation-Id"] == first.data["conversationId"]
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert len(running.chat.history) == 1
    assert len(await running.messages(acme, first.data["conversationId"])) == 2
    assert (await running.ask(acme, "Where is the roof?", headers=whole)).status == 409
    assert (await running.ask(acme, "Where?", headers={"Idempotency-Key": "x" * 256})).fields == {"Idempotency-Key"}


async def test_client_that_leaves(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose client leaves is carried out, and answers the client that comes back."""
    database, gate, begun = running.app[keys.DATABASE], asyncio.Event(), asyncio.Event()
    real, writes = database.write, 0

    async def slow(unit: Any, **how: Any) -> Any:
        nonlocal writes
        writes += 1
        if writes == 2:  # the first is the claim
            begun.set()
            await gate.wait()
        return await real(unit, **how)

    monkeypatch.setattr(database, "write", slow)
    sending = asyncio.create_task(created(running, acme))
    await begun.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert (await created(running, acme)).status == 409
    gate.set()
    replies: list[Any] = []

    async def answered() -> None:
        while not replies or replies[-1].status == 409:
            replies.append(await created(running, acme))

    await asyncio.wait_for(answered(), 10)
    assert replies[-1].headers["Idempotent-Replayed"] == "true"
    assert (await account_names(running, acme)).count("Ann") == 1


async def test_answer_that_cannot_be_kept(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is answered, though the answer can't be kept; sent again it is not done again."""

    async def fail(*_: object, **__: object) -> None:
        raise NotReady("The disk is full.")

    monkeypatch.setattr(idempotent_answers, "keep", fail)
    assert (await created(running, acme)).status == 201
    assert (await created(running, acme)).status == 409
    assert (await account_names(running, acme)).count("Ann") == 1


ONE = {"email": "one@example.com", "organizationName": "One"}


@pytest.mark.parametrize(
    ("guess", "key", "status"),
    [({}, "guess", 400), (ONE, "guess", 409), ({**ONE, "organizationName": "Two"}, "order-1", 409), ({}, "order-1", 409)],
)
async def test_guessed_registration(settings: Settings, guess: dict[str, str], key: str, status: int) -> None:
    """Another client of the same address has nothing of an answer without its whole body and key, and few tries to guess them."""
    async with serving(settings.model_copy(update={"registrations_per_hour": 3})) as running:
        first = await running.send("POST", f"{API}/register", json=ONE, headers=KEY)
        for expected in (status, status, 429, 429):
            reply = await running.send("POST", f"{API}/register", json=guess, headers={"Idempotency-Key": key})
            assert (reply.status, first.data["apiKey"] in reply.text) == (expected, False)


async def test_registration_sent_again_takes_no_try(settings: Settings) -> None:
    """What is answered again, and what is refused without a key, is no registration of its address."""
    async with serving(settings.model_copy(update={"registrations_per_hour": 2})) as running:
        replies = [await running.send("POST", f"{API}/register", json=ONE, headers=KEY) for _ in range(3)]
        assert len({reply.text for reply in replies}) == 1
        for _ in range(3):
            assert (await running.send("POST", f"{API}/register", json={})).status == 400
        assert (await running.send("POST", f"{API}/register", json={**ONE, "email": "two@example.com"})).status == 201


async def test_client_that_leaves_while_its_key_is_claimed(
    running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that is committed after its client has left is not held for nothing: the request is carried out."""
    database, gate, asked = running.app[keys.DATABASE], threading.Event(), list[str]()
    write, tallies = database.write, running.app[keys.METRICS]._tallies

    async def noted(unit: Any, **how: Any) -> Any:
        asked.append(unit.__qualname__)
        return await write(unit, **how)

    async def hold(_transaction: Transaction) -> None:
        gate.wait(60)

    holding = asyncio.create_task(write(hold))
    monkeypatch.setattr(database, "write", noted)
    sending = asyncio.create_task(created(running, acme))
    await until(lambda: any(name.startswith("Attempt.claim") for name in asked))
    sending.cancel()
    await until(lambda: any(status == 499 for _, status in tallies))
    gate.set()
    await holding

    async def is_answered() -> bool:
        return bool((await created(running, acme)).headers.get("Idempotent-Replayed"))

    await until_seen(is_answered, seconds=10)
    assert (await account_names(running, acme)).count("Ann") == 1


async def test_after_a_restart(settings: Settings) -> None:
    """Answers outlive the process; a claim without an answer, as a kill leaves it, does not."""
    async with serving(settings) as running:
        acme = await running.register("Acme")
        first = await created(running, acme)
        attempt = running.app[keys.IDEMPOTENCY].attempt(acme.id, caller=acme.key, key="cut-off")
        await attempt.claim("0" * 64)
    async with serving(settings) as running:
        assert (await created(running, acme)).text == first.text
        assert (await created(running, acme, "Ben", headers={"Idempotency-Key": "cut-off"})).status == 201


async def test_answer_kept_by_an_earlier_version(running: Running, acme: Tenant) -> None:
    """An answer that was kept as its body alone, before its headers were, is given again."""
    attempt = running.app[keys.IDEMPOTENCY].attempt(acme.id, caller=acme.key, key="order-1")
    await attempt.claim("0" * 64)
    body = b'{"success":true,"data":{"id":"1"}}'
    sealed = idempotency._sealed(attempt._secret, body)
    await running.app[keys.DATABASE].write(
        lambda transaction: idempotent_answers.keep(transaction, acme.id, **attempt._of, status=201, sealed=sealed)
    )
    assert await attempt.claim("0" * 64) == idempotency.KeptAnswer(201, {}, body)


async def test_many_are_forgotten_a_few_at_a_time(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old answers, which may be large, are forgotten a few at each claim; its own key is free at once, the newest too."""
    for number in range(30):
        assert (await created(running, acme, headers={"Idempotency-Key": f"order-{number}"})).status == 201
    monkeypatch.setattr(idempotency, "KEPT_HOURS", -1)
    left = []
    for _ in range(3):
        again = await created(running, acme, headers={"Idempotency-Key": "order-29"})
        assert (again.status, again.headers.get("Idempotent-Replayed")) == (201, None)
        left.append(len(await running.rows("SELECT * FROM idempotent_answers")))
    assert left == [10, 1, 1]


async def test_a_day_later(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a day a key is free, and its answer forgotten."""
    first = await created(running, acme)
    monkeypatch.setattr(idempotency, "KEPT_HOURS", -1)
    assert (await created(running, acme)).data["id"] != first.data["id"]
    assert len(await running.rows("SELECT * FROM idempotent_answers")) == 1
