"""`tenants`, `accounts` and `conversations`, over a real server."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

from tenantai.commands.terminal import Failed, Misused, confirm
from tenantai.server import keys
from tenantai.server.app import operator_secret
from tenantai.storage.database import compiled
from tests.commands.running_cli import Outcome, over_http, run
from tests.running import Account, Running, Tenant


def shown(outcome: Outcome) -> dict[str, str]:
    """Return the `name: value` lines of a record."""
    assert outcome.code == 0, outcome.err
    return dict(line.split(": ", 1) for line in outcome.out.splitlines())


async def test_a_tenant_registers_and_reads_itself(running: Running, tmp_path: Path) -> None:
    """`tenants register` needs no key and shows the first one; with it `show`, `list` and `update` work on one's own tenant."""
    made = shown(
        await run(
            *("tenants", "register", "--name", "New", "--email", "new@example.com"), home=tmp_path, TENANTAI_URL=running.url
        )
    )
    assert made["apiKey"].startswith("sk_live_")
    tenant = Tenant(made["tenantId"], made["apiKey"], Account("", made["tenantId"], "member"))
    renamed = shown(await over_http(running, tenant, "tenants", "update", "--name", "Newer", home=tmp_path))
    assert (renamed["id"], renamed["name"], renamed["plan"]) == (tenant.id, "Newer", "pro")
    assert shown(await over_http(running, tenant, "tenants", "show", home=tmp_path)) == renamed
    listed = await over_http(running, tenant, "tenants", "list", home=tmp_path)
    assert listed.out.split() == [tenant.id, "Newer", "new@example.com", "pro"]
    whole = await over_http(running, tenant, "tenants", "list", "--json", home=tmp_path)
    assert [one["id"] for one in json.loads(whole.out)] == [tenant.id]
    again = await run(
        *("tenants", "register", "--name", "New", "--email", "new@example.com"), home=tmp_path, TENANTAI_URL=running.url
    )
    assert again.code == 1
    assert "Traceback" not in again.err


