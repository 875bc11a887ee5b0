"""What the place of estimates shows: a list of them, and one that is opened with its items, its photos and what it comes to.

What must stay true: figures are the server's; while an estimate is being made its items come as they are found.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message
from textual.widgets import Static

from tenantai.client import Client
from tenantai.tui import shown
from tenantai.tui.screens.paged import Paged
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.estimate_text import TONES, item_details, name_of, size_of, totals_of, volume_of, weight_of
from tenantai.tui.widgets.operation_line import OperationLine
from tenantai.tui.widgets.photo import Photo
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable
from tenantai.tui.widgets.scrolling import Scrolling
from tenantai.wire.estimator import EstimateRecord, EstimateShown, ItemTold, SummaryTold

EMPTY = "Nothing was estimated yet. n looks at photos."
CUBIC_FEET, POUNDS = 35.3147, 2.20462
IMPERIAL = "estimates.unit"
PICTURES_KEPT = 10


class Kept(RecordList[EstimateRecord]):
    """The estimates; without any it says what to do first."""

    def count_text(self) -> str:
        """Return how many there are."""
        text = super().count_text()
        return EMPTY if text == "No estimates." else text


class EstimatesView(Paged):
    """The list, or what is opened of it."""

    SPOT: ClassVar[str] = "estimates"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  Textual declares it so
    DEFAULT_CSS: ClassVar[str] = """
    EstimatesView #opened { height: 1fr; display: none; }
    EstimatesView.opened #opened { display: block; }
    EstimatesView.opened #kept { display: none; }
    EstimatesView #heading { height: 1; padding: 0 1; text-style: bold; }
    EstimatesView #body { height: 1fr; layout: horizontal; }
    EstimatesView #items { width: 1fr; }
    EstimatesView #beside { width: 46; }
    EstimatesView #beside VerticalScroll { height: auto; max-height: 60%; }
    EstimatesView #about, EstimatesView #totals { height: auto; margin-bottom: 1; }
    EstimatesView.-narrow #body { layout: vertical; }
    EstimatesView.-narrow #beside { width: 100%; height: 9; border-left: none; border-top: solid $panel; }
    EstimatesView.-narrow #beside VerticalScroll { max-height: 100%; }
    EstimatesView.-narrow #photo { display: none; }
    EstimatesView.photo #beside { width: 100%; height: 1fr; }
    EstimatesView.photo #photo { display: block; }
    EstimatesView.photo #items, EstimatesView.photo #beside VerticalScroll { display: none; }
    """

    @dataclass
    class Opened(Message):
        """An estimate with its items came, new or as it was changed."""

        shown: EstimateShown

    @dataclass
    class Pictured(Message):
        """A photo came."""

        key: tuple[str, int]
        content: bytes

    def __init__(self) -> None:
        super().__init__()
        self.opened: EstimateShown | None = None
        self.live: dict[str, ItemTold] | None = None
        self._of_tenant: str | None = None
        self._photos: dict[tuple[str, int], bytes] = {}
        self._photo_of: tuple[str, int, ItemTold] | None = None
        self._photo_asked: tuple[str, int] | None = None

    def compose_middle(self) -> ComposeResult:
        """Lay out the list, and the estimate that is opened."""
        yield OperationLine()
        yield Kept(self._columns_of_list(), key=lambda estimate: estimate.id, noun="estimates", id="kept")
        with Vertical(id="opened"):
            yield Static("", id="heading", markup=False)
            with Container(id="body"):
                yield RecordList(self._columns_of_items(), key=lambda item: item.id, noun="items", id="items")
                with Vertical(id="beside", classes="side"):
                    with Scrolling():
                        yield Static("", id="about", markup=False)
                        yield Static("", id="totals", markup=False)
                    yield Photo()

    def _columns_of_list(self) -> list[Column[EstimateRecord]]:
        return [
            Column("made", lambda estimate: shown.when(estimate.created_at), sort=lambda estimate: estimate.created_at),
            Column("status", lambda estimate: estimate.status, tone=lambda estimate: "good" if estimate.status == "complete" else "warn"),
            Column("approved", lambda estimate: shown.when(estimate.approved_at)[:10], tone=lambda estimate: "good" if estimate.approved_at else "dim"),
            Column("items", lambda estimate: f"{estimate.item_count}", right=True, sort=lambda estimate: estimate.item_count),
            Column("volume", self._volume_of, right=True, sort=lambda estimate: estimate.volume_m3),
            Column("weight", self._weight_of, right=True, sort=lambda estimate: estimate.weight_kg),
            Column("model", lambda estimate: estimate.model, grows=True),
        ]  # fmt: skip

    def _columns_of_items(self) -> list[Column[ItemTold]]:
        return [
            Column("item", name_of, width=26),
            Column("#", lambda item: f"{item.quantity}", right=True, sort=lambda item: item.quantity, width=3),
            Column("status", lambda item: item.status, tone=lambda item: TONES[item.status], width=12),
            Column("volume", lambda item: volume_of(item, imperial=self.is_imperial), right=True, sort=lambda item: item.volume_m3.typical, width=9),
            Column("weight", lambda item: weight_of(item, imperial=self.is_imperial), right=True, sort=lambda item: item.weight_kg, width=8),
            Column("sure", lambda item: f"{100 * item.confidence:.0f} %", right=True, sort=lambda item: item.confidence, width=5),
            Column("size", lambda item: size_of(item, imperial=self.is_imperial), width=15),
            Column("room", lambda item: item.room or ""),
        ]  # fmt: skip

    @property
    def is_imperial(self) -> bool:
        """Whether figures are shown in feet and pounds."""
        return self.operating.memory.get(IMPERIAL, "metric") == "imperial"

    @property
    def kept(self) -> RecordList[EstimateRecord]:
        """The list of estimates."""
        return self.query_one("#kept", Kept)

    @property
    def items(self) -> RecordList[ItemTold]:
        """The list of the opened estimate's items."""
        return self.query_one("#items", RecordList)

    @property
    def is_opened(self) -> bool:
        """Whether an estimate is shown, and not the list."""
        return self.has_class("opened")

    def _volume_of(self, estimate: EstimateRecord) -> str:
        return f"{estimate.volume_m3 * CUBIC_FEET:.0f} ft³" if self.is_imperial else f"{estimate.volume_m3:.1f} m³"

    def _weight_of(self, estimate: EstimateRecord) -> str:
        return f"{estimate.weight_kg * POUNDS:.0f} lb" if self.is_imperial else f"{estimate.weight_kg:.0f} kg"

    def load(self) -> None:
        """Ask for the estimates, and for the opened one anew."""
        tenant_id = self.tenant_id
        if tenant_id is None:
            return
        if tenant_id != self._of_tenant:
            self._begin_with(tenant_id)
        self.load_pages(self.kept, lambda client: client.estimator.all(tenant_id), owner=tenant_id)
        if self.opened is not None and self.live is None:
            self.open_estimate(self.opened.estimate.id)

    def renew(self) -> None:
        """Load the list anew; an estimate that is open stays as it is read."""
        if self.opened is None and self.live is None:
            super().renew()

    def _begin_with(self, tenant_id: str) -> None:
        """Show nothing any more that is another tenant's."""
        for group in ("estimate", "picture", "looking"):
            self.stop(group)
        self._of_tenant, self.opened, self.live, self._photo_of, self._photo_asked = tenant_id, None, None, None, None
        self._photos.clear()
        self.query_one(OperationLine).say_sending("")
        self.remove_class("opened", "photo")
        self.items.show([])

    def page_came(self, records: RecordList[Any]) -> None:
        """Show anew what applies to the estimate under the cursor."""
        del records
        self.refresh_bindings()

    def reveal(self, record_id: str) -> None:
        """Open an estimate that another place named."""
        self.open_estimate(record_id)

    def open_estimate(self, estimate_id: str) -> None:
        """Ask for an estimate with its items."""

        async def work(client: Client) -> Message:
            return self.Opened(await client.estimator.get(estimate_id))

        self.ask(work, group="estimate")

    @on(Paged.Refused)
    def _refused_change(self, event: Paged.Refused) -> None:
        """Show what is there now, where somebody else changed it meanwhile."""
        self._photo_asked = None
        if event.error.code == "CONFLICT" and self.opened is not None:
            self.open_estimate(self.opened.estimate.id)

    @on(Opened)
    def _opened(self, event: Opened) -> None:
        self.live, self.opened = None, event.shown
        summary = event.shown.summary
        self.add_class("opened")
        self.items.show([*summary.needs_review, *summary.items, *summary.excluded])
        self.say_all()
        if not self.items.table.has_focus and self.is_current:
            self.items.table.focus()
        self.refresh_bindings()

    def say_all(self) -> None:
        """Show the heading, the totals and the item in the unit that is chosen."""
        if self.opened is not None:
            self.say_heading(heading_of(self.opened.estimate))
            self._say_totals(self.opened.summary)
        self._say_item()
        self.kept.table.show(self.kept.table.rows)
        self.items.table.show(self.items.table.rows)

    def say_heading(self, text: str) -> None:
        """Show which estimate it is."""
        self.query_one("#heading", Static).update(text)

    def _say_totals(self, summary: SummaryTold) -> None:
        self.query_one("#totals", Static).update("\n".join(totals_of(summary, imperial=self.is_imperial)))

    @on(RecordTable.Chosen)
    def _chosen(self, event: RecordTable.Chosen) -> None:
        event.stop()
        if isinstance(event.record, EstimateRecord):
            self.open_estimate(event.record.id)
        else:
            self.turn_photo()

    def turn_photo(self) -> None:
        """Show the photo large, or beside the items again, which get back the focus that they lose while they are hidden."""
        self.toggle_class("photo")
        if not self.has_class("photo"):
            self.items.table.focus()

    @on(RecordList.TargetsChanged)
    def _targets_changed(self) -> None:
        self.refresh_bindings()
        self._say_item()

    def _say_item(self) -> None:
        """Show what is known of the item under the cursor, and its photo."""
        item = self.items.current if self.is_opened else None
        self.query_one("#about", Static).update(item_details(item, imperial=self.is_imperial) if item else "")
        if item is None or self.opened is None:
            return
        estimate_id, image = self.opened.estimate.id, item.image
        self._photo_of = (estimate_id, image, item)
        if (estimate_id, image) in self._photos:
            self._show_photo()
        elif (estimate_id, image) != self._photo_asked:
            self._photo_asked = (estimate_id, image)
            self._ask_photo(estimate_id, image)

    def _ask_photo(self, estimate_id: str, image: int) -> None:

        async def work(client: Client) -> Message:
            return self.Pictured((estimate_id, image), await client.estimator.picture(estimate_id, image))

        self.ask(work, group="picture")

    @on(Pictured)
    def _pictured(self, event: Pictured) -> None:
        self._photo_asked = None
        self._photos[event.key] = event.content
        while len(self._photos) > PICTURES_KEPT:
            self._photos.pop(next(iter(self._photos)))
        self._show_photo()

    def _show_photo(self) -> None:
        if self._photo_of is None:
            return
        estimate_id, image, item = self._photo_of
        content = self._photos.get((estimate_id, image))
        if content is not None:
            caption = f"photo {image + 1}: {name_of(item)}"

            async def draw() -> None:
                await self.query_one(Photo).show(content, caption, box=item.box)

            self._beside(draw, group="drawing", is_exclusive=True)

    def close_estimate(self) -> None:
        """Show the list again."""
        self.opened = self._photo_of = None
        self.remove_class("opened", "photo")
        self.items.show([])
        self.kept.table.focus()
        self.load()

    def go_back(self) -> bool:
        """Close the photo, then the estimate, where no filter is to be ended first."""
        if self.has_class("photo"):
            self.turn_photo()
            return True
        if super().go_back():
            return True
        if self.is_opened:
            self.close_estimate()
            return True
        return False

    def focus_main(self) -> None:
        """Give the focus to the items, or to the list."""
        (self.items if self.is_opened else self.kept).table.focus()


def heading_of(estimate: EstimateRecord) -> str:
    """Return which estimate it is and how it stands."""
    approved = f"approved {shown.when(estimate.approved_at)}" if estimate.approved_at else "not approved"
    return f"{shown.when(estimate.created_at)}  {shown.line(estimate.status)}, {approved}  {shown.line(estimate.id)}"
