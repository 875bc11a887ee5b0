"""An analysis under way: its pictures, what was seen in each, and what that has come to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tenantai.estimating.items import Estimate, Item
from tenantai.estimating.summing import summarise
from tenantai.providers.protocols import Usage
from tenantai.server.services.answering import added, usage_of
from tenantai.server.services.estimate_telling import summary_told
from tenantai.server.services.runs import Run
from tenantai.storage.estimates import KeptEstimate
from tenantai.wire.estimator import Analysed, PictureTold, ProgressTold, SummaryTold, Unit


@dataclass(slots=True)
class Looked:
    """What became of one picture so far."""

    status: str = "waiting"
    problem: str | None = None
    items: list[Item] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    usage: Usage | None = None


@dataclass(slots=True, kw_only=True)
class AnalysisTurn(Run):
    """An analysis under way and what it has come to."""

    kept: KeptEstimate
    pictures: Sequence[bytes]
    looked: list[Looked] = field(default_factory=list)
    estimate: Estimate | None = None
    status: str = "running"

    @property
    def id(self) -> str:
        """The estimate's id."""
        return self.kept.id

    @property
    def unit(self) -> Unit:
        """The unit that was asked for."""
        return "imperial" if self.kept.unit == "imperial" else "metric"

    @property
    def items(self) -> list[Item]:
        """All that was seen."""
        return [item for looked in self.looked for item in looked.items]

    @property
    def counted(self) -> Usage:
        """Tokens used so far, in all pictures."""
        total: Usage | None = None
        for looked in self.looked:
            total = total if looked.usage is None else added(total, looked.usage)
        return total or Usage(0, 0)

    def told(self) -> list[PictureTold]:
        """Return how it went with each picture."""
        return [
            PictureTold.model_validate(
                {"image": index, "status": looked.status, "items": len(looked.items), "problem": looked.problem}
            )
            for index, looked in enumerate(self.looked)
        ]

    def progress(self, stage: str = "looking") -> ProgressTold:
        """Return how far it is."""
        images = self.told()
        finished = sum(image.status in {"done", "partial", "failed"} for image in images)
        share = finished / len(images)
        return ProgressTold.model_validate(
            {
                "stage": stage,
                "percentage": round(100 * share, 1),
                "finished": finished,
                "total": len(images),
                "items": len(self.items),
                "images": images,
            }
        )

    def summary(self) -> SummaryTold:
        """Return what it came to."""
        estimate = self.estimate or summarise(())
        return summary_told(estimate, estimate_id=self.id, status=self.status, unit=self.unit, pictures=self.told())

    def whole(self) -> Analysed:
        """Return all of it at once."""
        return Analysed.model_validate({**dict(self.summary()), "model": self.kept.model, "usage": usage_of(self.counted)})
