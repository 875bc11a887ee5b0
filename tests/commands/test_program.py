"""What a command advises can be typed as it stands, and names what a person can type."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantai.client import ClientError
from tenantai.commands.program import as_called, program
from tenantai.commands.refusals import API_ADVICE, sentence
from tenantai.providers.catalog import CATALOG
from tests.commands.running_cli import run

SERVER = Path(__file__).parents[2] / "tenantai/server"


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """Let each test be called its own way."""
    program.cache_clear()
    yield
    program.cache_clear()


@pytest.mark.parametrize(
    ("called", "python", "path", "said"),
    [
        ("{folder}/tenantai/__main__.py", "{folder}/.venv/bin/python", "", ".venv/bin/python -m tenantai"),
        ("{folder}/tenantai/__main__.py", "{folder}/.venv/bin/python", "{folder}/.venv/bin", "python -m tenantai"),
        ("{folder}/.venv/bin/tenantai", "", "", ".venv/bin/tenantai"),
        ("{folder}/.venv/bin/tenantai", "", "{folder}/.venv/bin", "tenantai"),
        ("/elsewhere/a b/tenantai", "", "", "'/elsewhere/a b/tenantai'"),
        ("/usr/bin/pytest", "", "", "tenantai"),
    ],
)
def test_the_program_is_named_as_it_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, python: str, path: str, said: str
) -> None:
    """By its name where that is on the path, else by its place, seen from the working folder."""
    binaries = tmp_path / ".venv/bin"
    binaries.mkdir(parents=True)
    for name in ("python", "tenantai"):
        (binaries / name).touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [called.format(folder=tmp_path)])
    monkeypatch.setattr(sys, "executable", python.format(folder=tmp_path))
    monkeypatch.setenv("PATH", path.format(folder=tmp_path))
    assert program() == said


def test_advice_names_the_program_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in a sentence are rewritten, once, and nothing else is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "bin/tenantai")])
    told = "A tenantai server runs. Run `tenantai models pull`, or python -m tenantai restore COPY."
    once = "A tenantai server runs. Run `bin/tenantai models pull`, or bin/tenantai restore COPY."
    assert as_called(told) == as_called(as_called(told)) == once


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("NOT_FOUND", "There is no such account in this tenant. Check accountId.", "Check --account."),
        ("NOT_FOUND", "Leave conversationId out to begin one.", "Leave --conversation out"),
        ("VALIDATION_ERROR", "The request is not valid. topK: must be at most 50", "--top: must be at most 50"),
        ("UNAUTHORIZED", "Send a valid key in the x-api-key header.", "--api-key or TENANTAI_API_KEY"),
        ("NOT_OURS", "Check the address.", "--url or TENANTAI_URL"),
        ("REDIRECTED", "The server sends us to https://x.example.", "https://x.example"),
    ],
)
def test_refusals_name_options_and_not_fields(code: str, message: str, said: str) -> None:
    """A field of the API becomes the option that sets it."""
    told = sentence(ClientError(code, message), url="http://127.0.0.1:8420")
    assert said in told
    assert not [name for name in ("accountId", "conversationId", "topK", "x-api-key") if name in told]


@pytest.mark.parametrize("theirs", API_ADVICE)
def test_what_is_replaced_is_what_the_server_says(theirs: str) -> None:
    """Each sentence that is replaced is one that the server's source holds."""
    assert any(theirs in path.read_text() for path in SERVER.rglob("*.py"))


def test_a_refusal_says_how_long_to_wait() -> None:
    """The wait and the request's id are in the sentence where they help."""
    limited = ClientError("TOO_MANY_STREAMS", "Too many streams are open.", retry_after=7)
    assert sentence(limited, url="").endswith("Try again in 7 s.")
    broken = ClientError("INTERNAL_ERROR", "Something went wrong.", request_id="r1")
    assert sentence(broken, url="").endswith("(request r1)")


@pytest.mark.parametrize(
    "command",
    [
        ("chat", "hello"),
        ("files", "list"),
        ("search", "rent"),
        ("tenants", "list"),
        ("accounts", "list"),
        ("conversations", "list"),
        ("models", "list"),
    ],
    ids=" ".join,
)
async def test_every_command_refuses_a_setting_that_there_is_not(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A misspelt variable ends any command with 2, with its name and the nearest one; the tests' own are passed over."""
    refused = await run(*command, home=tmp_path, TENANTAI_API_KYE="sk_live_x", TENANTAI_TEST_MODELS="x")
    assert refused.code == 2
    assert "TENANTAI_API_KYE is no setting (did you mean TENANTAI_API_KEY?)" in refused.err
    assert "TEST_MODELS" not in refused.err
    assert len(refused.err.splitlines()) == 1


async def test_nested_and_unlike_names_are_refused_too(tmp_path: Path) -> None:
    """Below a plan a name is held against the plan's limits; what is like nothing is to be unset."""
    refused = await run("models", "list", home=tmp_path, TENANTAI_PLANS__PRO__STEAMS="3", TENANTAI_ZZZZ="1")
    assert "TENANTAI_PLANS__PRO__STEAMS is no setting (did you mean TENANTAI_PLANS__PRO__STREAMS?)" in refused.err
    assert "TENANTAI_ZZZZ is no setting (unset it)" in refused.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 9", "prot is no setting (did you mean port?)"),
        ("port = 'many'", "port must be a whole number"),
        ("a=", "is not TOML"),
    ],
)
async def test_a_file_with_wrong_settings_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """Each fault of a settings file is one sentence, in our words."""
    file = tmp_path / "settings.toml"
    file.write_text(text)
    refused = await run("models", "list", "--config", str(file), home=tmp_path)
    assert refused.code == 2
    assert said in refused.err


async def test_a_download_that_fails_names_the_folder_that_it_was_for(tmp_path: Path) -> None:
    """Without a network the advice is the command with this data folder, and no traceback."""
    nowhere = "http://127.0.0.1:1"
    folder = tmp_path / "data"
    shut = {**dict.fromkeys(("HTTPS_PROXY", "https_proxy", "PIP_INDEX_URL"), nowhere), "NO_PROXY": "", "no_proxy": ""}
    failed = await run("models", "pull", "--data-dir", str(folder), home=tmp_path, **shut)
    assert failed.code == 1
    assert f"-m tenantai models pull --data-dir {folder}`" in failed.err
    assert "fault" not in failed.err


async def test_verified_models_are_told_as_json_too(tmp_path: Path) -> None:
    """`models verify --json` puts each model with its problems on stdout, and fails all the same where there are any."""
    found = await run("models", "verify", "--json", "--data-dir", str(tmp_path / "data"), home=tmp_path)
    assert found.code == 1
    told = json.loads(found.out)
    assert [model["id"] for model in told] == list(CATALOG)
    assert [model["ok"] for model in told] == [False] * len(CATALOG)
    assert [len(model["problems"]) for model in told] == [len(model.files) for model in CATALOG.values()]
    assert "models pull" in found.err
