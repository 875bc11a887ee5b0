"""Lines of a PDF page as pdfium sees them: their words, the gaps between, their place and their font."""

import ctypes
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium_raw

HYPHEN_AT_LINE_END = 0x02  # pdfium puts it in place of the hyphen and leaves out the line break behind it
LINE_BREAKS = frozenset({0x0A, 0x0D})
SPACES = frozenset({0x20, 0x09, 0xA0})
LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
BOLD_NAME = re.compile(rb"bold|black|heavy|demi", re.IGNORECASE)
SURROGATE = re.compile("[\ud800-\udfff]")
FONT_NAME_BYTES = 256
SIZE_SAMPLES = 5
UPRIGHT_WITHIN_RADIANS = 0.3


@dataclass(frozen=True, slots=True)
class Word:
    """Characters without a space between them, from `left` to `right` in points."""

    text: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; `top` and `bottom` are its first and last baseline in points, which differ where a hyphen joined two."""

    words: tuple[Word, ...]
    top: float
    bottom: float
    size: float
    bold: bool

    @property
    def text(self) -> str:
        """The words, a space between them."""
        return " ".join(word.text for word in self.words)

    @property
    def left(self) -> float:
        """Where the first word begins."""
        return self.words[0].left

    @property
    def right(self) -> float:
        """Where the last word ends."""
        return self.words[-1].right


class PageGlyphs:
    """The characters of one text page, read through pdfium's raw functions, which cost about 0.4 µs a call."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._box = pdfium_raw.FS_RECTF()
        self._matrix = pdfium_raw.FS_MATRIX()
        self._flags = ctypes.c_int()
        self._name = ctypes.create_string_buffer(FONT_NAME_BYTES)
        count = max(pdfium_raw.FPDFText_CountChars(handle), 0)
        self._codes: list[int] = [pdfium_raw.FPDFText_GetUnicode(handle, index) for index in range(count)]
        self._turned = self._reading_direction()

    def lines(self, joined: Callable[[str, str], str]) -> list[Line]:
        """The page's lines in reading order; `joined` decides what becomes of a word that was cut at a line's end."""
        lines: list[Line] = []
        start = 0
        for index, code in enumerate([*self._codes, 0x0A]):
            if code in LINE_BREAKS:
                spans = self._word_spans(start, index)
                lines.extend(line for run in self._runs(spans) if (line := self._line(run, joined)))
                start = index + 1
        return lines

    def _runs(self, spans: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
        """The words between two breaks, parted where pdfium 5.15 misses a break: behind a line of one character or so."""
        run: list[tuple[int, int]] = []
        for span in spans:
            if run and self._goes_back(run[-1], span):
                yield run
                run = []
            run.append(span)
        if run:
            yield run

    def _goes_back(self, before: tuple[int, int], span: tuple[int, int]) -> bool:
        """True for a word that stands left of the one before and on another line; words of Arabic stand left on the same."""
        left = self._edges(span[0])[0]
        if left >= min(self._edges(before[0])[0], self._edges(before[1] - 1)[1]):
            return False
        return abs(self._baseline(before[1] - 1) - self._baseline(span[0])) > self._size(span[0]) / 2

    def _line(self, spans: list[tuple[int, int]], joined: Callable[[str, str], str]) -> Line | None:
        words = tuple(word for span in spans if (word := self._word(span, joined)).text)
        if not words:
            return None
        first, last = spans[0][0], spans[-1][1] - 1
        bold = self._is_bold(first) and self._is_bold(last)
        return Line(words, self._baseline(first), self._baseline(last), self._line_size(spans), bold)

    def _word_spans(self, start: int, end: int) -> list[tuple[int, int]]:
        spans = []
        word_start = start
        for index in range(start, end + 1):
            if index == end or self._codes[index] in SPACES:
                if index > word_start:
                    spans.append((word_start, index))
                word_start = index + 1
        return spans

    def _word(self, span: tuple[int, int], joined: Callable[[str, str], str]) -> Word:
        text = decoded(self._codes[span[0] : span[1]])
        if chr(HYPHEN_AT_LINE_END) in text:
            head, *tails = text.split(chr(HYPHEN_AT_LINE_END))
            for tail in tails:
                head = joined(head, tail)
            text = head
        return Word(text, self._edges(span[0])[0], self._edges(span[1] - 1)[1])

    def _edges(self, index: int) -> tuple[float, float]:
        """Where a character begins and ends along the line."""
        pdfium_raw.FPDFText_GetLooseCharBox(self._handle, index, self._box)
        box = self._box
        if self._turned > 0:
            return box.bottom, box.top
        return (-box.top, -box.bottom) if self._turned < 0 else (box.left, box.right)

    def _baseline(self, index: int) -> float:
        """How high a character stands across the lines."""
        x, y = ctypes.c_double(), ctypes.c_double()
        pdfium_raw.FPDFText_GetCharOrigin(self._handle, index, x, y)
        return float(y.value) if not self._turned else float(-self._turned * x.value)

    def _line_size(self, spans: list[tuple[int, int]]) -> float:
        """The largest size among some of the words: names set in a smaller type do not make a line another style."""
        step = max(len(spans) // SIZE_SAMPLES, 1)
        return max(self._size(start) for start, _ in spans[::step])

    def _size(self, index: int) -> float:
        """The font size as drawn: the nominal one times the matrix, for many writers set size 1 and scale."""
        nominal = float(pdfium_raw.FPDFText_GetFontSize(self._handle, index))
        if not pdfium_raw.FPDFText_GetMatrix(self._handle, index, self._matrix):
            return nominal
        return round(nominal * math.hypot(self._matrix.c, self._matrix.d), 1)

    def _is_bold(self, index: int) -> bool:
        length = pdfium_raw.FPDFText_GetFontInfo(self._handle, index, self._name, FONT_NAME_BYTES, self._flags)
        return 0 < length <= FONT_NAME_BYTES and bool(BOLD_NAME.search(self._name.value))

    def _reading_direction(self) -> int:
        """0 for upright text; 1 or -1 for a page whose first character is turned by a quarter to the left or right."""
        visible = (index for index, code in enumerate(self._codes) if code not in SPACES | LINE_BREAKS)
        angle = pdfium_raw.FPDFText_GetCharAngle(self._handle, next(visible, 0)) if self._codes else 0.0
        sine = math.sin(angle)
        if abs(math.cos(angle)) > UPRIGHT_WITHIN_RADIANS or angle < 0:
            return 0
        return -1 if sine > 0 else 1


def decoded(codes: list[int]) -> str:
    """The text of pdfium's code points; surrogate pairs, which Windows gives, become one character, ligatures their letters."""
    text = "".join(map(chr, codes))
    if SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return text.translate(LIGATURES)


def hyphenation(known: Mapping[str, int]) -> Callable[[str, str], str]:
    """How to join a word cut at a line's end: as it stands elsewhere in the document, else without the hyphen."""

    def joined(head: str, tail: str) -> str:
        plain, hyphened = head + tail, f"{head}-{tail}"
        if known.get(bare(hyphened), 0) > known.get(bare(plain), 0):
            return hyphened
        return plain if head[-1:].isalpha() and tail[:1].islower() else hyphened

    return joined


def bare(word: str) -> str:
    """A word in lower case without the punctuation around it."""
    return word.strip(".,;:!?()[]\"'“”„‘’«»").lower()
