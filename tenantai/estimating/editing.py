"""What a person changes of an estimate: items told otherwise, taken out or added; the totals follow.

What must stay true: an item that nobody touched stays as it was, and things that a person told apart are never made one again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tenantai.estimating.items import BY_HAND, CLAMPED, MEASURED, SEEN_AGAIN, Estimate, Finding, Item, Status
from tenantai.estimating.sizing import item_of
from tenantai.estimating.summing import total

CERTAIN = 1.0
SIZES = ("length_cm", "width_cm", "height_cm")


@dataclass(frozen=True, slots=True)
class Edits:
    """Changes of items by their id (a Finding's fields, and `status`), ids to take out, and new things."""

    changed: Mapping[str, Mapping[str, Any]]
    removed: Collection[str] = ()
    added: Sequence[Finding] = ()


def all_items(estimate: Estimate) -> list[Item]:
    """Return every item, counted or not."""
    return [*estimate.items, *estimate.needs_review, *estimate.excluded]


def edited(estimate: Estimate, edits: Edits, *, new_ids: Sequence[str]) -> Estimate:
    """Return the estimate with a person's edits; `new_ids` are for the added things."""
    kept = [
        _changed(item, edits.changed[item.id]) if item.id in edits.changed else item
        for item in all_items(estimate)
        if item.id not in edits.removed
    ]
    return total([*kept, *(_added(finding, new_id) for finding, new_id in zip(edits.added, new_ids, strict=True))])


def _added(finding: Finding, item_id: str) -> Item:
    """Return a new thing, which is in no photo, as a person tells it."""
    told = replace(finding, confidence=CERTAIN, is_measured=None not in (finding.length_cm, finding.width_cm, finding.height_cm))
    return _by_hand(replace(item_of(told, item_id=item_id), appears_in=(), places=()))


def _changed(item: Item, changes: Mapping[str, Any]) -> Item:
    """Return an item as a person tells it: sized anew, and counted unless they say otherwise."""
    told = {name: value for name, value in changes.items() if name != "status"}
    is_sized = any(name in told for name in SIZES)
    is_measured = MEASURED in item.notes or is_sized
    finding = replace(_finding(item), **told, is_measured=is_measured)
    again = item_of(finding, item_id=item.id, row_id=None if is_sized or "name" in told else item.row_id)
    status: Status = changes.get("status", "counted" if item.status == "needs-review" else item.status)
    is_counted = status == "counted"
    stays = {SEEN_AGAIN} if is_measured or "name" in told else {SEEN_AGAIN, CLAMPED}
    return _by_hand(
        replace(
            again,
            appears_in=item.appears_in,
            places=item.places,
            status=again.status if is_counted else status,
            notes=(*again.notes, *(note for note in item.notes if note in stays and note not in again.notes)),
            reason=_reason(item, again) if is_counted else item.reason or "A person took it out.",
        )
    )


def _reason(item: Item, again: Item) -> str:
    """Return why it is not counted, else in which photos it is."""
    return again.reason or (item.reason if SEEN_AGAIN in item.notes and item.status == "counted" else "")


def _by_hand(item: Item) -> Item:
    return replace(item, confidence=CERTAIN, notes=tuple(dict.fromkeys((*item.notes, BY_HAND))))


def _finding(item: Item) -> Finding:
    return Finding(
        image=item.image,
        name=item.name,
        label=item.label,
        room=item.room,
        quantity=item.quantity,
        length_cm=item.length_cm,
        width_cm=item.width_cm,
        height_cm=item.height_cm,
        confidence=CERTAIN,
        box=item.box,
        fragile=item.fragile,
    )
