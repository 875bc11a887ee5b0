"""What no schema can say, told to schemathesis: whose things a body names, which fields must agree, what a picture is, what SQL.

Only what fits its schema is replaced, so that a value that is wrong on purpose stays wrong. The test gives it all as GIVEN.
"""

import json
import os
from base64 import b64decode
from typing import Any

import schemathesis

IDS: dict[str, str] = json.loads(os.environ["GIVEN"])
PICTURE, FILE = IDS.pop("picture"), IDS.pop("file")
PASSWORD = "Amaranth-2026!"
IDENTIFIER_CHARACTERS = range(1, 65)
IMAGES = range(1, 11)
SQL_CHARACTERS = range(1, 20_001)


@schemathesis.hook
def before_call(_context: Any, case: Any, _given: Any) -> None:
    """Give a body what fits beyond its schema."""
    body = case.body
    if not isinstance(body, dict):
        return
    for name, identifier in IDS.items():
        if is_identifier(body.get(name)):
            body[name] = identifier
    sql = body.get("sql")
    if isinstance(sql, str) and sql.strip() and len(sql) in SQL_CHARACTERS and "\0" not in sql:
        body["sql"] = "SELECT 1"
    files = body.get("files")
    if isinstance(files, list):
        body["files"] = [FILE if is_identifier(file) else file for file in files]
    if isinstance(body.get("newPassword"), str) and isinstance(body.get("confirmPassword"), str):
        body["newPassword"] = body["confirmPassword"] = PASSWORD
    approvals = body.get("approvals")
    for number, answer in enumerate(approvals if isinstance(approvals, list) else ()):
        if isinstance(answer, dict) and is_identifier(answer.get("approvalId")):
            answer["approvalId"] = str(number)
    images = body.get("images")
    if isinstance(images, list) and len(images) in IMAGES:
        picture = b64decode(PICTURE) if case.media_type == "multipart/form-data" else PICTURE
        body["images"] = [picture if isinstance(image, (str, bytes)) else image for image in images]


def is_identifier(value: Any) -> bool:
    return isinstance(value, str) and len(value) in IDENTIFIER_CHARACTERS
