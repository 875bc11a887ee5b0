"""From a finding to an item: which row of the figures it is, how large and how heavy.

What must stay true: a size outside the row's range is brought to its edge and marked; what has no row is not counted.
"""

from difflib import SequenceMatcher

from tenantai.estimating.items import NOTHING, Finding, Item, Range, Status
from tenantai.figures import catalogue
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT, KILOGRAMS_PER_POUND, POUNDS_PER_CUBIC_FOOT, meant

FILL = 0.75
BY_EYE = 0.2
NEAR = 0.6
UNSURE_BELOW = 0.3
CUBIC_CENTIMETRES = 1_000_000
FRAGILE = frozenset("tv glass_cabinet mirror lamp china aquarium curio computer printer stereo".split())
DISMANTLED = frozenset(
    "bed crib sectional wall armoire dining_table treadmill elliptical trampoline pool piano_grand desk_executive".split()
)


def item_of(finding: Finding, *, item_id: str) -> Item:
    """Return the item that a finding is, by itself."""
    row, is_nearest = _row_of(finding)
    volume, notes = _volume_of(finding, row)
    weight_lb = _weight_lb(row, volume.typical)
    fragile = finding.fragile if finding.fragile is not None else row is not None and _is_among(row.name, FRAGILE)
    status, reason = _status(finding, row)
    return Item(
        id=item_id,
        name=finding.name,
        row_id=row.name if row else None,
        label=finding.label,
        category=finding.category or (row.category if row else "other"),
        room=finding.room,
        quantity=finding.quantity,
        length_cm=finding.length_cm,
        width_cm=finding.width_cm,
        height_cm=finding.height_cm,
        volume_m3=volume.times(finding.quantity),
        weight_kg=weight_lb * KILOGRAMS_PER_POUND * finding.quantity,
        fragile=fragile,
        dismantle=row is not None and _is_among(row.name, DISMANTLED),
        confidence=finding.confidence,
        box=finding.box,
        image=finding.image,
        appears_in=(finding.image,),
        status=status,
        notes=(*(("mapped-to-nearest",) if is_nearest else ()), *notes),
        packing=_packing(row, fragile=fragile),
        reason=reason,
    )


def _row_of(finding: Finding) -> tuple[catalogue.Item | None, bool]:
    """Return the row that a finding's name means, and whether it is only the nearest one."""
    for said in (finding.name, f"{finding.name} {finding.label}"):
        row, _ = meant(said)
        if row is not None:
            return row, False
    _, nearest = meant(finding.name)
    likest = max(nearest, key=lambda name: _likeness(finding.name, name), default=None)
    if likest is None or _likeness(finding.name, likest) < NEAR:
        return None, False
    return catalogue.items()[likest], True


def _likeness(name: str, row: str) -> float:
    said, known = name.lower(), row.replace("_", " ")
    return 1.0 if set(said.split()) <= set(known.split()) else SequenceMatcher(None, said, known).ratio()


def _volume_of(finding: Finding, row: catalogue.Item | None) -> tuple[Range, tuple[str, ...]]:
    """Return one piece's volume in cubic metres, and the marks of how it came about."""
    if row is None:
        return _measured(finding), ()
    low, typical, high = (feet * CUBIC_METERS_PER_CUBIC_FOOT for feet in (row.low_ft3, row.typical_ft3, row.high_ft3))
    if finding.length_cm is None or finding.width_cm is None or finding.height_cm is None:
        return Range(low, typical, high), ("sized-by-row",)
    measured = finding.length_cm * finding.width_cm * finding.height_cm / CUBIC_CENTIMETRES * FILL
    kept = min(max(measured, low), high)
    return Range(low, kept, high), (() if kept == measured else ("size-clamped",))


def _measured(finding: Finding) -> Range:
    """Return the volume of a thing that no row is known of: a person's sizes, give or take."""
    if not _is_told(finding):
        return NOTHING
    measured = (finding.length_cm or 0) * (finding.width_cm or 0) * (finding.height_cm or 0) / CUBIC_CENTIMETRES * FILL
    return Range(measured * (1 - BY_EYE), measured, measured * (1 + BY_EYE))


def _is_told(finding: Finding) -> bool:
    """Whether a person told of it, with all its sizes."""
    sizes = (finding.length_cm, finding.width_cm, finding.height_cm)
    return finding.confidence == 1 and None not in sizes


def _weight_lb(row: catalogue.Item | None, typical_m3: float) -> float:
    """Return a piece's pounds: its row's where that has them, else by its volume."""
    if row is None or row.weight_lb is None:
        return typical_m3 / CUBIC_METERS_PER_CUBIC_FOOT * POUNDS_PER_CUBIC_FOOT
    return row.weight_lb


def _status(finding: Finding, row: catalogue.Item | None) -> tuple[Status, str]:
    if finding.built_in:
        return "excluded", "It is built in and stays with the house."
    if row is None and not _is_told(finding):
        return "needs-review", "No figure of the trade is near enough to it; give it a known name, or its size by hand."
    if finding.confidence < UNSURE_BELOW:
        return "needs-review", "The model is not sure what it is."
    return "counted", ""


def _packing(row: catalogue.Item | None, *, fragile: bool) -> tuple[str, ...]:
    if row is None:
        return ()
    advice = []
    if _is_among(row.name, DISMANTLED):
        advice.append("Take it apart; keep its screws in a bag taped to it.")
    if fragile:
        advice.append("Wrap it in bubble wrap and keep it upright.")
    if row.category in {"living", "bedroom", "kitchen_dining", "office"} and not advice:
        advice.append("Wrap it in a furniture blanket.")
    if row.category == "appliance":
        advice.append("Empty, drain and dry it; fix its doors with tape.")
    return tuple(advice)


def _is_among(name: str, words: frozenset[str]) -> bool:
    return any(word in name for word in words)
