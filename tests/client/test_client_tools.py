"""The client and functions: registered, called in a stream, waiting for a person, answered; and what else only a console asks."""

from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from tenantai.client import (
    ApprovalDecision,
    ChatApprovalAsked,
    ChatEvent,
    ChatFinished,
    ChatText,
    ChatToolAnswered,
    ChatToolBegun,
    ChatToolCalled,
    ChatToolFailed,
    Client,
    ClientError,
)
from tenantai.providers.scripted import ScriptedChat, Step
from tenantai.server import keys
from tenantai.settings import Settings
from tenantai.storage.database import Transaction, compiled
from tests.running import Running, Tenant, serving
from tests.server.tools.endpoints import PARAMETERS, call, endpoint
from tests.server.walk import estimated

CALLED = (ChatToolBegun, ChatToolCalled, ChatToolAnswered, ChatToolFailed, ChatApprovalAsked)


def of_calls(events: list[ChatEvent]) -> list[ChatEvent]:
    """Return the events of calls."""
    return [event for event in events if isinstance(event, CALLED)]


async def latest_conversation(client: Client, tenant_id: str) -> str:
    """Return the id of the conversation in which something was said last."""
    return (await anext(client.conversations.all(tenant_id))).id


async def test_a_call_waits_and_is_answered(settings: Settings) -> None:
    """A call that needs a yes is told with its arguments, waits in its conversation, and goes on once it is decided."""
    allowing = settings.model_copy(update={"tool_networks_allowed": (ip_network("127.0.0.0/8"),)})
    script: list[Sequence[Step]] = [call("pay", {"order": "A-7"}), ["Paid."], call("pay", {"order": "A-8"}), ["As you wish."]]
    async with endpoint() as there, serving(allowing, chat=ScriptedChat(script)) as running:
        acme = await running.register("Acme")
        async with Client(running.url, acme.key) as client:
            made = await client.tools.create(
                acme.id, name="pay", description="Pays.", parameters=PARAMETERS, endpoint=there.url, approval="ask"
            )
            assert made.signing_secret.startswith("whsec_")
            events = [event async for event in client.chat.stream(acme.id, "Pay A-7.", can_ask=True)]
            begun, called, asked = of_calls(events)
            assert isinstance(called, ChatToolCalled)
            assert isinstance(asked, ChatApprovalAsked)
            assert (begun, called.arguments) == (ChatToolBegun(called.tool_call_id, "pay"), {"order": "A-7"})
            assert events[-1] == ChatFinished("tool-calls")
            conversation_id = await latest_conversation(client, acme.id)
            (waiting,) = (await client.conversations.get(conversation_id)).pending_approvals
            assert (waiting.approval_id, waiting.tool_call_id) == (asked.approval_id, asked.tool_call_id)
            assert (waiting.tool_name, waiting.input, waiting.expires_at > waiting.created_at) == ("pay", {"order": "A-7"}, True)
            yes = [ApprovalDecision(waiting.approval_id, approved=True)]
            events = [event async for event in client.chat.decide(acme.id, conversation_id, yes)]
            assert of_calls(events)[-1] == ChatToolAnswered(asked.tool_call_id, {"state": "on its way"})
            assert [event.text for event in events if isinstance(event, ChatText)] == ["Paid."]
            assert (await client.conversations.get(conversation_id)).pending_approvals == []
            with pytest.raises(ClientError) as again:
                [event async for event in client.chat.decide(acme.id, conversation_id, yes)]
            assert again.value.code == "CONFLICT"
            again_asked = [event async for event in client.chat.stream(acme.id, "Pay A-8.", can_ask=True)]
            no = [
                ApprovalDecision(e.approval_id, approved=False, reason="Too dear.")
                for e in again_asked
                if isinstance(e, CALLED[-1])
            ]
            latest = await latest_conversation(client, acme.id)
            events = [event async for event in client.chat.decide(acme.id, latest, no)]
            failed = of_calls(events)[-1]
            assert isinstance(failed, ChatToolFailed)
            assert "Too dear." in failed.sentence
            assert len(there.asked) == 1


async def test_what_can_not_be_answered_does_not_wait(settings: Settings) -> None:
    """An approval whose hour is over, or behind which the conversation went on, is not told as waiting."""
    allowing = settings.model_copy(update={"tool_networks_allowed": (ip_network("127.0.0.0/8"),)})
    script: list[Sequence[Step]] = [call("pay", {"order": "A-7"}), ["Well."], call("pay", {"order": "A-8"})]
    async with endpoint() as there, serving(allowing, chat=ScriptedChat(script)) as running:
        acme = await running.register("Acme")
        async with Client(running.url, acme.key) as client:
            await client.tools.create(
                acme.id, name="pay", description="Pays.", parameters=PARAMETERS, endpoint=there.url, approval="ask"
            )
            [event async for event in client.chat.stream(acme.id, "Pay A-7.", can_ask=True)]
            first = await latest_conversation(client, acme.id)
            assert (await client.conversations.get(first)).pending_approvals
            [event async for event in client.chat.stream(acme.id, "Never mind.", conversation_id=first)]
            assert (await client.conversations.get(first)).pending_approvals == []
            [event async for event in client.chat.stream(acme.id, "Pay A-8.", can_ask=True, conversation_id=first)]
            assert len((await client.conversations.get(first)).pending_approvals) == 1

            async def unit(transaction: Transaction) -> None:
                await transaction.run(compiled("UPDATE tool_approvals SET expires_at = '2020-01-01T00:00:00.000Z'"))

            await running.app[keys.DATABASE].write(unit)
            assert (await client.conversations.get(first)).pending_approvals == []


async def test_functions_are_listed_and_deleted(running: Running, acme: Tenant) -> None:
    """A function is read back without its secret, and is gone once it is deleted."""
    async with Client(running.url, acme.key) as client:
        made = await client.tools.create(
            acme.id, name="track", description="Tracks.", parameters=PARAMETERS, endpoint="https://example.com/track"
        )
        (listed,) = [tool async for tool in client.tools.all(acme.id)]
        assert listed == await client.tools.get(acme.id, made.id)
        assert (listed.name, listed.parameters, listed.approval) == ("track", PARAMETERS, "auto")
        await client.tools.delete(acme.id, made.id)
        with pytest.raises(ClientError) as gone:
            await client.tools.get(acme.id, made.id)
        assert gone.value.code == "NOT_FOUND"


async def test_what_a_console_asks_besides(running: Running, acme: Tenant) -> None:
    """Metrics, a tenant's own limits, what concerns its store, and an estimate's picture are read and set."""
    operator = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    file_id = await running.upload(acme, "The lamp is green.")
    async with Client(running.url, operator) as client:
        assert "tenantai_build_info" in await client.probes.metrics()
        assert (await client.tenants.limit(acme.id, {"requestsPerMinute": 7})).limits == {"requests_per_minute": 7}
        assert (await client.tenants.limit(acme.id, None)).limits is None
    async with Client(running.url, acme.key) as client:
        page = await client.audit.of_store(acme.id, asset_id=file_id, limit=1)
        assert ([entry.event_type for entry in page.logs], page.total) == (["sync_completed"], 2)
        older = await client.audit.of_store(acme.id, asset_id=file_id, limit=1, cursor=page.next_cursor)
        assert [entry.event_type for entry in older.logs] == ["file_uploaded"]
        assert (await client.estimator.picture(await estimated(running, acme), 0)).startswith(b"\xff\xd8")
