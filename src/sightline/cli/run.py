"""Objects followed from the first frame to the last, into files."""

from __future__ import annotations

import collections
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.cli.interrupt import Interrupts
from sightline.cli.outputs import CannotWrite, Outputs
from sightline.cli.progress import progress_bar
from sightline.errors import SightlineError
from sightline.loop import Steps, follow_all

if TYPE_CHECKING:
    from sightline.frame import Frame
    from sightline.mark import Mark, Name
    from sightline.tracker import Tracker

__all__ = ["Run", "run"]


@dataclass(slots=True)
class Run:
    """How far it came, and how fast.

    Attributes:
        num_frames: frames that have estimates, the first one included.
        statuses: how often targets had each status.
        seconds: of everything: reading, tracking, drawing, writing.
        update_seconds: of the tracker alone, for all targets, without the first frame.
        error: why the frames ended early; None where they did not.
        interrupted: Ctrl-C ended it.
        sizes: width and height of the frames, with the first frame of each.
    """

    num_frames: int = 0
    statuses: collections.Counter[str] = field(default_factory=collections.Counter)
    seconds: float = 0.0
    update_seconds: float = 0.0
    error: SightlineError | None = None
    interrupted: bool = False
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, step: Steps[Name]) -> None:
        """Count one frame."""
        if self.num_frames:
            self.update_seconds += step.seconds
        self.num_frames += 1
        self.sizes.setdefault(step.frame.size, step.frame.index)
        self.statuses.update(estimate.status for estimate in step.estimates.values())

    def figures(self) -> dict[str, Any]:
        """For the summary: frames, seconds, speeds (None where they mean nothing), how often targets had each status, what stopped it."""
        updates = self.num_frames - 1
        return {
            "frames": self.num_frames,
            "seconds": round(self.seconds, 3),
            "fps": round(self.num_frames / self.seconds, 2) if self.seconds else None,
            "tracker_fps": round(updates / self.update_seconds, 2) if self.update_seconds else None,
            **{status: self.statuses[status] for status in ("tracked", "uncertain", "lost")},
            "stopped": "interrupted" if self.interrupted else None if self.error is None else str(self.error),
        }


def run(
    frames: Iterable[Frame], outputs: Outputs, *, marks: Sequence[Mark[Name]], tracker: Tracker[Any], total: int | None, callers: int = 1
) -> Run:
    """Follow the targets and write every frame; an interrupt, and frames that break off, end it in good order.

    Raises:
        SightlineError: nothing was tracked at all, or a file cannot be written; no file is left.
    """
    done = Run()
    began = time.perf_counter()
    with Interrupts() as interrupts, progress_bar() as bar:
        task = bar.add_task("tracking", total=total)
        try:
            for step in follow_all(frames, boxes=marks, tracker=tracker, callers=callers):
                with interrupts.held():
                    outputs.write(step)
                    done.add(step)
                bar.advance(task)
        except CannotWrite:
            raise
        except SightlineError as error:
            if not done.num_frames:
                raise
            done.error = error
        except KeyboardInterrupt:
            if not done.num_frames:
                raise
            done.interrupted = True
        finally:
            with interrupts.held():
                outputs.close()
    done.seconds = time.perf_counter() - began
    return done
