"""`tools`, over a real server."""

import json
from pathlib import Path

from tests.commands.running_cli import over_http
from tests.running import Running, Tenant
from tests.server.tools.endpoints import PARAMETERS

ADD = ("tools", "add", "track", "Where an order is.", "https://api.example.com/track")


async def test_a_function_from_its_making_to_its_end(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`tools add` shows the secret once, `list` shows the function without it, and `remove` asks before it is gone."""
    schema = tmp_path / "track.json"
    schema.write_text(json.dumps(PARAMETERS))
    made = await over_http(running, acme, *ADD, "--parameters", str(schema), "--ask", "--timeout", "5", home=tmp_path)
    assert made.code == 0, made.err
    assert made.out.startswith("whsec_")
    assert "shown this once" in made.err
    listed = await over_http(running, acme, "tools", "list", home=tmp_path)
    tool_id, *rest = listed.out.strip().split("  ")
    assert rest == ["track", "https://api.example.com/track", "asks a person", "Where an order is."]
    whole = json.loads((await over_http(running, acme, "tools", "list", "--json", home=tmp_path)).out)
    assert (whole[0]["parameters"], whole[0]["timeout_seconds"]) == (PARAMETERS, 5)
    assert "whsec_" not in json.dumps(whole) + listed.out
    unsure = await over_http(running, acme, "tools", "remove", tool_id, home=tmp_path)
    assert (unsure.code, "--yes" in unsure.err) == (2, True)
    removed = await over_http(running, acme, "tools", "remove", tool_id, "--yes", home=tmp_path)
    assert (removed.code, removed.out.strip()) == (0, tool_id)
    none = await over_http(running, acme, "tools", "list", home=tmp_path)
    assert (none.code, none.out) == (0, "")
    assert "There are no functions. Add one: `" in none.err


async def test_what_can_not_be_a_function(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """A file that holds no JSON object is a misuse; a refusal is the server's sentence; without a file there are no arguments."""
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[1, 2")
    misused = await over_http(running, acme, *ADD, "--parameters", str(wrong), home=tmp_path)
    assert (misused.code, "JSON Schema" in misused.err) == (2, True)
    refused = await over_http(running, acme, *ADD[:-1], "ftp://example.com", home=tmp_path)
    assert (refused.code, refused.out, "Traceback" in refused.err) == (1, "", False)
    made = await over_http(running, acme, *ADD, "--json", home=tmp_path)
    assert json.loads(made.out)["parameters"] == {"type": "object", "properties": {}}
