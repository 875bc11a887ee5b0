"""Text from elsewhere, made fit for a terminal: whatever would steer it, or turn its direction, is shown as a mark.

What must stay true: no text of a tenant, a model or a server is drawn without having passed through here.
"""

import unicodedata
from datetime import datetime

from tenantai.sizes import size_words

CONTROL_PICTURES = 0x2400
DELETE = 0x7F
SPACE = 0x20
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
STEERING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
JOINERS = frozenset("\u200c\u200d")


def line(text: object, *, most: int = 500) -> str:
    """Return text as one line, no longer than `most` characters."""
    flat = str(text)
    cut = flat if len(flat) <= most else f"{flat[: most - 1]}…"
    return "".join(_mark(c) for c in cut) if not cut.isprintable() else cut


def lines(text: object) -> str:
    """Return text with its line breaks and tabs (as spaces), and nothing else that would steer a terminal."""
    flat = str(text).replace("\r\n", "\n").expandtabs(4)
    return "".join(c if c == "\n" or c.isprintable() else _mark(c) for c in flat)


def _mark(character: str) -> str:
    """Return what stands for a character that is not to reach the terminal."""
    code = ord(character)
    if character.isprintable() or character in JOINERS:
        return character
    if character in "\n\r\t":
        return {"\n": "⏎", "\r": "␍", "\t": " "}[character]
    if code < SPACE:
        return chr(CONTROL_PICTURES + code)
    if code == DELETE:
        return "␡"
    return REPLACEMENT if unicodedata.category(character) in STEERING else " "


def when(timestamp: str | None) -> str:
    """Return a time of RFC 3339 as people here read it: local, to the second."""
    if not timestamp:
        return "–"
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return line(timestamp, most=40)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: float) -> str:
    """Return a number of bytes with a unit."""
    return size_words(count)


def number(count: float) -> str:
    """Return a number with its thousands apart."""
    return f"{count:,.0f}"


def files(count: int) -> str:
    """Return so many files, in words that fit one as well."""
    return f"{number(count)} {'file' if count == 1 else 'files'}"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units."""
    whole = max(0, round(seconds))
    for unit, name, lower, lower_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // lower
            return f"{whole // unit} {name} {rest} {lower_name}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"
