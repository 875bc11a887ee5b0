"""What the console remembers between runs: the last place, the theme, the layout, the lines that were typed after `:`.

What must stay true: no key and nothing that a server said is ever written; a file that can't be read or written costs no more than the memory.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

HISTORY_MAX = 200


class Memory:
    """Small values by name, in one file of the user's own."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._values: dict[str, Any] = _read(path) if path else {}

    def get(self, name: str, default: str = "") -> str:
        """Return a text that was kept."""
        value = self._values.get(name, default)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: int) -> int:
        """Return a number that was kept."""
        value = self._values.get(name, default)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def set(self, name: str, value: str | int) -> None:
        """Keep a value."""
        if self._values.get(name) != value:
            self._values[name] = value
            self._write()

    def history(self, name: str) -> list[str]:
        """Return lines that were typed, the oldest first."""
        found = self._values.get(f"history.{name}", [])
        return [line for line in found if isinstance(line, str)] if isinstance(found, list) else []

    def add_to_history(self, name: str, line: str) -> None:
        """Keep a line that was typed; one that was typed before moves to the end."""
        kept = [*(old for old in self.history(name) if old != line), line]
        self._values[f"history.{name}"] = kept[-HISTORY_MAX:]
        self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._path.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps(self._values, ensure_ascii=True, indent=1), encoding="utf-8")
            beside.chmod(0o600)
            beside.replace(self._path)


def user_memory() -> Memory:
    """Return the memory of the user who runs the console."""
    return Memory(user_folder() / "console.json")


def user_folder() -> Path:
    """Return where the console keeps what is the user's own: its memory, themes, exports and copies."""
    from platformdirs import user_config_path  # noqa: PLC0415  only a real run needs it

    return user_config_path("tenantai", appauthor=False)


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}
