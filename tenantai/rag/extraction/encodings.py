"""Decodes text of any encoding; bytes that are no text give None."""

import codecs
import re

from charset_normalizer import from_bytes

BYTE_ORDER_MARKS = (  # UTF-32's begins with UTF-16's, so it is asked first
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE_BYTES = 64 * 1024
NUL_SHARE_OF_WIDE_TEXT = 0.3
CONTROL_SHARE_MAX = 0.02
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
ISO_2022_JP = re.compile(rb"\x1b(\$[@B]|\([BJI])")
KANA = re.compile("[\u3041-\u30fe]")
KANA_SHARE_MIN = 0.15
WESTERN_SIGNS = frozenset("“”‘’‚„‹›«»–—…•·€£¥¢§°©®™¿¡ªº²³±×½¼¾µ\u00a0\u00ad")
WESTERN_ACCENTS = tuple(
    map(frozenset, ("äöüßéè", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "ãáâàçéêíóõôú", "àèéìíòóù", "åäöæøéü", "éëïöüèêó"))
)
SIGN_INSIDE_WORD = re.compile(r"[^\W\d_][¿¡²³±½¼¾¥¢£§©][^\W\d_]")
ACCENTED_SHARE_MAX = 0.25
GUESSED = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "koi8_r", "koi8_u"),
    *("iso8859_2", "iso8859_5", "iso8859_7", "gb18030", "big5", "euc_kr", "cp932", "euc_jp", "cp866", "cp850", "cp437"),
    "mac_roman",
)
META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)


def decode(data: bytes) -> str | None:
    """The text of the bytes, or None when they are no text in any encoding known here."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _tried(data, encoding) or _tried(data, encoding, errors="replace")
    if wide := _wide_encoding(data):
        return _tried(data, wide)
    if _is_binary(data):
        return None
    if ISO_2022_JP.search(data):
        return _tried(data, "iso2022_jp_ext") or _tried(data, "utf-8")
    return _tried(data, "utf-8") or _declared(data) or _western(data) or _japanese(data) or _guessed(data)


def _tried(data: bytes, encoding: str, *, errors: str = "strict") -> str | None:
    try:
        return data.decode(encoding, errors)
    except (UnicodeDecodeError, LookupError):
        return None


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, told by which bytes of each character are zero."""
    sample = data[: SAMPLE_BYTES // 4 * 4]
    zeros = [sample[lane::4].count(0) * 4 / max(len(sample), 1) for lane in range(4)]
    wide = [share > NUL_SHARE_OF_WIDE_TEXT for share in zeros]
    encodings = {
        (False, True, True, True): "utf-32-le",
        (True, True, True, False): "utf-32-be",
        (False, True, False, True): "utf-16-le",
        (True, False, True, False): "utf-16-be",
    }
    return encodings.get((wide[0], wide[1], wide[2], wide[3]))


def _is_binary(data: bytes) -> bool:
    sample = data[:SAMPLE_BYTES]
    return len(CONTROLS.findall(sample)) > max(1, CONTROL_SHARE_MAX * len(sample))


def _declared(data: bytes) -> str | None:
    """The text in the encoding that an HTML page's <meta> names."""
    found = META_CHARSET.search(data[:4096])
    return _tried(data, found[1].decode("ascii")) if found else None


def _western(data: bytes) -> str | None:
    """Windows-1252 where its accents are those of one western language: short texts are too little for a guess."""
    text = _tried(data, "cp1252")
    if text is None or SIGN_INSIDE_WORD.search(text):
        return None
    beyond = {character for character in text.lower() if character > "\x7f"} - WESTERN_SIGNS
    accented = sum(text.lower().count(character) for character in beyond)
    plausible = any(beyond <= accents for accents in WESTERN_ACCENTS)
    return text if plausible and accented <= ACCENTED_SHARE_MAX * len(text) else None


def _japanese(data: bytes) -> str | None:
    """Shift JIS or EUC where much of the text is kana, which those two rarely make of anything else."""
    for encoding in ("cp932", "euc_jp"):
        text = _tried(data, encoding)
        if text and len(KANA.findall(text)) > KANA_SHARE_MIN * sum(character > "\x7f" for character in text):
            return text
    return None


def _guessed(data: bytes) -> str | None:
    best = from_bytes(data, cp_isolation=list(GUESSED)).best() or from_bytes(data).best()
    text = str(best) if best else ""
    return text if text.strip() else None
