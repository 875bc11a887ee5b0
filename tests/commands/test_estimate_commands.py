"""`estimate` and `estimates` against a real server."""

import asyncio
import csv
import io
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from tenantai.client import Client
from tenantai.client.estimator import EstimateStarted
from tenantai.commands.inventory import Inventory
from tenantai.providers.protocols import ChatModel
from tenantai.providers.scripted import ScriptedChat
from tenantai.providers.vision import SeeingModel
from tenantai.settings import Settings
from tenantai.wire.estimator import EstimateChange, ItemEdit, ItemTold, SummaryTold
from tests.commands.running_cli import environment, over_http
from tests.pictures.making import jpeg
from tests.running import Running, Tenant, serving


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "living room.jpg"
    path.write_bytes(jpeg())
    return path


async def test_estimate(running: Running, acme: Tenant, photo: Path, tmp_path: Path) -> None:
    """Photos become a table and totals on stdout, talk is on stderr; it is listed, shown, approved, exported, deleted."""
    done = await over_http(running, acme, "estimate", str(photo), str(photo), home=tmp_path)
    assert done.code == 0, done.err
    assert "sofa 3 seat, grey" in done.out
    assert "Storage unit: 5x5, 1.5 × 1.5 m (tight)" in done.out
    assert "✓ living room.jpg: 1 item" in done.err
    (listed,) = json.loads((await over_http(running, acme, "estimates", "list", "--json", home=tmp_path)).out)
    assert listed["id"] in done.err
    shown = await over_http(running, acme, "estimates", "show", listed["id"], home=tmp_path)
    assert "sofa 3 seat" in shown.out
    assert (await over_http(running, acme, "estimates", "approve", listed["id"], home=tmp_path)).code == 0
    assert "approved" in (await over_http(running, acme, "estimates", "list", home=tmp_path)).out
    exported = await over_http(running, acme, "estimates", "export", listed["id"], home=tmp_path)
    assert [row["name"] for row in csv.DictReader(io.StringIO(exported.out))] == ["sofa 3 seat"]
    target = tmp_path / "estimate.pdf"
    await over_http(running, acme, "estimates", "export", listed["id"], "--output", str(target), home=tmp_path)
    assert target.read_bytes()[:5] == b"%PDF-"
    assert (await over_http(running, acme, "estimates", "delete", listed["id"], "--yes", home=tmp_path)).code == 0
    assert (await over_http(running, acme, "estimates", "show", listed["id"], home=tmp_path)).code == 1


async def test_json(running: Running, acme: Tenant, photo: Path, tmp_path: Path) -> None:
    """`--json` prints the summary, in the unit that was asked for."""
    done = await over_http(running, acme, "estimate", str(photo), "--json", "--unit", "imperial", home=tmp_path)
    summary = json.loads(done.out)
    assert summary["items"][0]["size"]["unit"] == "in"


async def test_what_is_not_known(settings: Settings, photo: Path, tmp_path: Path) -> None:
    """What a stream leaves out because it is not known is read as such: rows, rooms, sizes, holders."""
    things = [{"name": "suit of armour"}, {"name": "radiator", "built_in": True}]
    vision = SeeingModel(cast("ChatModel", ScriptedChat([[json.dumps({"things": things})]])))
    async with serving(settings, vision=vision) as running:
        acme = await running.register("Acme")
        done = await over_http(running, acme, "estimate", str(photo), home=tmp_path)
        assert done.code == 0, done.err
        assert "To be looked at" in done.out
        assert "Storage unit: There is nothing to hold." in done.out
        async with Client(running.url, acme.key) as client:
            (kept,) = [kept async for kept in client.estimator.all(acme.id)]
            assert (await client.estimator.get(kept.id)).summary.needs_review[0].row_id is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
