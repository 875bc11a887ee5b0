"""Requests that pass a limit on their way: those of a minute wait, others are told."""

import pytest

from tenantai.client import Client, ClientError, pausing
from tenantai.client.pausing import with_pauses
from tenantai.server.keys import METER
from tenantai.settings import Plan, Plans, Settings
from tests.running import MANY, serving


def with_limits(settings: Settings, **limits: int) -> Settings:
    wide = dict.fromkeys(("requests_per_minute", "requests_per_hour", "requests_per_day", "requests_per_month"), MANY)
    return settings.model_copy(update={"plans": Plans(pro=Plan(**{**wide, **limits}))})


async def test_a_request_waits_for_the_minute(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the minute's limit refused is sent again when it lets it through, and nothing is lost or done twice."""
    async with serving(with_limits(settings, requests_per_minute=4)) as running:
        acme = await running.register("Acme")
        meter, clock, waited = running.app[METER], running.app[METER].now, [0.0]
        meter.now = lambda: clock() + waited[0]

        async def pass_time(seconds: float) -> None:
            waited[0] += seconds

        monkeypatch.setattr(pausing, "sleep", pass_time)
        told: list[int] = []
        async with Client(running.url, acme.key) as client:
            made = [
                await with_pauses(lambda n=n: client.accounts.create(acme.id, name=f"one {n}"), paused=told.append)  # type: ignore[misc]
                for n in range(9)
            ]
        assert [account.name for account in made] == [f"one {n}" for n in range(9)]
        assert len(told) >= 2
        assert all(0 < seconds <= 61 for seconds in told)
        assert (await running.rows("SELECT count(*) FROM accounts WHERE name LIKE 'one %'"))[0][0] == 9


async def test_a_longer_limit_is_told(settings: Settings) -> None:
    """The limit of an hour is raised at once, with how long it lasts."""
    async with serving(with_limits(settings, requests_per_hour=3)) as running:
        acme = await running.register("Acme")
        told: list[int] = []
        async with Client(running.url, acme.key) as client:
            refused: ClientError | None = None
            while refused is None:
                try:
                    await with_pauses(lambda: client.tenants.get(acme.id), paused=told.append)
                except ClientError as error:
                    refused = error
    assert refused.code == "RATE_LIMIT_EXCEEDED"
    assert (refused.retry_after or 0) > 61
    assert told == []
