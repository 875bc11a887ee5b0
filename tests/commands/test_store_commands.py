"""`store`, over a real server."""

import asyncio
import json
import signal
from pathlib import Path

from tenantai.settings import Settings
from tests.commands.running_cli import WAIT_SECONDS, outcome, over_http, start
from tests.commands.test_record_commands import shown
from tests.gated_embedding import GatedEmbedding
from tests.running import Running, Tenant, serving
from tests.vaults import Vault

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


async def test_a_sync_is_watched_to_its_end(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`store refresh` tells what `store sync --watch` then does, with what it came to on stdout and reasons on stderr."""
    vault = Vault(running, acme)
    await vault.put("terms/lamp.txt", "The lamp is green.")
    await vault.put("sofa.png", PNG)
    told = await over_http(running, acme, "store", "refresh", home=tmp_path)
    assert told.out.splitlines()[:3] == ["new      sofa.png", "new      terms/lamp.txt", "new: 2"]
    synced = await over_http(running, acme, "store", "sync", "--watch", home=tmp_path)
    report = shown(synced)
    assert (report["status"], report["new"], report["skipped"], report["in store"]) == ("completed", "2", "1", "1")
    assert report["store and vault match"] == "yes"
    assert "indexing: 2 of 2 files" in synced.err
    assert "sofa.png: skipped. By its content this is a PNG image." in synced.err
    again = await over_http(running, acme, "store", "sync", "--watch", "--json", home=tmp_path)
    assert (json.loads(again.out)["totalFiles"], json.loads(again.out)["report"]["unchanged"]) == (0, 2)
    assert "Store and vault match." in (await over_http(running, acme, "store", "refresh", home=tmp_path)).err
    progress = shown(await over_http(running, acme, "store", "progress", home=tmp_path))
    assert (progress["status"], progress["unchanged"]) == ("completed", "2")
    await running.upload(acme, "The door is red.")
    held = shown(await over_http(running, acme, "store", "show", home=tmp_path))
    assert (held["files"], held["last sync status"], held["unchanged"]) == ("1 of 1 file (100 %)", "completed", "2")


async def test_a_sync_that_fails(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """Where a file can't be searched the command says which and why, and ends with 1; a named asset is synced alone."""
    vault = Vault(running, acme)
    bad = await vault.put("bad.pdf", b"%PDF-1.7\ncut off")
    await vault.put("lamp.txt", "The lamp is green.")
    failed = await over_http(running, acme, "store", "sync", bad, "--watch", home=tmp_path)
    assert failed.code == 1
    assert "bad.pdf: failed." in failed.err
    assert "1 of 1 file can't be searched" in failed.err
    assert set(await vault.synced()) == {"bad.pdf"}
    begun = await over_http(running, acme, "store", "sync", home=tmp_path)
    assert (begun.code, len(begun.out.strip())) == (0, 36)
    await running.settled(acme)
    unknown = await over_http(running, acme, "store", "sync", "nothing", home=tmp_path)
    assert (unknown.code, "nothing" in unknown.err) == (1, True)


async def test_who_stops_watching_is_told_that_it_goes_on(settings: Settings, tmp_path: Path) -> None:
    """Ctrl-C ends `--watch` and not the operation, which is said; one that is cancelled is called that, not failed."""
    gated = GatedEmbedding()
    async with serving(settings, embedding=gated) as running:
        acme = await running.register("Acme")
        await Vault(running, acme).put("lamp.txt", "The lamp is green.")
        key = {"TENANTAI_URL": running.url, "TENANTAI_API_KEY": acme.key}
        watching = await start("store", "sync", "--watch", home=tmp_path, **key)
        assert watching.stderr is not None
        assert b"0 of 1 file" in await asyncio.wait_for(watching.stderr.readline(), WAIT_SECONDS)
        watching.send_signal(signal.SIGINT)
        stopped = await outcome(watching)
        assert (stopped.code, "The server goes on with it." in stopped.err) == (130, True)
        watching = await start("store", "progress", "--watch", home=tmp_path, **key)
        assert watching.stderr is not None
        assert b"0 of 1 file" in await asyncio.wait_for(watching.stderr.readline(), WAIT_SECONDS)
        assert (await running.send("DELETE", f"{acme.path}/store/sync", key=acme.key)).status == 200
        gated.gate.set()
        cancelled = await outcome(watching)
        assert (cancelled.code, "status: cancelled" in cancelled.out, "Error: It was cancelled." in cancelled.err) == (
            1,
            True,
            True,
        )


async def test_settings_are_shown_and_changed(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`store settings` shows them, and changes what is given; `store show` has them beside the counts."""
    before = shown(await over_http(running, acme, "store", "settings", home=tmp_path))
    assert (before["citations.style"], before["retrieval.topK"]) == ("numbered", "8")
    changed = await over_http(
        running, acme, *("store", "settings", "--style", "inline", "--no-quotes", "--min-score", "0.5", "--json"), home=tmp_path
    )
    held = json.loads(changed.out)
    assert held["citations"] == {"enabled": True, "style": "inline", "maxCitations": 50, "includeQuotes": False}
    assert held["retrieval"] == {"topK": 8, "minScore": 0.5}
    await running.upload(acme, "The lamp is green.")
    told = shown(await over_http(running, acme, "store", "show", home=tmp_path))
    assert (told["citations.style"], told["active"], told["status"]) == ("inline", "1", "completed")
    assert (told["citations.enabled"], told["citations.includeQuotes"], told["files"]) == ("yes", "no", "1 of 1 file (100 %)")
    whole = json.loads((await over_http(running, acme, "store", "show", "--json", home=tmp_path)).out)
    assert whole["settings"] == held