async def test_live(running: Running, acme: Tenant, photo: Path, tmp_path: Path) -> None:
    """On a terminal the table grows while the model looks."""
    import pty

    ours, theirs = pty.openpty()
    more = {"TENANTAI_URL": running.url, "TENANTAI_API_KEY": acme.key, "TERM": "xterm", "COLUMNS": "100"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tenantai", "estimate", str(photo)),
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment(tmp_path, **more),
    )  # fmt: skip
    os.close(theirs)
    shown = await asyncio.to_thread(read_all, ours)
    assert await process.wait() == 0
    assert "\N{CHECK MARK} living room.jpg: 1 item" in shown
    assert shown.count("sofa 3 seat, grey") >= 2


async def test_live_on_a_small_terminal(settings: Settings, photo: Path, tmp_path: Path) -> None:
    """Where more is seen than a terminal has lines, the newest is shown, and how much is above."""
    things = [{"name": f"end table {at}", "quantity": 1} for at in range(40)]
    vision = SeeingModel(cast("ChatModel", ScriptedChat([[json.dumps({"things": things})]])))
    async with serving(settings, vision=vision) as running:
        acme = await running.register("Acme")
        async with Client(running.url, acme.key) as client:
            summary = (await client.estimator.analyze(acme.id, [photo])).items
        shown = io.StringIO()
        inventory = Inventory(["a.jpg"], unit="metric")
        inventory._console = Console(file=shown, force_terminal=True, width=100, height=20, color_system=None, highlight=False)
        with inventory:
            for item in summary:
                inventory.take(item)
            inventory._console.print(inventory._shown())
    assert summary[-1].name in shown.getvalue()
    assert f"{len(summary) - 14} more above" in shown.getvalue()


def read_all(terminal: int) -> str:
    """Return all that is written to a terminal until its other side is closed."""
    shown = b""
    with suppress(OSError):
        while piece := os.read(terminal, 4096):
            shown += piece
    os.close(terminal)
    return shown.decode(errors="replace")


async def test_refusals(running: Running, acme: Tenant, photo: Path, tmp_path: Path) -> None:
    """No photo, too many, one that is none and one that is not there are each told in a sentence."""
    assert (await over_http(running, acme, "estimate", home=tmp_path)).code == 2
    assert (await over_http(running, acme, "estimate", *[str(photo)] * 11, home=tmp_path)).code == 2
    (tmp_path / "no.jpg").write_text("no picture")
    refused = await over_http(running, acme, "estimate", str(tmp_path / "no.jpg"), home=tmp_path)
    assert (refused.code, "JPEG, PNG or WebP" in refused.err) == (1, True)
    missing = await over_http(running, acme, "estimate", str(tmp_path / "nowhere.jpg"), home=tmp_path)
    assert missing.code == 1
    assert "Traceback" not in missing.err


async def test_every_fault_is_told(running: Running, acme: Tenant, photo: Path, tmp_path: Path) -> None:
    """Of ever so many photos that can't be taken each is told, by its number and name."""
    faulty = [tmp_path / f"faulty {at}.jpg" for at in range(5)]
    for path in faulty:
        path.write_text("no picture")
    refused = await over_http(running, acme, "estimate", str(photo), *map(str, faulty), home=tmp_path)
    assert refused.code == 1
    told = [f"Photo {at + 2}, faulty {at}.jpg, is not a JPEG, PNG or WebP picture" for at in range(5)]
    assert [line for line in told if line not in refused.err] == []
    assert "more" not in refused.err


async def test_client(running: Running, acme: Tenant, photo: Path) -> None:
    """The typed client streams, asks for all at once, changes and reads back."""
    async with Client(running.url, acme.key) as client:
        events = [event async for event in client.estimator.stream(acme.id, [photo])]
        assert isinstance(events[0], EstimateStarted)
        assert [type(event) for event in events if isinstance(event, ItemTold | SummaryTold)] == [ItemTold, SummaryTold]
        whole = await client.estimator.analyze(acme.id, [photo], unit="imperial")
        change = EstimateChange(items=[ItemEdit(id="0-0", quantity=3)])
        changed = await client.estimator.change(whole.estimate_id, change)
        assert changed.summary.items[0].quantity == 3
        assert (await client.estimator.get(whole.estimate_id)).estimate.version == 2
