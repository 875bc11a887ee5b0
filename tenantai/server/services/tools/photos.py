"""The estimator as a function of chat: how much room the things in photos take, by the ids of their assets.

What must stay true: the photos are assets of the turn's own tenant, and a key that may not analyze gets a sentence and no
estimate.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tenantai.errors import Forbidden, ValidationFailed
from tenantai.pictures.picture import PICTURES_MAX
from tenantai.providers.protocols import Function
from tenantai.wire.estimator import SummaryTold

Estimate = Callable[[Sequence[str]], Awaitable[SummaryTold]]

ESTIMATE = "estimate_from_photos"
NOT_ALLOWED = "The API key of this chat lacks the scope estimator:analyze, so photos can't be looked at. Tell the person so."
FUNCTION = Function(
    ESTIMATE,
    "Look at photos of a home: what stands in them, its volume and weight, boxes, and the storage unit and truck that hold it. "
    "Give the ids of the photos' assets, which the person names.",
    {
        "type": "object",
        "properties": {
            "assetIds": {
                "type": "array",
                "minItems": 1,
                "maxItems": PICTURES_MAX,
                "items": {"type": "string", "minLength": 36, "maxLength": 36},
            }
        },
        "required": ["assetIds"],
        "additionalProperties": False,
    },
)


async def estimated(asset_ids: Sequence[str], estimate: Estimate | None) -> dict[str, Any]:
    """Return what photos come to, for a model and a client; raises TenantaiError with a sentence that a model can go on from."""
    if estimate is None:
        raise Forbidden(NOT_ALLOWED)
    try:
        return _short(await estimate(asset_ids))
    except ValidationFailed as refused:
        faults = "; ".join(f"{problem['field'].replace('images.', 'photo ')} {problem['problem']}" for problem in refused.details)
        raise Forbidden(f"Photos (counted from 0) were not taken: {faults}.") from refused


def _short(summary: SummaryTold) -> dict[str, Any]:
    """Return an estimate without what a conversation needs not: places in pictures, sizes, advice."""
    told = summary.json_ready()
    items = [
        {
            "name": item["name"],
            "quantity": item["quantity"],
            "cubicMeters": item["volumeM3"],
            "cubicFeet": item["volumeFt3"],
            "weightKg": item["weightKg"],
            "photos": [photo + 1 for photo in item["appearsIn"]],
        }
        | ({"room": item["room"]} if "room" in item else {})
        for item in told["items"]
    ]
    others = {
        name: [{"name": item["name"], "why": item["reason"]} for item in told[name]] for name in ("needsReview", "excluded")
    }
    kept = ("estimateId", "totals", "contents", "boxes", "materials", "storageUnit", "truck", "packPlan", "notes")
    return {"items": items, **others, **{name: told[name] for name in kept if name in told}}
