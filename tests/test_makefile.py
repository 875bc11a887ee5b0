"""`make`, as a person runs it first."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_an_installation_says_so_before_it_begins(tmp_path: Path) -> None:
    """Where packages are to be installed, a line says how long that takes; it comes before anything is done."""
    folder = tmp_path / "venv"
    done = subprocess.run(
        ["make", "quickstart", f"VENV={folder}", "PYTHON=false"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.startswith(f"Installing into {folder}; this takes a minute or two the first time.\n")
    assert not folder.exists()
