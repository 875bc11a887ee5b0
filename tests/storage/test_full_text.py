"""The full-text index: terms stay as they were stemmed, tenants share a table and nothing else, what goes leaves nothing."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import closing

import pytest

from tenantai.identifiers import new_id
from tenantai.storage.database import Database, Transaction, compiled
from tenantai.storage.full_text import Fts5

CODE_POINTS_A_TEXT = 512
TERMS = compiled("SELECT doc, CAST(term AS BLOB) FROM full_text_terms ORDER BY doc, offset")
SCHEMA_VERSION = compiled("PRAGMA schema_version")
TEXTS = [(1, "The lamps, the LAMP and a lamp's glow"), (2, "Größe café naïve running"), (3, "... !!!"), (4, "foo_bar 12:34 x:y")]


@pytest.fixture
async def fts5() -> AsyncIterator[Fts5]:
    """The index under test."""
    index = Fts5()
    yield index
    index.close()


async def add(database: Database, fts5: Fts5, tenant_id: str, texts: Sequence[tuple[int, str]]) -> None:
    async def unit(transaction: Transaction) -> None:
        await fts5.add(transaction, tenant_id, texts=texts)

    await database.write(unit)


async def remove(database: Database, fts5: Fts5, tenant_id: str, texts: Sequence[tuple[int, str]]) -> None:
    async def unit(transaction: Transaction) -> None:
        await fts5.remove(transaction, tenant_id, texts=texts)

    await database.write(unit)


async def kept(database: Database) -> list[tuple[int, str]]:
    """Return every (chunk number, term) in the index, in the order of the text."""
    return [(int(number), term.decode(errors="surrogateescape")) for number, term in await database.reading.all(TERMS)]


async def found(database: Database, fts5: Fts5, tenant_id: str, word: str) -> dict[int, int]:
    """Return the chunk numbers that hold a word and how often."""
    (term,) = fts5.terms(word)
    numbers, counts = await fts5.postings(database.reading, tenant_id, term=term)
    return dict(zip(numbers.tolist(), counts.astype(int).tolist(), strict=True))


async def test_terms_are_those_of_the_stemmer(database: Database, fts5: Fts5) -> None:
    """A text is kept as its stemmed terms, in order, as often as they stand there; a text without words leaves nothing."""
    await add(database, fts5, tenant := new_id(), TEXTS)
    prefix = tenant.replace("-", "") + ":"
    expected = {
        1: "the lamp the lamp and a lamp s glow",
        2: "groß cafe naiv run",
        4: "foo bar 12 34 x y",
    }
    assert await kept(database) == [(number, prefix + term) for number, text in expected.items() for term in text.split()]
    assert await found(database, fts5, tenant, "lamps") == {1: 3}
    assert await found(database, fts5, tenant, "absent") == {}


async def test_every_character_survives(database: Database, fts5: Fts5) -> None:
    """Whatever character a word holds, of the basic plane and some of the others, its term is the one a question is cut to."""
    letters = [chr(n) for n in (*range(0xD800), *range(0xE000, 0x10000), *range(0x10000, 0x110000, 61))]
    texts = [
        (first + 1, " ".join(f"{c}z xy{c}ing" for c in letters[first : first + CODE_POINTS_A_TEXT]))
        for first in range(0, len(letters), CODE_POINTS_A_TEXT)
    ]
    await add(database, fts5, tenant := new_id(), texts)
    prefix = tenant.replace("-", "") + ":"
    terms: dict[int, list[str]] = {}
    for number, term in await kept(database):
        assert term.startswith(prefix)
        terms.setdefault(number, []).append(term.removeprefix(prefix))
    for number, text in texts:
        assert list(dict.fromkeys(terms.get(number, []))) == fts5.terms(text)


async def test_a_character_that_the_stemmer_cuts(database: Database, fts5: Fts5) -> None:
    """The stemmer takes the last byte of 丸 for a doubled consonant; what is no text any more is still found and removed."""
    await add(database, fts5, tenant := new_id(), [(1, "a丸ing")])
    assert await found(database, fts5, tenant, "a丸ing") == {1: 1}
    await remove(database, fts5, tenant, [(1, "a丸ing")])
    assert await kept(database) == []


async def test_tenants_share_nothing(database: Database, fts5: Fts5) -> None:
    """One tenant's words are not found by another; a question cannot name another tenant's terms."""
    acme, globex = new_id(), new_id()
    await add(database, fts5, acme, [(1, "lamp lamp")])
    await add(database, fts5, globex, [(2, "lamp door")])
    assert await found(database, fts5, acme, "lamp") == {1: 2}
    assert await found(database, fts5, globex, "lamp") == {2: 1}
    assert await found(database, fts5, acme, "door") == {}
    assert not any(":" in term for term in fts5.terms(f"{globex.replace('-', '')}:door"))
    with pytest.raises(ValueError, match="hexadecimal"):
        await fts5.postings(database.reading, "", term="lamp")


async def test_what_goes_leaves_no_term(database: Database, fts5: Fts5) -> None:
    """When a tenant's chunks go, none of its terms stays, and the others' do."""
    acme, globex = new_id(), new_id()
    await add(database, fts5, acme, TEXTS)
    await add(database, fts5, globex, [(5, "The lamp")])
    await remove(database, fts5, acme, TEXTS)
    assert await kept(database) == [(5, f"{globex.replace('-', '')}:{term}") for term in ("the", "lamp")]
    await remove(database, fts5, globex, [(5, "The lamp")])
    assert await kept(database) == []


async def test_a_unit_that_fails(database: Database, fts5: Fts5) -> None:
    """Words that a failed unit added are not there, nor do they come with the next one's."""

    async def failing(transaction: Transaction) -> None:
        await fts5.add(transaction, tenant, texts=[(1, "lamp")])
        raise RuntimeError("fault")

    tenant = new_id()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await database.write(failing)
        await add(database, fts5, tenant, [(2, "door")])
        assert await found(database, fts5, tenant, "lamp") == {}
        assert await found(database, fts5, tenant, "door") == {2: 1}
        await remove(database, fts5, tenant, [(2, "door")])


async def test_new_tenants_leave_the_schema(database: Database, fts5: Fts5) -> None:
    """A tenant's first words, and their going, change no schema, which every connection would have to read again."""
    before = await database.reading.one(SCHEMA_VERSION)
    for number in range(1, 4):
        await add(database, fts5, tenant := new_id(), [(number, "lamp")])
        await remove(database, fts5, tenant, [(number, "lamp")])
    assert await database.reading.one(SCHEMA_VERSION) == before


async def test_index_is_sound_after_many_changes(database: Database, fts5: Fts5) -> None:
    """After adding and removing in many slices the postings are those of the texts that stayed."""
    tenants = [new_id() for _ in range(3)]
    texts = {n: " ".join(f"w{k}" for k in range(1, 40) if n % k == 0) for n in range(1, 400)}
    for number, text in texts.items():
        await add(database, fts5, tenants[number % 3], [(number, text)])
    for number in range(2, 400, 2):
        await remove(database, fts5, tenants[number % 3], [(number, texts[number])])
    stayed = {n: text for n, text in texts.items() if n % 2}
    assert Counter(n for n, _ in await kept(database)) == Counter({n: len(t.split()) for n, t in stayed.items()})
    for place, tenant in enumerate(tenants):
        assert await found(database, fts5, tenant, "w5") == {n: 1 for n in stayed if n % 5 == 0 and n % 3 == place}
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("INSERT INTO full_text (full_text) VALUES ('integrity-check')")