async def test_the_operator_makes_and_changes_tenants(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`tenants create` and a change of plan are the operator's; a tenant's own key is refused with its reason."""
    data_dir = running.app[keys.SETTINGS].data_dir
    operator = replace(acme, key=(data_dir / "operator.key").read_text().strip())
    made = await over_http(
        running, operator, *("tenants", "create", "--name", "By hand", "--email", "hand@example.com", "--json"), home=tmp_path
    )
    tenant = json.loads(made.out)
    assert (tenant["name"], tenant["plan"]) == ("By hand", "pro")
    assert "shown this once" in made.err
    changed = shown(await over_http(running, operator, "tenants", "update", tenant["id"], "--plan", "free", home=tmp_path))
    assert changed["plan"] == "free"
    assert len((await over_http(running, operator, "tenants", "list", home=tmp_path)).out.splitlines()) == 2
    unnamed = await over_http(running, operator, "files", "list", home=tmp_path)
    assert (unnamed.code, "--tenant" in unnamed.err, "tenants list" in unnamed.err) == (2, True, True)
    refused = await over_http(running, acme, "tenants", "update", "--plan", "enterprise", home=tmp_path)
    assert (refused.code, refused.out) == (1, "")
    assert "operator" in refused.err
    nothing = await over_http(running, acme, "tenants", "update", home=tmp_path)
    assert nothing.code == 2


async def test_an_account_from_its_making_to_its_end(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`accounts` creates, lists, shows, updates, clears and deletes; what is unknown is said with the command that helps."""
    made = await over_http(
        running, acme, *("accounts", "create", "Front desk", "--role", "viewer", "--email", "desk@example.com"), home=tmp_path
    )
    assert made.code == 0, made.err
    account_id = made.out.strip()
    seen = shown(await over_http(running, acme, "accounts", "show", account_id, home=tmp_path))
    assert (seen["name"], seen["role"], seen["email"]) == ("Front desk", "viewer", "desk@example.com")
    cleared = await over_http(
        running, acme, *("accounts", "update", account_id, "--email", "", "--external-id", "7", "--json"), home=tmp_path
    )
    record = json.loads(cleared.out)
    assert (record["email"], record["external_id"], record["role"]) == (None, "7", "viewer")
    listed = await over_http(running, acme, "accounts", "list", home=tmp_path)
    assert f"{account_id}  Front desk  viewer  7" in listed.out.splitlines()
    kept = await over_http(running, acme, "accounts", "delete", account_id, home=tmp_path)
    assert (kept.code, "--yes" in kept.err) == (2, True)
    gone = await over_http(running, acme, "accounts", "delete", account_id, "--yes", home=tmp_path)
    assert (gone.code, gone.out.strip()) == (0, account_id)
    missing = await over_http(running, acme, "accounts", "show", account_id, home=tmp_path)
    assert missing.code == 1
    assert "accounts list` shows the ids" in missing.err
    assert (await over_http(running, acme, "accounts", "update", account_id, home=tmp_path)).code == 2


async def test_a_key_of_few_scopes_is_told_what_to_name(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """What a key may not look up, its tenant and its accounts, is named by option; the refusal names the option."""
    key, _ = await running.issue(acme, scopes=["file:upload"])
    poor, named = replace(acme, key=key), ("--tenant", acme.id)
    (tmp_path / "a.txt").write_text("Rent is due on the first.")
    command = ("files", "upload", str(tmp_path / "a.txt"))
    refused = await over_http(running, poor, *command, home=tmp_path)
    assert (refused.code, "has it, or name the tenant with --tenant." in refused.err) == (1, True)
    refused = await over_http(running, poor, *command, *named, home=tmp_path)
    assert (refused.code, "has it, or name an account with --account." in refused.err) == (1, True)
    sent = await over_http(running, poor, *command, *named, "--account", acme.account.id, home=tmp_path)
    assert (sent.code, len(sent.out.split())) == (0, 1)


async def test_what_was_asked_is_found_again_and_deleted(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`conversations` lists, finds by words, shows with both messages, and deletes."""
    await running.answer(acme, "When is rent due?")
    listed = json.loads((await over_http(running, acme, "conversations", "list", "--json", home=tmp_path)).out)
    conversation_id = listed[0]["id"]
    found = await over_http(running, acme, "conversations", "list", "--text", "rent", home=tmp_path)
    assert found.out.startswith(f"{conversation_id}  ")
    told = await over_http(running, acme, "conversations", "show", conversation_id, home=tmp_path)
    assert "When is rent due?" in told.out
    assert "A scripted answer." in told.out
    asked = await over_http(running, acme, "conversations", "delete", conversation_id, home=tmp_path)
    assert asked.code == 2
    gone = await over_http(running, acme, "conversations", "delete", conversation_id, "--yes", home=tmp_path)
    assert (gone.code, gone.out.strip()) == (0, conversation_id)
    assert (await over_http(running, acme, "conversations", "list", home=tmp_path)).out == ""


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("tools", "list"), "There are no functions. Add one: `"),
        (("files", "list"), "There are no files. Upload some: `"),
        (("assets", "list"), "The vault is empty. Upload some: `"),
        (("assets", "list", "--prefix", "leases/"), "There are no files whose path begins with leases/. Upload some: `"),
        (("estimates", "list"), "Nothing was estimated yet. Estimate something: `"),
        (("conversations", "list"), "Nothing was asked yet. Ask something: `"),
    ],
)
async def test_a_list_of_nothing_says_so(
    running: Running, acme: Tenant, tmp_path: Path, typed: tuple[str, ...], said: str
) -> None:
    """Where there is nothing to list, stdout stays empty and stderr says so and what to do; JSON is an empty list."""
    none = await over_http(running, acme, *typed, home=tmp_path)
    assert (none.code, none.out) == (0, "")
    assert none.err.startswith(said)
    assert (await over_http(running, acme, *typed, "--json", home=tmp_path)).out.strip() == "[]"


async def test_a_tenant_without_keys_is_told_how_to_make_one(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """The operator, who sees a tenant without any key, is told so."""
    await running.app[keys.DATABASE].write_one(compiled("DELETE FROM api_keys"))
    operator = replace(acme, key=operator_secret(running.app[keys.SETTINGS]))
    none = await over_http(running, operator, "keys", "list", "--tenant", acme.id, home=tmp_path)
    assert (none.code, none.out) == (0, "")
    assert none.err.startswith("There are no keys. Make one: `")


def test_what_is_for_good_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a keyboard a question is asked, and a no does nothing; where nobody can be asked, `--yes` is needed."""
    monkeypatch.setattr(click, "confirm", lambda *_, **__: False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(Failed, match="Nothing was done"):
        confirm("Delete it?", is_sure=False)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: True)
    confirm("Delete it?", is_sure=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(Misused, match="--yes"):
        confirm("Delete it?", is_sure=False)
    confirm("Delete it?", is_sure=True)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (("file:read", "file:upload", "file:delete"), "every session has ended.\n"),
        (("file:read",), "It opens the vault in part: this key lacks file:upload, file:delete.\n"),
        ((), "It opens nothing in the vault: this key lacks file:read, file:upload, file:delete.\n"),
    ],
)
async def test_password_says_what_it_does_not_open(
    running: Running, acme: Tenant, tmp_path: Path, held: tuple[str, ...], said: str
) -> None:
    """Who sets the Asset Manager's password with a lesser key hears what it does not open."""
    key, _ = await running.issue(acme, scopes=["asset-auth:write", "tenant:read", *held])
    ended = await over_http(running, replace(acme, key=key), "assets", "password", home=tmp_path, typed="Correct-Horse-1!\n")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.endswith(said), ended.err
