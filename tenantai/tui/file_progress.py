"""The files under way, and what is said of each: in its row, in a few words or in many, and beside it in full.

What must stay true: a row is touched only where something is to be said of it, or no longer.
"""

from collections.abc import Collection, Iterable

from tenantai.tui import shown
from tenantai.tui.widgets.operation_line import bar_of
from tenantai.tui.widgets.store_file import with_end
from tenantai.wire.files import FileEnded, FileProgress, FileRecord

STATE_CELLS, SHORT_CELLS, LONG_CELLS = 9, 26, 46
ENDED_KEPT_MAX = 1000
LONG_FROM_CELLS = 104  # as wide a table has room for the long form beside a name
UNITS = {"pages_per_second": "pages", "characters_per_second": "characters", "chunks_per_second": "chunks"}


class FilesUnderway:
    """The files that workers have, by id, as the server told last."""

    def __init__(self) -> None:
        self._files: dict[str, FileProgress] = {}
        self._later = 0.0
        self._ended: dict[str, FileEnded] = {}
        self.is_long = False

    def __contains__(self, file_id: object) -> bool:
        return file_id in self._files

    def __bool__(self) -> bool:
        return bool(self._files)

    @property
    def ids(self) -> Collection[str]:
        """Their ids."""
        return self._files.keys()

    def take(self, files: Iterable[FileProgress]) -> set[str]:
        """Take what the server tells now; returns the ids of those of which something else is said than before."""
        before, self._files, self._later = self._files, {file.id: file for file in files}, 0.0
        return {file_id for file_id in before | self._files if before.get(file_id) != self._files.get(file_id)}

    def note_ended(self, ended: Iterable[FileEnded]) -> None:
        """Remember what became of files, for rows that come later than that."""
        self._ended |= {one.id: one for one in ended}
        for file_id in list(self._ended)[:-ENDED_KEPT_MAX]:
            del self._ended[file_id]

    def with_end(self, file: FileRecord) -> FileRecord:
        """Return a file with what became of it, where that is remembered and newer."""
        ended = self._ended.get(file.id)
        return file if ended is None else with_end(file, ended)

    def wait(self, seconds: float) -> set[str]:
        """Let times run down until the server tells more; returns the ids of those that have one."""
        self._later += seconds
        return {file.id for file in self._files.values() if file.eta_seconds is not None}

    def _now(self, file_id: str) -> FileProgress | None:
        file = self._files.get(file_id)
        if file is None or file.eta_seconds is None:
            return file
        return file.model_copy(update={"eta_seconds": max(0.0, file.eta_seconds - self._later)})

    def words(self, file_id: str) -> str:
        """Return what its row says of a file, empty where it is not under way."""
        file = self._now(file_id)
        if file is None:
            return ""
        return long_words(file) if self.is_long else short_words(file)

    def line(self, file_id: str) -> str:
        """Return all that is known of how far a file is, empty where it is not under way."""
        file = self._now(file_id)
        return "" if file is None else full_words(file)


def short_words(file: FileProgress, *, cells: int = SHORT_CELLS) -> str:
    """Return stage, percentage, rate and time left, the rate left out where the room is too small."""
    left = [] if file.eta_seconds is None else [clock(file.eta_seconds)]
    rate = [] if file.rate is None else [f"{_few(file.rate)}/s"]
    stage = f"{file.stage} {file.percentage:.0f} %"
    whole = " ".join([stage, *rate, *left])
    return whole if len(whole) <= cells else " ".join([stage, *left])


def long_words(file: FileProgress) -> str:
    """Return the same with the units."""
    return " · ".join([f"{file.stage} {file.percentage:.0f} %", *_pace(file)])


def full_words(file: FileProgress) -> str:
    """Return the same with a bar, and how many of how many."""
    unit = UNITS.get(file.rate_unit or "", "")
    counted = f"{shown.number(file.done)} of {shown.number(file.total)} {unit}" if file.done is not None and file.total else ""
    parts = [f"{file.stage} {bar_of(file.percentage, cells=10)} {file.percentage:.1f} %", counted, *_pace(file)]
    return " · ".join(part for part in parts if part)


def _pace(file: FileProgress) -> list[str]:
    rate = [] if file.rate is None else [f"{_few(file.rate)} {UNITS.get(file.rate_unit or '', '')}/s"]
    left = [] if file.eta_seconds is None else [f"{shown.duration(file.eta_seconds)} left"]
    return [*rate, *left]


def _few(rate: float) -> str:
    """Return a rate in few digits."""
    kilo = 1000
    if rate >= 10 * kilo:
        return f"{rate / kilo:.0f}k"
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"  # noqa: PLR2004  one digit is enough


def clock(seconds: float) -> str:
    """Return a time span as a clock shows it: 0:07, 12:30, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
