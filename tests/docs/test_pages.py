"""The pages say what runs: settings, routes, error codes, scopes and file faults."""

import re
from pathlib import Path

import click
import pytest
from markdown_it import MarkdownIt

from benchmarks.__main__ import NAMES as BENCHMARKS
from tenantai import errors
from tenantai.cli import tenantai
from tenantai.server.openapi.document import LIMIT_CODES
from tenantai.server.routes import API, ROUTES
from tenantai.server.services.credentials import OPERATOR_SCOPE, TENANT_SCOPES
from tenantai.server.services.metering.ledger import CODES
from tenantai.settings import CLIENT_VARIABLES, PREFIX, WORKSHOP_VARIABLES, Plan, Settings
from tenantai.wire.audit import EVENT_TYPES

ROOT = Path(__file__).parents[2]
API_PAGE = (ROOT / "docs/api.md").read_text()
COMMANDS_PAGE = (ROOT / "docs/commands.md").read_text()
SETTINGS_PAGE = (ROOT / "docs/settings.md").read_text()


def test_every_setting_is_on_the_page_and_nothing_else() -> None:
    """The settings page lists the settings that exist."""
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", SETTINGS_PAGE, re.MULTILINE))
    known = {name.upper() for name in Settings.model_fields} - {"PLANS"}
    known |= {name.upper() for name in Plan.model_fields}
    variables = {PREFIX + name for name in CLIENT_VARIABLES}
    assert variables <= listed
    assert listed - variables == known
    assert not [name for name in WORKSHOP_VARIABLES if f"`{PREFIX}{name}`" not in SETTINGS_PAGE]


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_every_route_is_on_the_page(route: object) -> None:
    """The API page has a row for each method and path that is served."""
    method, path = route.method, route.path.removeprefix(API)  # type: ignore[attr-defined]
    rows = [line for line in API_PAGE.splitlines() if line.startswith("| ") and f"`{path}`" in line]
    assert any(method in line.split("`")[0] for line in rows)


def test_every_row_of_the_page_is_served() -> None:
    """The API page has no row for what is not served."""
    served = {(route.method, route.path.removeprefix(API)) for route in ROUTES}
    for methods, path in re.findall(r"^\| ([A-Z, ]+) `(/[^`]+)` \|", API_PAGE, re.MULTILINE):
        assert {(method, path) for method in methods.split(", ")} <= {(m.strip(), p) for m, p in served}


def test_every_error_code_is_in_the_table_and_nothing_else() -> None:
    """The API page has each code with its status in its table of errors, those of every limit too."""
    page = API_PAGE.split("## Errors")[1].split("## ")[0]
    listed = {
        (int(status), code)
        for status, codes in re.findall(r"^\| (\d+) \| ([^|]+) \|", page, re.MULTILINE)
        for code in re.findall(r"`([A-Z_]+)`", codes)
    }
    classes: list[type[errors.TenantaiError]] = [errors.TenantaiError, *errors.TenantaiError.__subclasses__()]
    sources = "".join(path.read_text() for path in (ROOT / "tenantai/server/services").rglob("*.py"))
    of_limits = set(re.findall(r"LimitExceeded\(\s*\"([A-Z_]+)\"", sources)) | set(CODES.values())
    assert of_limits == set(LIMIT_CODES)
    known = {(c.status, c.code) for c in classes if c is not errors.LimitExceeded} | {(429, code) for code in of_limits}
    assert listed == known


def test_what_a_limit_details_is_on_the_page() -> None:
    """The row of 429 names each field of the details that a limit sends."""
    (row,) = re.findall(r"^\| 429 \|.*$", API_PAGE, re.MULTILINE)
    refused = errors.LimitExceeded("X", "x", reason="x", limit=1, used=1, retry_after_seconds=1, reset_at="x")
    assert f"`details: {{{', '.join(refused.details)}}}`" in row


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_every_row_stands_in_a_table(page: Path) -> None:
    """A line that is written as a row is a row: nothing stands between it and the head of its table."""
    held = MarkdownIt("commonmark").enable("table").parse(page.read_text())
    stray = [line for token in held if token.type == "inline" for line in token.content.splitlines() if line.startswith("|")]
    assert not stray


def test_every_event_of_the_audit_log_is_on_the_page_and_nothing_else() -> None:
    """The API page says what each type of audit entry means."""
    page = API_PAGE.split("## The audit log")[1].split("## ")[0]
    listed = [
        name for row in re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE) for name in re.findall(r"`([a-z]+\.[a-z]+)`", row)
    ]
    assert sorted(listed) == sorted(EVENT_TYPES)


def test_every_event_is_written_somewhere() -> None:
    """The vocabulary has no word that nothing writes."""
    package = ROOT / "tenantai"
    sources = "".join(path.read_text() for path in package.rglob("*.py") if path != package / "wire" / "audit.py")
    assert not [event for event in EVENT_TYPES if f'"{event}"' not in sources]


def test_every_scope_is_on_the_page() -> None:
    """The API page names each scope."""
    assert not [scope for scope in (*TENANT_SCOPES, OPERATOR_SCOPE) if f"`{scope}`" not in API_PAGE]


def test_every_reason_of_a_failed_file_is_on_the_page() -> None:
    """The API page names each reason that extraction gives."""
    source = "".join(path.read_text() for path in (ROOT / "tenantai/rag/extraction").glob("*.py"))
    reasons = set(re.findall(r"ExtractionFailed\(\s*\"([a-z_]+)\"", source))
    assert reasons
    assert not [reason for reason in reasons if f"`{reason}`" not in API_PAGE]


def test_every_command_is_on_the_page_and_nothing_else() -> None:
    """The page of commands lists each command and each subcommand that there is."""
    listed = set(re.findall(r"^\| `([a-z][a-z ]+)` \|", COMMANDS_PAGE, re.MULTILINE))
    context = click.Context(tenantai)
    known = set()
    for name in tenantai.list_commands(context):
        command = tenantai.get_command(context, name)
        known |= {f"{name} {sub}" for sub in command.commands} if isinstance(command, click.Group) else {name}
    assert listed == known


def test_every_benchmark_is_on_the_page_and_nothing_else() -> None:
    """The table of what is measured has a row for each benchmark that runs."""
    page = (ROOT / "benchmarks/README.md").read_text().partition("## Last figures")[0]
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(BENCHMARKS)


def test_pages_link_to_pages_that_exist() -> None:
    """No link from one page to another is broken."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
