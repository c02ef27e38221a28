"""What is measured: a tracker in one way of running it, and the frames that it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.engines import Opening
    from sightline.frame import Frame
    from sightline.tracker import Tracker

__all__ = ["Setting", "Subject", "rendered"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A tracker and how it is run. Its `words` tell it to a process of its own.

    Attributes:
        tracker: a name from the zoo, or the path of a weights file.
        engine: key of `sightline.engines.ENGINES`.
        precision: what is computed in.
        threads: of one call.
    """

    tracker: str
    engine: str
    precision: str = "f32"
    threads: int = 1

    @classmethod
    def of_words(cls, words: Sequence[str]) -> Subject:
        """The one that has these words."""
        tracker, engine, precision, threads = words
        return cls(tracker, engine, precision, int(threads))

    @property
    def words(self) -> list[str]:
        """All of it, for a command line."""
        return [self.tracker, self.engine, self.precision, str(self.threads)]

    @property
    def how(self) -> str:
        """All but the tracker, to be read."""
        return f"{self.engine} {self.precision}, {self.threads} thread{'s' * (self.threads > 1)}"

    def __str__(self) -> str:
        return f"{self.tracker} ({self.how})"

    @property
    def label(self) -> str:
        """What results are told apart by, see `Opening.label`."""
        from sightline.engines.opening import label_of  # late, as all here: `measure.start` counts what is imported as loading

        return label_of(self.engine, self.precision)

    @property
    def has_random_weights(self) -> bool:
        """Whether it is a name on torch, which cannot read the ONNX file under that name: its speed is the same."""
        from sightline.engines import IN_TORCH
        from sightline.zoo import SPECS

        return self.engine in IN_TORCH and self.tracker in SPECS

    def opening(self) -> Opening | None:
        """How its weights are opened; None where they are random.

        Raises:
            UnknownTracker, WeightsMissing, WeightsMismatch, EngineError: as `sightline.load`.
        """
        from sightline.engines import Opening
        from sightline.weights import find

        if self.has_random_weights:
            return None
        return Opening.of(find(self.tracker), engine=self.engine, precision=self.precision, threads=self.threads)  # type: ignore[arg-type]  # a user's word, which it checks

    def check(self) -> None:
        """Refuse an engine that does not compute in the precision, and an int8 form that nobody has made.

        Raises:
            EngineError, WeightsMissing, WeightsMismatch: what they say.
        """
        from sightline.engines.opening import check_precision

        opening = self.opening()
        if opening is None:
            check_precision(self.engine, self.precision)
        else:
            opening.check()

    def loaded(self) -> Tracker[Any]:
        """The tracker, in a process whose number of threads is set.

        Raises:
            UnknownTracker, WeightsMissing, WeightsMismatch, EngineError, MissingExtra: as `sightline.load`.
        """
        from sightline.tracker import opened, untrained

        opening = self.opening()
        return untrained(self.tracker, engine=self.engine) if opening is None else opened(opening.sharing_threads())

    def batch(self) -> int:
        """How many targets go through the network together where nobody says."""
        from sightline.engines import batch_for

        opening = self.opening()
        return batch_for(self.engine, None if opening is None else opening.path, self.threads)

    def megabytes(self) -> float | None:
        """Of its weights, in 10^6 bytes, both graphs of a tracker that reads its template apart; None for random ones."""
        opening = self.opening()
        return None if opening is None else sum(file.stat().st_size for file in opening.files()) / 1e6


@dataclass(frozen=True, slots=True)
class Setting:
    """A subject with so many targets.

    Attributes:
        subject: the tracker, and how it is opened.
        targets: in a frame.
        batch: how many of them go through the network together, at most.
        callers: threads that share them.
    """

    subject: Subject
    targets: int = 1
    batch: int = 1
    callers: int = 1

    def __str__(self) -> str:
        many = f", {self.targets} targets, batch {self.batch}" if self.targets > 1 else ""
        many += f", {self.callers} callers" if self.callers > 1 else ""
        return f"{self.subject.tracker} ({self.subject.how}{many})"


def rendered(size: tuple[int, int], num_frames: int) -> tuple[list[Frame], Box]:
    """Rendered frames of a size (width, height), and the box of the target in the first: nothing hides it, and nothing looks like it."""
    from sightline.scene import Scene, render

    shots = list(render(Scene(seed=3, num_frames=num_frames, size=size, occlusion=0.0, distractors=0)))
    return [shot.frame for shot in shots], shots[0].box
