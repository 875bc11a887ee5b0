"""Words of a text as search sees them: lower case, without endings, without the words that carry no meaning.

What must stay true: a question and a text go through the same functions, so equal words always meet.
"""

import re

_WORD = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_SUFFIXES = (
    *("ations", "ation", "ments", "ment", "ings", "ing", "ives", "ive", "ions", "ion", "ies", "ied"),
    *("ers", "er", "ed", "ly", "als", "al", "es", "ey", "s", "e", "y"),
)
_STEM_LETTERS_MIN = 3
_DOUBLED = re.compile(r"([bdfgmnprt])\1$")

_STOP_WORDS = """
a an the this that these those and or but if then than so as of in on at to from by for with without about into
over under up out off per via i me my mine we us our you your he him his she her it its they them their one
someone anyone anything something there here
is am are was were be been being do does did doing done have has had having can could may might must shall should
will would let get gets got go goes going come comes need needs needed want wants make makes take takes use happen
happens tell give gives given know
what which who whom whose when where why how much many long often far not no nor only also just too very any some
all each every both either more most other another such same own again ever still already yet please
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

_IRREGULAR = """
begin began begun; bend bent; bind bound; bite bit bitten; blow blew blown; break broke broken; bring brought;
build built; burn burnt; buy bought; catch caught; choose chose chosen; dig dug; draw drew drawn; dream dreamt;
drink drank drunk; drive drove driven; eat ate eaten; fall fell fallen; feed fed; feel felt; fight fought; find found;
fly flew flown; forbid forbade forbidden; forget forgot forgotten; freeze froze frozen; grow grew grown; hang hung;
hear heard; hide hid hidden; hold held; keep kept; lay laid; lead led; learn learnt; leave left; lend lent; lose lost;
mean meant; meet met; pay paid; ride rode ridden; ring rang rung; rise rose risen; run ran; say said; see saw seen;
seek sought; sell sold; send sent; shake shook shaken; shoot shot; show shown; sing sang sung; sink sank sunk;
sit sat; sleep slept; slide slid; speak spoke spoken; spend spent; spoil spoilt; stand stood; steal stole stolen;
stick stuck; strike struck; sweep swept; swim swam swum; teach taught; tear tore torn; think thought;
throw threw thrown; understand understood; wake woke woken; wear wore worn; win won; write wrote written;
child children; foot feet; man men; mouse mice; person people; tooth teeth; woman women; knife knives; shelf shelves
"""
_BASES = {form: base for entry in _IRREGULAR.split(";") for base, *forms in [entry.split()] for form in forms}


def words(text: str) -> list[str]:
    """Return the words and numbers of `text`, in lower case."""
    return [found.group().lower().replace("’", "'") for found in _WORD.finditer(text)]


def stem(word: str) -> str:
    """Return the word without its English ending, never under three letters, or its base; numbers stay as they are."""
    word = word.removesuffix("'s")
    word = _BASES.get(word, word)
    if word[:1].isdigit():
        return word.replace(",", "")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _STEM_LETTERS_MIN:
            word = word[: -len(suffix)]
            break
    return _DOUBLED.sub(r"\1", word)


def content_stems(text: str) -> frozenset[str]:
    """Return the stems of the words that carry meaning."""
    return frozenset(stem(word) for word in words(text) if word not in STOP_WORDS and (len(word) > 1 or word.isdigit()))
