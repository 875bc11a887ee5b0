"""The JSON body of an analysis, which may hold a hundred megabytes of pictures: checked, and its pictures made into files.

What must stay true: what is told of a body is small, whatever was sent; each fault of a picture is under its index. Runs in the
child process.
"""

import base64
import binascii
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tenantai.errors import ValidationFailed
from tenantai.parsing import object_in, problems_of
from tenantai.pictures.picture import PICTURES_MAX
from tenantai.wire.estimator import Analysis

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DATA_URL = re.compile(r"data:[^,]{0,200}?;base64,", re.IGNORECASE)
SPACE = re.compile(r"[\t\n\r ]+")
URL_SAFE = str.maketrans("-_", "+/")
NEITHER = "is neither base64, a data URL with base64, nor the id of an asset"
ADDRESS = "is an address, and none is fetched; send the picture itself, as base64 or a file, or the id of an asset"


def unpack(body: Path, folder: Path) -> dict[str, Any]:
    """Return a body without its pictures, or all its problems, and the pictures, those that were sent in files of the folder.

    Each picture is `{"asset": id}`, `{"file": name}`, `{"problem": sentence}`, or `{}` where a problem names it already.
    """
    try:
        value = object_in(body.read_bytes())
    except ValidationFailed as refused:
        return {"problems": refused.details, "pictures": []}
    given = value.get("images")
    listed = given if isinstance(given, list) and len(given) <= PICTURES_MAX else []
    pictures = [_placed(one, folder / str(index)) for index, one in enumerate(listed)]
    try:
        analysis = Analysis.model_validate(value)
    except ValidationError as error:
        return {"problems": problems_of(error), "pictures": pictures}
    return {"body": analysis.model_dump(by_alias=True, exclude={"images"}), "pictures": pictures}


def _placed(given: object, file: Path) -> dict[str, str]:
    if not isinstance(given, str):
        return {}
    if UUID.fullmatch(given):
        return {"asset": given.lower()}
    try:
        file.write_bytes(decoded(given))
    except ValueError as problem:
        return {"problem": str(problem)}
    return {"file": file.name}


def decoded(given: str) -> bytes:
    """Return the bytes of base64 or of a data URL: either alphabet, with or without padding and breaks. Raises ValueError."""
    if re.match(r"\s*https?://", given, re.IGNORECASE):
        raise ValueError(ADDRESS)
    if prefix := DATA_URL.match(given):
        given = given[prefix.end() :]
    plain = SPACE.sub("", given).rstrip("=").translate(URL_SAFE)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(NEITHER) from None
