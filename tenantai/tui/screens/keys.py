"""API keys of the tenant: made, rotated, revoked; a secret is shown in one dialog and kept nowhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.message import Message

from tenantai.client import Client
from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.curl import curl
from tenantai.tui.screens.new_key import NewKey, Wish
from tenantai.tui.screens.paged import Paged
from tenantai.tui.screens.questions import Choice, Choose, Confirm, Secret
from tenantai.tui.widgets.columns import Column, Tone
from tenantai.tui.widgets.record_list import RecordList
from tenantai.wire.accounts import AccountRecord
from tenantai.wire.api_keys import ApiKeyMade, ApiKeyRecord

SOON = timedelta(days=14)
GRACES = (("0", "at once"), ("3600", "in an hour"), ("86400", "in a day"), ("604800", "in a week"))
KEPT_NOWHERE = "This is the only time that it is shown. Keep it where secrets are kept."


class Keys(Paged):
    """The keys in a list; never-used ones and those that end soon stand out."""

    SPOT: ClassVar[str] = "keys"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("keys.new", "n", "new_key", "New key", "Make a key: its scopes, its account, its end.", word="new", changes=True, scope="key:write"),
        Action("keys.rotate", "R", "rotate", "Rotate", "Give the key another secret; the old one works on for as long as you say.", changes=True, scope="key:write"),
        Action("keys.revoke", "d,delete", "revoke", "Revoke", "Refuse the marked keys from now on, for good.", changes=True, scope="key:write"),
        Action("keys.curl", "c", "copy_curl", "Copy curl", "Copy the request for this list as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Made(Message):
        """A key has a new secret."""

        made: ApiKeyMade

    @dataclass
    class Revoked(Message):
        """Keys are refused from now on."""

        count: int

    def compose_middle(self) -> ComposeResult:
        """Lay out the list."""
        columns = [
            Column[ApiKeyRecord]("name", lambda key: key.name, grows=True),
            Column[ApiKeyRecord]("key", lambda key: f"{key.first_characters}…{key.last_characters}"),
            Column[ApiKeyRecord]("state", state_of, tone=tone_of),
            Column[ApiKeyRecord]("last used", lambda key: shown.when(key.last_used_at), sort=lambda key: key.last_used_at or ""),
            Column[ApiKeyRecord]("expires", lambda key: shown.when(key.expires_at), sort=lambda key: key.expires_at or "9"),
            Column[ApiKeyRecord]("scopes", lambda key: f"{len(key.scopes)}", right=True, sort=lambda key: len(key.scopes)),
            Column[ApiKeyRecord]("created", lambda key: shown.when(key.created_at), sort=lambda key: key.created_at),
        ]
        yield RecordList(columns, key=lambda key: key.id, noun="keys")

    @property
    def records(self) -> RecordList[ApiKeyRecord]:
        """The list."""
        return self.query_one(RecordList)

    def load(self) -> None:
        """Ask for the keys of the tenant."""
        tenant_id = self.tenant_id
        if tenant_id is not None:
            self.load_pages(self.records, lambda client: client.api_keys.all(tenant_id), owner=tenant_id)
        else:
            self.leave_pages(self.records, unless_of=None)
            self.records.show([])

    def applies(self, action: str) -> bool | None:
        """Grey what needs a live key where there is none."""
        if action in {"rotate", "revoke"}:
            return True if any(key.revoked_at is None for key in self.records.targets) else None
        return True

    @on(RecordList.TargetsChanged)
    def _targets_changed(self) -> None:
        self.refresh_bindings()

    @work(exit_on_error=False)
    async def action_new_key(self) -> None:
        """Make a key."""
        who, tenant_id = self.operating.link_state.who, self.tenant_id
        if tenant_id is None:
            return
        client = await self.operating.link.client()
        accounts: list[AccountRecord] = [account async for account in client.accounts.all(tenant_id)]
        wish = await self.app.push_screen_wait(NewKey(who.scopes if who else [], accounts))
        if isinstance(wish, Wish):

            async def work(client: Client) -> Message:
                return self.Made(
                    await client.api_keys.create(
                        tenant_id, name=wish.name, scopes=wish.scopes, account_id=wish.account_id, expires_at=wish.expires_at
                    )
                )

            self.change(work)

    @work(exit_on_error=False)
    async def action_rotate(self) -> None:
        """Give the key under the cursor another secret."""
        key, tenant_id = self.records.current, self.tenant_id
        if key is None or tenant_id is None:
            return
        choices = [Choice(seconds, f"The old secret ends {when}") for seconds, when in GRACES]
        grace = await self.app.push_screen_wait(Choose(f"Rotate {shown.line(key.name, most=60)}", choices))
        if isinstance(grace, str):

            async def work(client: Client) -> Message:
                return self.Made(await client.api_keys.rotate(tenant_id, key.id, grace_seconds=int(grace)))

            self.change(work)

    @work(exit_on_error=False)
    async def action_revoke(self) -> None:
        """Revoke the marked keys, or the one under the cursor."""
        keys = [key for key in self.records.targets if key.revoked_at is None]
        tenant_id = self.tenant_id
        if not keys or tenant_id is None:
            return
        names = [f"{key.name}  {key.first_characters}…{key.last_characters}" for key in keys]
        question = Confirm(
            f"Revoke {len(keys)} key(s)? Whoever uses them is refused from now on.",
            names=names,
            hidden=len([key for key in self.records.hidden_targets if key in keys]),
            yes="Revoke",
        )
        if await self.app.push_screen_wait(question):

            async def work(client: Client) -> Message:
                for key in keys:
                    await client.api_keys.revoke(tenant_id, key.id)
                return self.Revoked(len(keys))

            self.change(work)

    @on(Made)
    def _made(self, event: Made) -> None:
        made = event.made
        title = f"The secret of {shown.line(made.name, most=60)}"
        until = f" The old one works until {shown.when(made.previous_works_until)}." if made.previous_works_until else ""
        self.app.push_screen(Secret(title, made.api_key, warning=f"{KEPT_NOWHERE}{until}"))
        self.load()

    @on(Revoked)
    def _revoked(self, event: Revoked) -> None:
        self.notify(f"{event.count} key(s) revoked.", markup=False)
        self.records.table.marks.clear()
        self.load()

    def action_copy_curl(self) -> None:
        """Copy the request for this list."""
        self.operating.copy(curl(self.operating.link_url, "GET", f"/tenants/{self.tenant_id}/api-keys"), what="command")


def state_of(key: ApiKeyRecord) -> str:
    """Return how a key stands now."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and _at(key.expires_at) <= _now():
        return "expired"
    if key.expires_at is not None and _at(key.expires_at) - _now() < SOON:
        return "ends soon"
    return "live" if key.last_used_at else "never used"


def tone_of(key: ApiKeyRecord) -> Tone:
    """Return the colour of how it stands."""
    tones: dict[str, Tone] = {"revoked": "dim", "expired": "dim", "ends soon": "bad", "never used": "warn", "live": "good"}
    return tones[state_of(key)]


def _at(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)


def _now() -> datetime:
    return datetime.now(tz=UTC)
