"""Sizes as people read them, at a terminal and in the console alike.

What must stay true: both say one size in the same words, in steps of 1024; it imports nothing.
"""

KILO = 1024
UNITS = ("B", "KB", "MB", "GB", "TB")


def size_words(size_bytes: float) -> str:
    """Return a number of bytes with a unit."""
    amount, unit = float(size_bytes), UNITS[0]
    for unit in UNITS:
        if amount < KILO or unit == UNITS[-1]:
            break
        amount /= KILO
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
