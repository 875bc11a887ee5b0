"""The ledgers of all tenants, and the journal that makes what they count outlive the process.

What must stay true: a request is in the journal before its answer goes out, and in a ledger exactly once; a ledger begins with
what was recorded, and nothing of its tenant is counted beside it.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar
from weakref import WeakSet

from tenantai.errors import LimitExceeded, NotReady
from tenantai.identifiers import timestamp_of
from tenantai.providers.protocols import Usage
from tenantai.server.services.credentials import Principal
from tenantai.server.services.metering.charge import Charge
from tenantai.server.services.metering.ledger import HOUR, Ledger, Visit
from tenantai.server.services.metering.plans import Terms
from tenantai.storage import usage
from tenantai.storage.audit import OPERATOR_CHAIN
from tenantai.storage.database import Database
from tenantai.storage.tenants import Tenant
from tenantai.storage.usage_journal import UsageJournal, line_of

LINES_HELD_MAX = 10_000
OPERATOR = Tenant(OPERATOR_CHAIN, "operator", "", "enterprise", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z")
T = TypeVar("T")
Kind = tuple[str, str, object, int, str]


class Meter:
    """Lets requests in, counts them, and writes down what was counted."""

    def __init__(
        self, database: Database, journal: UsageJournal, terms: Terms, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._journal = journal
        self._terms = terms
        self._ledgers: dict[str, Ledger] = {}
        self._lines: dict[Kind, bytes] = {}
        self._charges: WeakSet[Charge] = WeakSet()
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.now = clock

    def held(self, tenant: Tenant | None) -> Ledger | None:
        """Return a tenant's ledger where it is in memory, on the terms that the tenant has now; None is the operator."""
        wanted = tenant or OPERATOR
        ledger = self._ledgers.get(wanted.id)
        if ledger is not None and ledger.tenant is not wanted:
            ledger.agree(wanted, self._terms.of(wanted))
        return ledger

    async def ledger(self, tenant: Tenant | None) -> Ledger:
        """Return a tenant's ledger, read from the record where it is not in memory."""
        return self.held(tenant) or await self._load(tenant or OPERATOR)

    def admit(self, visit: Visit) -> None:
        """Count a request. Raises LimitExceeded, and NotReady where usage can't be written down any more."""
        if self._journal.is_full:
            raise NotReady("The server cannot write to its disk now, so it takes no requests. Try again shortly.")
        visit.ledger.admit(self.now())
        visit.was_admitted = True

    def note_request(self, visit: Visit, *, route: object, status: int, endpoint: Callable[[T], str], of: T) -> None:
        """Write a counted request down; call it before the answer goes out. Like requests share their line."""
        ledger = visit.ledger
        kind = (ledger.tenant.id, visit.principal.key_id, route, status, ledger.month_starts_on)
        line = self._lines.get(kind)
        if line is None:
            line = self._line(ledger, visit.principal, endpoint(of), status=status, requests=1)
            if len(self._lines) >= LINES_HELD_MAX:
                self._lines.clear()
            self._lines[kind] = line
        self._journal.write(int(ledger.seen), line)

    def note_refusal(self, visit: Visit, *, endpoint: str) -> None:
        """Write down that a limit turned a request away, and take it out of the quotas where it had been let in."""
        if visit.was_admitted:
            visit.ledger.take_back()
        line = self._line(visit.ledger, visit.principal, endpoint, status=LimitExceeded.status, refused=1)
        self._journal.write(int(self.now()), line)

    def open_charge(
        self, ledger: Ledger, principal: Principal, *, endpoint: str, model: str, counted: Callable[[], Usage]
    ) -> Charge:
        """Return what counts an answer's tokens; settle it before the client reads that the answer is whole."""

        def write(tokens: Usage) -> None:
            ledger.add_tokens(tokens.input_tokens + tokens.output_tokens, self.now())
            self._journal.write(int(self.now()), self._line(ledger, principal, endpoint, status=200, model=model, tokens=tokens))

        def settled(whole: Usage) -> None:
            self.tokens[model, "input"] += whole.input_tokens
            self.tokens[model, "output"] += whole.output_tokens

        charge = Charge(write, settled, counted)
        self._charges.add(charge)
        return charge

    def charge_so_far(self) -> None:
        """Write down the tokens of answers that are being said; call it again and again."""
        for charge in list(self._charges):
            charge.so_far()

    def forget(self, tenant_id: str) -> None:
        """Let go of the ledger of a tenant that is gone."""
        self._ledgers.pop(tenant_id, None)

    def forget_idle(self) -> None:
        """Let go of ledgers that nothing came to for longer than their windows; call it once all is recorded."""
        idle_since = self.now() - HOUR - 1
        for tenant_id in [tenant_id for tenant_id, ledger in self._ledgers.items() if ledger.seen < idle_since]:
            del self._ledgers[tenant_id]

    async def read_again(self) -> None:
        """Have ledgers whose clock was set back go on from what was recorded of the periods; call it once all is recorded."""
        for ledger in [ledger for ledger in self._ledgers.values() if ledger.was_set_back]:
            await self._begin(ledger, self.now())

    async def _begin(self, ledger: Ledger, moment: float) -> None:
        reading, tenant_id = self._database.looking_up, ledger.tenant.id
        ledger.begin_with(
            day=await usage.used(reading, tenant_id, period=usage.DAY, starts_on=timestamp_of(moment)[:10]),
            month=await usage.used(reading, tenant_id, period=usage.MONTH, starts_on=ledger.month_starts_on),
        )

    async def _load(self, tenant: Tenant) -> Ledger:
        moment, reading = self.now(), self._database.looking_up
        ledger = Ledger(tenant, self._terms.of(tenant), moment=moment, is_enforced=tenant is not OPERATOR)
        ledger.seen = moment
        await self._begin(ledger, moment)
        span = {"since": timestamp_of(moment - HOUR), "until": timestamp_of(moment)}
        for second, requests in await usage.recent(reading, tenant.id, **span):
            if requests:
                for window in (ledger.minute, ledger.hour):
                    window.add(_seconds(second), requests)
        return self._ledgers.setdefault(tenant.id, ledger)

    @staticmethod
    def _line(
        ledger: Ledger,
        principal: Principal,
        endpoint: str,
        *,
        status: int,
        requests: int = 0,
        refused: int = 0,
        model: str = "",
        tokens: Usage | None = None,
    ) -> bytes:
        counts = (tokens.input_tokens, tokens.output_tokens) if tokens else (0, 0)
        told = (ledger.tenant.id, ledger.month_starts_on, endpoint, principal.key_id, principal.account_id or "", model)
        return line_of(*told, status, requests, refused, *counts)


def _seconds(moment: str) -> float:
    with suppress(ValueError):
        return datetime.fromisoformat(moment).astimezone(UTC).timestamp()
    return 0.0
