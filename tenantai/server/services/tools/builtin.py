"""The functions that every chat may call: search again, the figures of moving and storage, photos, the date.

What must stay true: a search stays within the tenant, the account and the files of the turn, and what it finds can be cited
under the numbers that it is given.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantai.figures import catalogue
from tenantai.figures.fitting import (
    CUBIC_METERS_PER_CUBIC_FOOT,
    KILOGRAMS_PER_POUND,
    Choice,
    Fit,
    Volume,
    counted,
    truck_for,
    unit_for,
    volume_of,
)
from tenantai.identifiers import now
from tenantai.providers.protocols import Function
from tenantai.rag.citations import CitationReader
from tenantai.rag.prompting import inert
from tenantai.rag.search import Search
from tenantai.server.services.tools import photos
from tenantai.wire.store import RetrievalSettings

SEARCH = "search_documents"
ITEMS_MAX = 200
QUANTITY_MAX = 1000
PASSAGES_MAX = 4

FUNCTIONS = (
    Function(
        SEARCH,
        "Search the organisation's documents again, with other words than the question's: synonyms, the document's own terms. "
        "Returns numbered sources to cite.",
        {
            "type": "object",
            "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 500}},
            "required": ["query"],
            "additionalProperties": False,
        },
    ),
    Function(
        "volume_of_items",
        "Volume and weight of household items (reference figures of the moving trade, low, typical, high), and the storage unit "
        "and truck that hold them.",
        {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": ITEMS_MAX,
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string", "minLength": 1, "maxLength": 100, "description": "such as sofa 3 seat"},
                            "quantity": {"type": "integer", "minimum": 1, "maximum": QUANTITY_MAX},
                        },
                        "required": ["name"],
                        "additionalProperties": False,
                    },
                }
            },
            "required": ["items"],
            "additionalProperties": False,
        },
    ),
    Function(
        "what_holds_volume",
        "The storage unit and the truck that hold a volume, tightly and comfortably. Give cubic feet or cubic meters.",
        {
            "type": "object",
            "properties": {
                "cubicFeet": {"type": "number", "exclusiveMinimum": 0, "maximum": 100_000},
                "cubicMeters": {"type": "number", "exclusiveMinimum": 0, "maximum": 3_000},
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
    ),
    photos.FUNCTION,
    Function(
        "current_date", "Today's date and time in UTC.", {"type": "object", "properties": {}, "additionalProperties": False}
    ),
)
NAMES = frozenset(function.name for function in FUNCTIONS)


@dataclass(frozen=True, slots=True)
class Output:
    """What a function returned: for the model, and as clients and the history see it."""

    value: Any
    shown: Any


@dataclass(frozen=True, slots=True)
class Builtin:
    """The built-in functions of one turn, within its bounds."""

    search: Search
    reader: CitationReader
    tenant_id: str
    account_id: str | None
    file_ids: frozenset[str] | None
    retrieval: RetrievalSettings
    estimate: photos.Estimate | None = None

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Output:
        """Return what a function comes to; the arguments fit its schema."""
        if name == SEARCH:
            return await self.found(arguments["query"])
        if name == "volume_of_items":
            wanted = [(item["name"], item.get("quantity", 1)) for item in arguments["items"]]
            value = await asyncio.to_thread(items_volume, wanted)
        elif name == "what_holds_volume":
            feet = arguments.get("cubicFeet") or arguments["cubicMeters"] / CUBIC_METERS_PER_CUBIC_FOOT
            value = holders(Volume(feet, feet, feet))
        elif name == photos.ESTIMATE:
            value = await photos.estimated(arguments["assetIds"], self.estimate)
        else:
            value = {"date": now().date().isoformat(), "time": now().strftime("%H:%M"), "weekday": now().strftime("%A")}
        return Output(value, value)

    async def found(self, query: str) -> Output:
        """Search again; what is found joins the turn's sources, and clients are told of it without its text."""
        passages = await self.search.passages(
            self.tenant_id,
            question=query,
            top_k=min(PASSAGES_MAX, self.retrieval.top_k),
            min_score=self.retrieval.min_score,
            account_id=self.account_id,
            file_ids=self.file_ids,
        )
        numbers = self.reader.add(passages)
        value = [
            {"n": number, "file": inert(p.file_name), "section": inert(p.heading), "text": inert(p.text)}
            for number, p in zip(numbers, passages, strict=True)
        ]
        shown = [
            {"n": number, "fileId": p.file_id, "fileName": p.file_name} | ({"page": p.page} if p.page is not None else {})
            for number, p in zip(numbers, passages, strict=True)
        ]
        return Output({"sources": value}, {"sources": shown})


def items_volume(wanted: list[tuple[str, int]]) -> dict[str, Any]:
    """Return the room that named items take, what holds them, and the names that mean no one item."""
    known, unknown = counted(wanted)
    volume = volume_of(known)
    told: dict[str, Any] = {"items": [_item(thing.item, thing.quantity) for thing in known]}
    if unknown:
        told["notCounted"] = [{"name": name.name, "didYouMean": list(name.nearest)} for name in unknown]
    if known:
        pounds = volume.weight_lb
        told["total"] = _volume(volume) | {"weightLb": round(pounds), "weightKg": round(pounds * KILOGRAMS_PER_POUND)}
        told |= holders(volume)
    return told


def holders(volume: Volume) -> dict[str, Any]:
    """Return the storage unit and the truck for a volume."""
    return {
        "storageUnit": _fit(unit_for(volume)),
        "truck": _fit(truck_for(volume)),
        "note": f"Reference figures, version {catalogue.VERSION}; comfortable leaves 15 % more room.",
    }


def _item(item: catalogue.Item, quantity: int) -> dict[str, Any]:
    return {"item": item.name, "quantity": quantity} | _volume(Volume(item.low_ft3, item.typical_ft3, item.high_ft3))


def _volume(volume: Volume) -> dict[str, Any]:
    feet = {"low": volume.low_ft3, "typical": volume.typical_ft3, "high": volume.high_ft3}
    meters = {name: round(cubic * CUBIC_METERS_PER_CUBIC_FOOT, 2) for name, cubic in feet.items()}
    return {"cubicFeet": {name: round(cubic, 1) for name, cubic in feet.items()}, "cubicMeters": meters}


def _fit(fit: Fit) -> dict[str, Any]:
    return {"tight": _choice(fit.tight), "comfortable": _choice(fit.comfortable)}


def _choice(choice: Choice) -> dict[str, Any]:
    told: dict[str, Any] = {"name": choice.holder.name, "usableCubicFeet": choice.holder.usable_ft3}
    return told | ({"count": choice.count} if choice.count > 1 else {})
