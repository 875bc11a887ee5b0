"""Nothing that a tenant can name reaches the terminal as markup or as a control sequence, in any place."""

import io
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from textual.app import App
from textual.strip import Strip

from tenantai.providers.protocols import FunctionCall
from tenantai.tui.app import Console
from tenantai.tui.places import SPOTS
from tenantai.tui.screens.edit_item import EditItem
from tenantai.tui.screens.estimates import Estimates
from tenantai.tui.screens.questions import Confirm
from tests.running import API, Running, Tenant, until
from tests.server.walk import estimated
from tests.tui.conftest import Opener, asked, settled

WORD = "marmalade"
EVIL = f"[bold red]{WORD}[/] [@click=app.quit]x[/]\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\u202e$text-error"
MAIL = f"[b]{WORD}[/b]@example.com"
PRINTABLE = f"[bold red]{WORD}[/] [@click=app.quit]x[/]\u202e\u2066$text-error[link=http://evil.example]y[/link]"


async def fill(running: Running) -> Tenant:
    """Make a tenant that puts hostile text wherever the API takes any."""
    body = {"email": "evil@example.com", "organizationName": PRINTABLE}
    made = (await running.send("POST", f"{API}/register", json=body)).data
    key, path = made["apiKey"], f"{API}/tenants/{made['tenantId']}"

    async def post(place: str, **given: Any) -> dict[str, Any]:
        return (await running.send("POST", f"{path}{place}", key=key, **given)).data

    account = await post("/accounts", json={"name": PRINTABLE, "role": "admin", "externalId": PRINTABLE[:64], "email": MAIL})
    tenant = Tenant(made["tenantId"], key, (await running.register("Other")).account)
    files = f"/accounts/{account['id']}/files"
    for name, text in ((f"{PRINTABLE[:60]}.txt", EVIL), (f"{PRINTABLE[:50]}.md", f"# {EVIL}\n\n{EVIL}\n")):
        form = aiohttp.FormData()
        form.add_field("file", text.encode(), filename=name)
        await post(files, data=form)
        asset = aiohttp.FormData()
        asset.add_field("file", text.encode(), filename="file")
        await post("/assets", data=asset, params={"path": f"{PRINTABLE[:40].replace('/', '')}/{name.replace('/', '')}"})
    await post("/api-keys", json={"name": PRINTABLE, "accountId": account["id"]})
    tool = {"name": "evil_tool", "description": PRINTABLE, "parameters": {"type": "object"}, "endpoint": "https://x.example.com/"}
    tool["approval"] = "ask"
    await post("/tools", json=tool)
    await running.send("POST", f"{API}/chat", key=key, json={"tenantId": tenant.id, "message": EVIL})
    calls = [FunctionCall("1", EVIL, {"a": EVIL}), FunctionCall("2", "evil_tool", {EVIL: [EVIL]})]
    running.chat._answers.extendleft([(EVIL,), tuple(calls)])  # what a model may be led to call, and what one asks a person for
    question = {"tenantId": tenant.id, "message": EVIL, "approvals": "supported"}
    asked_for = await running.send("POST", f"{API}/chat", key=key, json=question)
    assert "tool-approval-request" in asked_for.text, asked_for.text
    await running.send("GET", f"{API}/{quote(EVIL, safe='')}", key=key)
    thing = {"name": PRINTABLE[:80], "label": PRINTABLE[:60], "room": PRINTABLE[:60]}
    estimate = f"{API}/estimator/estimates/{await estimated(running, tenant)}"
    changed = await running.send("PATCH", estimate, key=key, json={"add": [thing]})
    assert changed.status == 200, changed.text
    return tenant


def drawn(console: Console) -> str:
    """Return every line of the screen as the terminal would be sent it, its styles left out."""
    width, height = console.size
    lines = console.screen._compositor.render_strips()
    return "\n".join(line.text for line in lines[:height] if isinstance(line, Strip) and width)


def sent(console: App[Any]) -> str:
    """Return what would go to the terminal for a whole screen, styles and all."""
    output = io.StringIO()
    for strip in console.screen._compositor.render_strips():
        output.write(strip.render(console.console))
    return output.getvalue()


@pytest.mark.parametrize("place", [spot.name for spot in SPOTS])
@pytest.mark.parametrize("whose", ["tenant", "operator"])
async def test_hostile_text_is_text(opened: Opener, running: Running, operator: str, place: str, whose: str) -> None:
    """Every place shows hostile names as they are spelled: no markup is obeyed, no control character drawn, no action offered."""
    tenant = await fill(running)
    async with opened(tenant.key if whose == "tenant" else operator, place=place, tenant=tenant.id, size=(160, 48)) as (
        console,
        pilot,
    ):
        await settled(console, pilot)
        await until(lambda: WORD in drawn(console))
        for _ in range(3):
            seen = drawn(console)
            assert not [c for c in seen if c != "\n" and not c.isprintable()]
            assert "52;c;aGk=\x07" not in sent(console)
            assert "\x1b[2J" not in sent(console)
            assert f"[bold red]{WORD}" in seen
            await pilot.press("enter")
            await settled(console, pilot)


async def test_hostile_items_are_text(opened: Opener, running: Running) -> None:
    """An item's words are shown as they are spelled: in the list, in its form, and in the question before it goes."""
    tenant = await fill(running)
    async with opened(tenant.key, place="estimates", size=(160, 48)) as (console, pilot):
        place = console.screen
        assert isinstance(place, Estimates)
        await pilot.press("enter")
        await until(lambda: any(WORD in item.name for item in place.items.records))
        place.items.table.cursor = next(at for at, item in enumerate(place.items.table.rows) if WORD in item.name)
        for key, window in (("", Estimates), ("e", EditItem), ("d", Confirm)):
            await pilot.press(*key)
            await asked(console, pilot, window)
            await until(lambda: f"[bold red]{WORD}[/] [@click" in drawn(console))
            assert not [c for c in drawn(console) if c != "\n" and not c.isprintable()]
            assert "http://evil.example\x1b" not in sent(console)
            await pilot.press(*(["escape"] if key else []))
