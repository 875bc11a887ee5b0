"""What a person changes of an estimate: items told otherwise, taken out or added; the totals follow.

What must stay true: an item that nobody touched stays as it was, and things that a person told apart are never made one again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tenantai.estimating.items import Estimate, Finding, Item, Status
from tenantai.estimating.sizing import item_of
from tenantai.estimating.summing import total

CERTAIN = 1.0
BY_HAND = "edited-by-hand"


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
    new = [_by_hand(item_of(finding, item_id=new_id)) for finding, new_id in zip(edits.added, new_ids, strict=True)]
    return total([*kept, *new])


def _changed(item: Item, changes: Mapping[str, Any]) -> Item:
    """Return an item as a person tells it: sized anew, and counted unless they say otherwise."""
    told = {name: value for name, value in changes.items() if name != "status"}
    finding = replace(_finding(item), **told, confidence=CERTAIN)
    status: Status = changes.get("status", "counted" if item.status == "needs-review" else item.status)
    again = _by_hand(item_of(replace(finding, built_in=False), item_id=item.id))
    is_counted = status == "counted"
    return replace(
        again,
        appears_in=item.appears_in,
        status=again.status if is_counted else status,
        reason=again.reason if is_counted else item.reason or "A person took it out.",
    )


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
