"""API keys: typos cost nothing, a key seen lately costs no look-up, a revoked one stops within a second; registration."""

from collections import Counter
from typing import Any

import pytest

from tenantai.server import keys
from tenantai.server.app import OPERATOR_KEY_FILE, operator_secret
from tenantai.server.routes import API
from tenantai.server.services import address_gate, credentials
from tenantai.server.services.credentials import ALPHABET, TENANT_SCOPES, is_well_formed, new_secret
from tenantai.settings import Settings, SettingsIncomplete
from tenantai.storage import across_tenants
from tests.running import Running, Tenant, serving


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the look-ups of keys in the database."""
    counted: Counter[str] = Counter()
    real = across_tenants.key_by_secret

    async def counting(*given: Any, **named: Any) -> Any:
        counted["key"] += 1
        return await real(*given, **named)

    monkeypatch.setattr(across_tenants, "key_by_secret", counting)
    return counted


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the key ring and of the registration's gate."""
    standing = Clock()
    monkeypatch.setattr(credentials, "time", standing)
    monkeypatch.setattr(address_gate, "time", standing)
    return standing


def test_every_typo_is_noticed() -> None:
    """One wrong, missing, added or swapped character makes a key ill-formed; each new key is well formed."""
    secret = new_secret()
    assert is_well_formed(secret)
    assert is_well_formed(new_secret(prefix="sk_test_"))
    for at in range(8, len(secret)):
        wrong = ALPHABET[(ALPHABET.index(secret[at]) + 1) % len(ALPHABET)]
        assert not is_well_formed(secret[:at] + wrong + secret[at + 1 :])
        assert not is_well_formed(secret[:at] + secret[at + 1 :])
        assert not is_well_formed(secret[:at] + "0" + secret[at:])
    assert not is_well_formed(secret + "\n")


async def test_typos_cost_no_look_up(running: Running, acme: Tenant, look_ups: Counter[str]) -> None:
    """A key with a wrong checksum is refused without asking the database."""
    for key in (acme.key[:-1], acme.key[:-1] + "_", "x", "sk_live_", acme.key.upper()):
        assert (await running.send("GET", acme.path, key=key)).status == 401
    assert look_ups["key"] == 0


async def test_key_seen_lately(running: Running, acme: Tenant, look_ups: Counter[str], clock: Clock) -> None:
    """A key is looked up once, then again only when it was seen the better part of a second ago."""
    for _ in range(20):
        assert (await running.send("GET", acme.path, key=acme.key)).status == 200
    assert look_ups["key"] == 1
    clock.now += credentials.FRESH_SECONDS
    assert (await running.send("GET", acme.path, key=acme.key)).status == 200
    assert look_ups["key"] == 2


async def test_revoked_key_stops(running: Running, acme: Tenant, clock: Clock) -> None:
    """A key that was revoked behind the server's back is refused within a second."""
    secret, key_id = await running.issue(acme)
    assert (await running.send("GET", acme.path, key=secret)).status == 200
    await running.revoke(acme, key_id)
    clock.now += 0.99
    assert (await running.send("GET", acme.path, key=secret)).status == 401


async def test_where_a_key_is_sent(running: Running, acme: Tenant) -> None:
    """A key is taken from x-api-key or as a bearer's token, and from nowhere else."""
    for headers in ({"X-API-Key": acme.key}, {"Authorization": f"Bearer {acme.key}"}, {"Authorization": f"bearer {acme.key}"}):
        assert (await running.send("GET", acme.path, headers=headers)).status == 200
    for headers in ({"Authorization": acme.key}, {"Authorization": f"Basic {acme.key}"}, {"Cookie": f"x-api-key={acme.key}"}):
        assert (await running.send("GET", acme.path, headers=headers)).status == 401
    assert (await running.send("GET", f"{acme.path}?x-api-key={acme.key}")).status == 401


async def test_secret_is_nowhere(running: Running, acme: Tenant, capfd: pytest.CaptureFixture[str]) -> None:
    """The database and the log hold a key's hash and its ends, never the key."""
    await running.send("GET", acme.path, key=acme.key)
    assert acme.key[8:-8] not in str(await running.rows("SELECT * FROM api_keys"))
    assert acme.key[8:-8].encode() not in running.app[keys.DATABASE].path.read_bytes()
    out, err = capfd.readouterr()
    assert acme.key[8:-8] not in out + err


async def test_registration(running: Running) -> None:
    """Anyone may register: a tenant with a key that has a tenant's scopes; an address has one tenant."""
    body = {"email": "ann@Example.com", "organizationName": " Ann's "}
    made = await running.send("POST", f"{API}/register", json=body)
    assert made.status == 201
    assert made.data["scopes"] == list(TENANT_SCOPES)
    shown = await running.send("GET", f"{API}/tenants/{made.data['tenantId']}", key=made.data["apiKey"])
    assert (shown.data["name"], shown.data["email"], shown.data["plan"]) == ("Ann's", "ann@example.com", "pro")
    again = await running.send("POST", f"{API}/register", json={**body, "email": "ann@EXAMPLE.com"})
    assert (again.status, again.error["code"]) == (409, "CONFLICT")


async def test_registration_closed(settings: Settings) -> None:
    """Where registration is closed it is a 403, whatever the body."""
    async with serving(settings.model_copy(update={"registration": "closed"})) as running:
        reply = await running.send("POST", f"{API}/register", json={})
        assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN")


async def test_registrations_an_hour(settings: Settings, clock: Clock) -> None:
    """An address registers so many times an hour; then it is told when to come back, and may."""
    async with serving(settings.model_copy(update={"registrations_per_hour": 3})) as running:

        async def register(number: int) -> Any:
            body = {"email": f"n{number}@example.com", "organizationName": "N"}
            return await running.send("POST", f"{API}/register", json=body)

        assert [(await register(number)).status for number in range(3)] == [201] * 3
        refused = await register(4)
        assert (refused.status, refused.error["code"]) == (429, "TOO_MANY_ATTEMPTS")
        assert refused.error["details"]["limit"] == 3
        clock.now += int(refused.headers["Retry-After"]) - 1
        assert (await register(4)).status == 429
        clock.now += 1
        assert (await register(4)).status == 201


def test_operators_key_is_whole_or_made_anew(settings: Settings) -> None:
    """A file that a kill left empty gets a key, for the owner's eyes only; another is kept, and one that is no key is refused."""
    path = settings.data_dir / OPERATOR_KEY_FILE
    path.touch(mode=0o644)
    path.with_suffix(".new").write_text("half a ke")
    made = operator_secret(settings)
    assert is_well_formed(made)
    assert (path.read_text().strip(), path.stat().st_mode & 0o777) == (made, 0o600)
    assert operator_secret(settings) == made
    assert [found.name for found in settings.data_dir.glob("operator*")] == [OPERATOR_KEY_FILE]
    path.write_text("admin")
    with pytest.raises(SettingsIncomplete, match="32 characters"):
        operator_secret(settings)
