"""What a benchmark found, as values, and as the JSON that they are written in; `tables` makes markdown of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

from sightline.measure.ceiling import Ceiling
from sightline.measure.layers import Profile
from sightline.measure.race import Times
from sightline.measure.soak import Window
from sightline.measure.start import Start
from sightline.measure.subject import Setting
from sightline.measure.videos import Rates
from sightline.zoo.measured import Measured

__all__ = ["Named", "PerTarget", "Report", "Row"]

F = TypeVar("F", "PerTarget", Profile, Rates, Start)


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one candidate of the race.

    Attributes:
        times: of the race.
        spec: name of the tracker.
        setting: how it ran; None for OpenCV's, which have one target and one thread.
        size: of the network; None where nobody has counted.
        file_mb: of its weights, in 10^6 bytes; None where they are random, or OpenCV's.
        share_of_ceiling: of the machine's best rate that the network reaches; None where one of the two is not known.
        auc: success AUC of the same tracker in the same precision, where `sightline eval` has told.
    """

    times: Times
    spec: str
    setting: Setting | None
    size: Measured | None
    file_mb: float | None
    share_of_ceiling: float | None
    auc: float | None

    @property
    def tracker(self) -> str:
        """As the user has named it."""
        return self.setting.subject.tracker if self.setting else self.spec

    @property
    def targets(self) -> int:
        """In a frame."""
        return self.setting.targets if self.setting else 1

    @property
    def parameters(self) -> int | None:
        """Numbers that were learned."""
        return self.size.parameters if self.size else None

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one frame."""
        return self.size.macs if self.size else None

    def to_json(self) -> dict[str, Any]:
        """As `Report.to_json` has it: one object, with engine, precision, batch and callers where the row has them."""
        told = asdict(self.times) | {"tracker": self.tracker, "threads": 1, "targets": self.targets}
        if self.setting:
            told |= asdict(self.setting.subject) | {"batch": self.setting.batch, "callers": self.setting.callers}
        told |= {"parameters": self.parameters, "macs": self.macs, "share_of_ceiling": self.share_of_ceiling}
        return told | {"file_mb": self.file_mb, "auc": self.auc, "spec": self.spec}


@dataclass(frozen=True, slots=True)
class PerTarget:
    """What each of several targets costs.

    Attributes:
        targets: how many there are.
        per_target: milliseconds of an update.
        to_network: time of the update over that of its network's calls; None where calls at the same time have no one duration.
        kilobytes: of memory.
    """

    targets: int
    per_target: float
    to_network: float | None
    kilobytes: float


@dataclass(frozen=True, slots=True)
class Named(Generic[F]):
    """What was found of something that has the name of its row."""

    name: str
    found: F

    def to_json(self) -> dict[str, Any]:
        """One object."""
        return {"name": self.name, **asdict(self.found)}


@dataclass(slots=True)
class Report:
    """All that was found; its lists grow as something is.

    Attributes:
        machine: as `sightline doctor` tells it.
        versions: of packages; None for those that are not there.
        frame: size, as in 1280x720.
        ceilings: of this machine, one for each number of threads.
        rows: of the race.
        targets: of rows with several.
        videos: several at the same time.
        start: fresh processes.
        layers: where the time of networks goes.
        soak: stretches of it.
        stopped: what ended it early; None where nothing did.
    """

    machine: Mapping[str, str | int]
    versions: Mapping[str, str | None]
    frame: str
    ceilings: list[Ceiling] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    targets: list[Named[PerTarget]] = field(default_factory=list)
    videos: list[Named[Rates]] = field(default_factory=list)
    start: list[Named[Start]] = field(default_factory=list)
    layers: list[Named[Profile]] = field(default_factory=list)
    soak: list[Window] = field(default_factory=list)
    stopped: str | None = None

    def ceiling(self, threads: int | None) -> Ceiling:
        """That of a number of threads that was measured."""
        return next(found for found in self.ceilings if found.threads == threads)

    def to_json(self) -> dict[str, Any]:
        """What `sightline bench --json` prints."""
        return {
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "frame": self.frame,
            "ceilings": [asdict(found) for found in self.ceilings],
            "rows": [row.to_json() for row in self.rows],
            "targets": [entry.to_json() for entry in self.targets],
            "videos": [entry.to_json() for entry in self.videos],
            "start": [entry.to_json() for entry in self.start],
            "layers": [entry.to_json() for entry in self.layers],
            "soak": [asdict(window) for window in self.soak],
            "stopped": self.stopped,
        }
