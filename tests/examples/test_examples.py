"""The example documents and the question set about them agree, and the generator gives the committed bytes."""

import functools
import html
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = {"examples": REPOSITORY / "examples", "other": REPOSITORY / "benchmarks/answers/documents"}
BUILDER = REPOSITORY / "examples/sources/build.py"
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line) for line in (REPOSITORY / "benchmarks/answers/questions.jsonl").read_text(encoding="utf-8").splitlines()
]
ANSWERABLE = [question for question in QUESTIONS if question["kind"] != "unanswerable"]


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: str(question["id"]))
def test_every_answer_stands_once_in_its_file_on_its_page(question: dict[str, Any]) -> None:
    """Each acceptable passage is found in the named file exactly once, and in a PDF on the named page."""
    for place in (question, *question["elsewhere"]):
        pages = read_pages(FOLDERS[question["set"]] / place["file"])
        assert (place["page"] is None) == (not place["file"].endswith(".pdf"))
        assert place["answers"]
        for passage in place["answers"]:
            assert [number for number, page in enumerate(pages, 1) if passage in page] == [place["page"] or 1]
            assert sum(page.count(passage) for page in pages) == 1


def test_unanswerable_questions_name_no_place() -> None:
    """A question without an answer carries no file, page or passage that could pass for one."""
    for question in QUESTIONS:
        if question["kind"] == "unanswerable":
            assert set(question) == {"id", "question", "kind", "set", "split"}


@pytest.mark.parametrize("name", ["Port Ellery", "Castellane", "Lindqvist"])
def test_names_of_unanswerable_questions_occur_nowhere(name: str) -> None:
    """The people and places that only the questions know are in no document."""
    assert any(name in question["question"] for question in QUESTIONS)
    assert not [path for path in documents() if any(name in page for page in read_pages(path))]


def test_the_set_has_the_promised_shape() -> None:
    """Ids are unique, the kinds are as frequent as promised, and each kind of each set is split in halves."""
    assert len({question["id"] for question in QUESTIONS}) == len({q["question"] for q in QUESTIONS}) == len(QUESTIONS)
    kinds = Counter(question["kind"] for question in QUESTIONS)
    assert len(QUESTIONS) >= 100
    assert kinds["unanswerable"] * 4 >= len(QUESTIONS)
    assert kinds["paraphrase"] >= 20
    assert kinds["table"] >= 15
    halves = Counter((question["kind"], question["set"], question["split"]) for question in QUESTIONS)
    for kind, name in {(question["kind"], question["set"]) for question in QUESTIONS}:
        assert abs(halves[kind, name, "dev"] - halves[kind, name, "test"]) <= 1


def test_the_generator_reproduces_the_committed_files(tmp_path: Path) -> None:
    """Every PDF and DOCX that is committed comes out of the generator byte for byte."""
    subprocess.run([sys.executable, "-W", "error", BUILDER, tmp_path], check=True)
    committed = {path.name: path for path in documents() if path.suffix in {".pdf", ".docx"}}
    assert committed.keys() == {path.name for path in tmp_path.iterdir()}
    differing = [name for name, path in committed.items() if path.read_bytes() != (tmp_path / name).read_bytes()]
    assert differing == []


def documents() -> Iterator[Path]:
    for folder in FOLDERS.values():
        yield from (path for path in folder.iterdir() if path.is_file())


@functools.cache
def read_pages(path: Path) -> list[str]:
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as pdf:
            return [squeeze(page.get_textpage().get_text_range()) for page in pdf]
    if path.suffix == ".docx":
        document = docx.Document(str(path))
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        return [squeeze("\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells]))]
    text = path.read_text(encoding="utf-8")
    return [squeeze(html.unescape(re.sub(r"<[^>]+>", " ", text)) if path.suffix == ".html" else text)]


def squeeze(text: str) -> str:
    return " ".join(text.split())
