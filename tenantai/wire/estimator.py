"""Shapes of the estimator: what is asked, and what is told of an estimate while it is made and afterwards.

What must stay true: each volume is told in cubic metres and cubic feet, each weight in kilograms and pounds; `size` alone follows
the unit that was asked for.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints
from typing_extensions import TypedDict

from tenantai.pictures.picture import PICTURES_MAX
from tenantai.wire.files import Identifier
from tenantai.wire.shapes import Asked, Body, Computed, Record
from tenantai.wire.stream import Fault, Finish, MessageMetadata, Step

EDITS_MAX = 200
WORD = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
Unit = Literal["metric", "imperial"]
Words = Annotated[str, StringConstraints(max_length=80, pattern=WORD)]
Label = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Quantity = Annotated[int, Field(ge=1, le=200)]
Centimetres = Annotated[float, Field(gt=0, le=2000)]


class Analysis(Body):
    """POST /estimator/analyze; each picture is base64, a data URL with base64, or the id of an asset of the vault."""

    tenant_id: Identifier
    images: list[str] = Field(min_length=1, max_length=PICTURES_MAX)
    account_id: Identifier | None = None
    unit: Unit = "metric"


class Told(Computed):
    """What is told of an estimate; what is not known is left out."""

    def json_ready(self) -> dict[str, Any]:
        """Return it as a client reads it, without what is absent: streams know no null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class RangeTold(Told):
    """A figure between its lowest and its highest."""

    low: float
    typical: float
    high: float


class SizeTold(Told):
    """The outer size of one piece, in the unit that was asked for."""

    length: float | None = None
    width: float | None = None
    height: float | None = None
    unit: Literal["cm", "in"]


class PlaceTold(Told):
    """Where a thing is in a picture."""

    image: int
    box: tuple[int, int, int, int] | None = None


class ItemTold(Told):
    """A thing to be moved; volume and weight are of all its pieces, sizes of one, `box` is (ymin, xmin, ymax, xmax), 0 to 1000.

    `weightKg` and `weightLb` are the typical ones of `weightRangeKg` and `weightRangeLb`.
    `image` counts from 0, as in the request; `places` has every picture that a thing is in.
    """

    id: str
    image: int
    name: str
    label: str
    row_id: str | None = None
    category: str
    room: str | None = None
    quantity: int
    length_cm: float | None = None
    width_cm: float | None = None
    height_cm: float | None = None
    size: SizeTold
    volume_m3: RangeTold
    volume_ft3: RangeTold
    weight_kg: float
    weight_lb: float
    weight_range_kg: RangeTold
    weight_range_lb: RangeTold
    fragile: bool
    dismantle: bool
    confidence: float
    box: tuple[int, int, int, int] | None = None
    appears_in: list[int]
    places: list[PlaceTold]
    status: Literal["counted", "needs-review", "excluded"]
    notes: list[str]
    packing: list[str]
    reason: str


class Withdrawn(Told):
    """An item that the model took back: it was asked about the picture once more."""

    id: str
    image: int
    status: Literal["withdrawn"] = "withdrawn"


class PictureTold(Told):
    """How looking at a picture goes; `partial` where there may be more in it than was told."""

    image: int
    status: Literal["waiting", "looking", "done", "partial", "failed"]
    items: int
    problem: str | None = None


class ProgressTold(Told):
    """How far an analysis is."""

    stage: Literal["looking", "summing"]
    percentage: float
    finished: int
    total: int
    items: int
    images: list[PictureTold]


class BoxesTold(Told):
    """So many boxes of a size."""

    name: str
    count: int
    use: str


class MaterialTold(Told):
    """So much of what things are packed in."""

    name: str
    amount: float
    unit: str


class HolderTold(Told):
    """A storage unit or truck, how many of it, and a unit's floor: its width and depth."""

    name: str
    count: int
    usable_m3: float
    usable_ft3: float
    floor_m: tuple[float, float] | None = None
    floor_ft: tuple[float, float] | None = None


class HoldersTold(Told):
    """What holds it all tightly and comfortably, or why nothing is named."""

    tight: HolderTold | None = None
    comfortable: HolderTold | None = None
    reason: str


