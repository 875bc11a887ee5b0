"""Boundaries that import contracts cannot state: below the routes nobody knows HTTP's server side, and help is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tenantai"
FOLDERS = ("server/services", "rag", "storage", "providers")
BELOW_THE_ROUTES = [path for folder in FOLDERS for path in (PACKAGE / folder).rglob("*.py")]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", BELOW_THE_ROUTES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_below_the_routes_imports_the_http_server(path: Path) -> None:
    """Services, rag, storage and providers never import aiohttp.web."""
    assert not {name for name in imported(path) if name.startswith("aiohttp.web")}


def test_only_one_package_imports_google() -> None:
    """google-genai is known to providers/gemini alone."""
    knowing = {path.parent for path in PACKAGE.rglob("*.py") if any(n.split(".")[0] == "google" for n in imported(path))}
    assert knowing == {PACKAGE / "providers" / "gemini"}


def test_only_one_module_imports_duckdb() -> None:
    """DuckDB is known to storage/analytics.py, and to the process apart that runs other people's SQL, alone."""
    knowing = {path.name for path in PACKAGE.rglob("*.py") if any(n.split(".")[0] == "duckdb" for n in imported(path))}
    assert knowing == {"analytics.py", "analytics_child.py"}


def test_only_one_module_imports_a_dialect() -> None:
    """What SQLite's dialect has beyond all others' is known to storage/database.py alone."""
    knowing = {path.name for path in PACKAGE.rglob("*.py") if any(n.startswith("sqlalchemy.dialects") for n in imported(path))}
    assert knowing == {"database.py"}


def test_the_client_loads_no_database() -> None:
    """What speaks HTTP only, the console among them, loads neither DuckDB nor the server."""
    heavy = ["duckdb", "sqlalchemy", "numpy", "tenantai.server", "tenantai.storage"]
    code = f"import sys, tenantai.client; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_start_compiles_nothing_that_it_does_not_run() -> None:
    """Importing the server compiles no SQL and builds no wire type: each is made when it is first needed."""
    code = (
        "import tenantai.server.app, tenantai.storage.files as f, tenantai.wire.chat as c\n"
        "queries = [q for q in vars(f).values() if type(q).__name__ == 'Query']\n"
        "print(len(queries) > 5, any('_compiled' in vars(q) for q in queries), c.ChatMessage.__pydantic_complete__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]


def test_the_console_loads_no_server() -> None:
    """The console's first frame waits for no server, no database, no model and not even for the client."""
    heavy = ["aiohttp", "duckdb", "google", "numpy", "pydantic", "sqlalchemy", "PIL", "tenantai.server", "tenantai.storage"]
    code = f"import sys, tenantai.tui.app, tenantai.tui.screens.overview; print([n for n in {heavy!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_commands_group_loads_nothing_heavy() -> None:
    """`--help` imports neither the server, nor models, nor the database."""
    heavy = [
        "aiohttp",
        "duckdb",
        "google",
        "numpy",
        "onnxruntime",
        "pydantic",
        "sqlalchemy",
        "tenantai.server",
        "tenantai.storage",
    ]
    code = f"import sys, tenantai.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
