"""Copying to where a person can paste: the terminal's clipboard (OSC 52, which works over ssh), and a file where that can't be.

What must stay true: nothing is said to be copied that went nowhere; a secret is never put into a file.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

OSC52_BYTES_MAX = 74_000  # what terminals take at the least: xterm's and tmux's limits lie near 100,000 bytes of base64
WITHOUT = frozenset({"dumb", "linux", "vt100", "vt220"})


def can_copy(text: str) -> bool:
    """Tell whether the terminal can be expected to take this text."""
    return (
        os.environ.get("TERM", "") not in WITHOUT
        and os.environ.get("TERM_PROGRAM") != "Apple_Terminal"
        and len(text.encode("utf-8", "replace")) <= OSC52_BYTES_MAX
    )


def copied(text: str, *, what: str, send: Callable[[str], None], folder: Path, in_file: bool) -> str:
    """Copy a text by `send`, or into a file in `folder`; returns the sentence that says where it is. Raises OSError."""
    if can_copy(text):
        send(text)
        return f"Copied the {what}."
    if not in_file:
        return f"This terminal takes no copies, and a {what} is put into no file. Select it with the mouse (hold Shift)."
    path = written(folder, f"copy-{_stamp()}.txt", text)
    return f"The terminal takes no copy of that; it is in {path}."


def written(folder: Path, name: str, text: str) -> Path:
    """Write a file that only its owner reads; returns where it is. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
        file.write(text)
    return path


def export_name(noun: str, kind: str) -> str:
    """Return a name for a file of what was exported now."""
    plain = "".join(c if c.isalnum() else "-" for c in noun.lower()).strip("-")
    return f"{plain}-{_stamp()}.{kind}"


def _stamp() -> str:
    return datetime.now(tz=UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