class PackPlanTold(Told):
    """Whether all pieces, boxes among them, really go into the tight unit by their shapes; where not, what is left over.

    `fitsIn` is the smallest unit that was found to hold all; `shapesAssumed` counts the pieces whose shape nobody told.
    """

    unit: str
    count: int
    fits: bool
    pieces: int
    left_over: list[str]
    fits_in: str | None = None
    filled: float
    shapes_assumed: int


class AmountTold(Told):
    """A volume in both units."""

    volume_m3: RangeTold
    volume_ft3: RangeTold


class TotalsTold(AmountTold):
    """What all counted items and the allowance for contents come to."""

    items: int
    pieces: int
    weight_kg: RangeTold
    weight_lb: RangeTold


class SummaryTold(Told):
    """An estimate: every item, and what they come to."""

    estimate_id: str
    status: Literal["running", "complete", "partial", "failed", "interrupted"]
    unit: Unit
    items: list[ItemTold]
    needs_review: list[ItemTold]
    excluded: list[ItemTold]
    contents: AmountTold
    totals: TotalsTold
    boxes: list[BoxesTold]
    materials: list[MaterialTold]
    storage_unit: HoldersTold
    truck: HoldersTold
    pack_plan: PackPlanTold | None = None
    notes: list[str]
    figures_version: int
    images: list[PictureTold]


class Analysed(SummaryTold):
    """The whole estimate at once, for `Accept: application/json`."""

    model: str
    usage: dict[str, Any]


class EstimateRecord(Record):
    """An estimate that is kept, without its items; volume and weight are the typical ones."""

    id: str
    account_id: str | None
    status: str
    unit: str
    model: str
    item_count: int
    volume_m3: float
    weight_kg: float
    version: int
    approved_at: str | None
    approved_by: str | None
    created_at: str
    updated_at: str


class EstimatesQuery(Asked):
    """GET /estimator/estimates."""

    tenant_id: Identifier | None = None
    account_id: Identifier | None = None


class ExportQuery(Asked):
    """GET /estimator/estimates/{estimateId}/export."""

    format: Literal["csv", "pdf"] = "csv"


class EstimateShown(Computed):
    """An estimate with all its items."""

    estimate: EstimateRecord
    summary: SummaryTold


class ItemEdit(Body):
    """What is changed of an item; what is left out stays."""

    id: Identifier
    name: Words = Field(default="")
    label: Label = Field(default="")
    room: Words | None = None
    quantity: Quantity = 1
    length_cm: Centimetres | None = None
    width_cm: Centimetres | None = None
    height_cm: Centimetres | None = None
    fragile: bool = False
    status: Literal["counted", "excluded"] = "counted"


class ItemAdded(Body):
    """A thing that is in no picture, or was not seen in it."""

    name: Words
    label: Label = ""
    room: Words | None = None
    quantity: Quantity = 1
    length_cm: Centimetres | None = None
    width_cm: Centimetres | None = None
    height_cm: Centimetres | None = None
    fragile: bool | None = None


class EstimateChange(Body):
    """PATCH /estimator/estimates/{estimateId}; with `version` only where that is still the newest."""

    version: int | None = Field(default=None, ge=1)
    items: list[ItemEdit] = Field(default_factory=list, max_length=EDITS_MAX)
    remove: list[Identifier] = Field(default_factory=list, max_length=EDITS_MAX)
    add: list[ItemAdded] = Field(default_factory=list, max_length=EDITS_MAX)


class StartedEstimate(TypedDict):
    """What the first event says of the estimate."""

    estimateId: str
    requestId: str


class EstimateStart(TypedDict):
    """First, at once."""

    type: Literal["start"]
    messageId: str
    messageMetadata: StartedEstimate


class ProgressEvent(TypedDict):
    """How far it is; each replaces the one before."""

    type: Literal["data-progress"]
    id: str
    data: ProgressTold


class ItemEvent(TypedDict):
    """An item, as soon as it was seen; one of the same id replaces it."""

    type: Literal["data-item"]
    id: str
    data: ItemTold | Withdrawn


class SummaryEvent(TypedDict):
    """What all items come to, each thing counted once."""

    type: Literal["data-summary"]
    id: str
    data: SummaryTold


EstimatorEvent = Annotated[
    EstimateStart | Step | ProgressEvent | ItemEvent | SummaryEvent | MessageMetadata | Fault | Finish, Discriminator("type")
]
