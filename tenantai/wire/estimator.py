"""Shapes of the estimator: what is asked, and what is told of an estimate."""

from typing import Literal

from pydantic import Field

from tenantai.pictures.picture import PICTURES_MAX
from tenantai.wire.files import Identifier
from tenantai.wire.shapes import Body

Unit = Literal["metric", "imperial"]


class Analysis(Body):
    """POST /estimator/analyze; each picture is base64, a data URL with base64, or the id of an asset of the vault."""

    tenant_id: Identifier
    images: list[str] = Field(min_length=1, max_length=PICTURES_MAX)
    account_id: Identifier | None = None
    unit: Unit = "metric"
