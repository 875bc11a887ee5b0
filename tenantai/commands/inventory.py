"""An inventory on a terminal: a table that grows while a model looks, and one of all that it came to."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tenantai.commands.terminal import console, one_line, say, show

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from tenantai.client.estimator import EstimatorEvent
    from tenantai.wire.estimator import (
        HoldersTold,
        HolderTold,
        ItemTold,
        PackPlanTold,
        PictureTold,
        ProgressTold,
        RangeTold,
        SummaryTold,
    )

NAME_CHARACTERS_MAX = 40
ROWS_MIN, AROUND_TABLE = 3, 6
MARKS = {"waiting": "…", "looking": "→", "done": "✓", "partial": "~", "failed": "✗"}


class Inventory:
    """What is seen so far, live on a terminal; elsewhere a line for each photo that is done."""

    def __init__(self, names: Sequence[str], *, unit: str) -> None:
        self._names = names
        self._unit = unit
        self._items: dict[str, ItemTold] = {}
        self._progress: ProgressTold | None = None
        self._told: set[int] = set()
        self._console = console()
        self._live: Any = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.live import Live  # noqa: PLC0415  a tenth of a second that `--help` need not pay

            self._live = Live(console=self._console, transient=True, get_renderable=self._shown)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def take(self, event: "EstimatorEvent") -> None:
        """Show an event."""
        from tenantai.client.estimator import ItemWithdrawn  # noqa: PLC0415  what a command works with is imported when it runs
        from tenantai.wire.estimator import ItemTold, ProgressTold  # noqa: PLC0415

        if isinstance(event, ItemTold):
            self._items[event.id] = event
        elif isinstance(event, ItemWithdrawn):
            self._items.pop(event.id, None)
        elif isinstance(event, ProgressTold):
            self._progress = event
            if self._live is None:
                self._tell(event)

    def _tell(self, progress: "ProgressTold") -> None:
        for image in progress.images:
            if image.status in {"done", "partial", "failed"} and image.image not in self._told:
                self._told.add(image.image)
                say(self._line(image))

    def _line(self, image: "PictureTold") -> str:
        name = one_line(self._names[image.image], characters_max=NAME_CHARACTERS_MAX)
        problem = f": {one_line(image.problem)}" if image.problem else ""
        count = sum(item.image == image.image for item in self._items.values())
        return f"{MARKS[image.status]} {name}: {count} item{'' if count == 1 else 's'}{problem}"

    def _shown(self) -> "RenderableType":
        from rich.console import Group  # noqa: PLC0415  as above

        lines = [self._line(image) for image in self._progress.images] if self._progress else []
        room = max(ROWS_MIN, self._console.height - len(lines) - AROUND_TABLE)
        items = list(self._items.values())
        earlier = [f"… {len(items) - room} more above"] if len(items) > room else []
        return Group(*lines, *earlier, _table(items[-room:], unit=self._unit))


def show_inventory(summary: "SummaryTold", *, unit: str) -> None:
    """Put an estimate on stdout: its items, what they come to, and what holds them."""
    to = console(on_stderr=False)
    for title, items in (("", summary.items), ("To be looked at", summary.needs_review), ("Left out", summary.excluded)):
        if items:
            show(title) if title else None
            to.print(_table(items, unit=unit))
    totals, is_metric = summary.totals, unit != "imperial"
    volume = totals.volume_m3 if is_metric else totals.volume_ft3
    weight = totals.weight_kg if is_metric else totals.weight_lb
    show(f"Volume: {_range(volume, digits=1)} {'m³' if is_metric else 'ft³'}")
    show(f"Weight: {_range(weight, digits=0)} {'kg' if is_metric else 'lb'}")
    boxes = ", ".join(f"{box.count} {box.name}" for box in summary.boxes).replace("_", " ")
    show(f"Boxes: {boxes or 'none'}")
    show(f"Materials: {', '.join(f'{m.amount:g} {m.unit} {m.name}' for m in summary.materials) or 'none'}")
    show(f"Storage unit: {_holders(summary.storage_unit, is_metric=is_metric)}")
    show(f"Truck: {_holders(summary.truck, is_metric=is_metric)}")
    if summary.pack_plan is not None:
        show(f"Packing: {_plan(summary.pack_plan)}")
    for note in summary.notes:
        show(one_line(note))


def _table(items: "Sequence[ItemTold]", *, unit: str) -> "Table":
    from rich.box import SIMPLE  # noqa: PLC0415  as above
    from rich.table import Table  # noqa: PLC0415

    metric = unit != "imperial"
    table = Table(box=SIMPLE)
    for name in ("id", "item", "room"):
        table.add_column(name, overflow="fold")
    for name in ("pieces", "m³" if metric else "ft³", "kg" if metric else "lb", "photos"):
        table.add_column(name, justify="right")
    for item in items:
        volume, weight = (item.volume_m3, item.weight_kg) if metric else (item.volume_ft3, item.weight_lb)
        named = one_line(f"{item.name}, {item.label}" if item.label else item.name, characters_max=NAME_CHARACTERS_MAX)
        photos = ", ".join(str(photo + 1) for photo in item.appears_in)
        table.add_row(
            item.id,
            named,
            one_line(item.room or ""),
            str(item.quantity),
            f"{volume.typical:.2f}" if metric else f"{volume.typical:.0f}",
            f"{weight:.0f}",
            photos,
        )
    return table


def _range(figure: "RangeTold", *, digits: int) -> str:
    return f"{figure.typical:.{digits}f} ({figure.low:.{digits}f} to {figure.high:.{digits}f})"


def _plan(plan: "PackPlanTold") -> str:
    unit = f"{plan.count} × {plan.unit}" if plan.count > 1 else plan.unit
    if plan.fits:
        return f"all {plan.pieces} pieces and boxes go into {unit}"
    left = one_line(", ".join(plan.left_over))
    return f"no way was found to get all into {unit} (left over: {left})" + (f"; {plan.fits_in} holds it" if plan.fits_in else "")


def _holders(holders: "HoldersTold", *, is_metric: bool) -> str:
    if holders.tight is None or holders.comfortable is None:
        return holders.reason or "none"
    tight, comfortable = (_holder(holder, is_metric=is_metric) for holder in (holders.tight, holders.comfortable))
    return f"{tight} (tight), {comfortable} (comfortable)"


def _holder(holder: "HolderTold", *, is_metric: bool) -> str:
    """Return what a holder is called, and its floor in metres, for its name is in feet."""
    name = f"{holder.count} × {holder.name}" if holder.count > 1 else holder.name
    return f"{name}, {holder.floor_m[0]:.1f} × {holder.floor_m[1]:.1f} m" if is_metric and holder.floor_m else name
