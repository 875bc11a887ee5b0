"""An estimate as a PDF that a moving company hands to a customer: what it comes to, every item by room, and the photos.

What must stay true: the items and the allowance add up to the totals above them, and a number on a photo is the one of the item's
row. Runs in the child process.
"""

from collections.abc import Mapping
from pathlib import Path

from tenantai.estimating.items import Estimate
from tenantai.estimating.report.inventory import by_room, show_inventory, show_others
from tenantai.estimating.report.page import Document, Page
from tenantai.estimating.report.photos import show_photos
from tenantai.estimating.report.summary import show_boxes, show_figures, show_notes, show_signatures


def as_pdf(estimate: Estimate, *, document: Document, photos: Mapping[int, Path]) -> bytes:
    """Return the document; photos are JPEG files by their index."""
    page = Page(document)
    page.add_page()
    page.show_head()
    show_figures(page, estimate)
    rooms = by_room(estimate.items)
    numbers = {item.id: number for number, item in enumerate((item for items in rooms.values() for item in items), start=1)}
    others = (*estimate.needs_review, *estimate.excluded)
    numbers |= {item.id: number for number, item in enumerate(others, start=len(numbers) + 1)}
    show_inventory(page, estimate, rooms, numbers)
    show_others(page, estimate, numbers)
    show_boxes(page, estimate)
    show_notes(page, estimate)
    show_signatures(page)
    show_photos(page, (*estimate.items, *others), numbers, photos)
    return bytes(page.output())
