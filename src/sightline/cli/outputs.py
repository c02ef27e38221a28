"""The files that `track` writes: all of them whole, or none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.cli.results import ResultsFile, Row
from sightline.cli.worker import Worker
from sightline.draw import VideoWriter, draw, draw_all, label_of
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.frame import Image
    from sightline.loop import Steps

__all__ = ["CannotWrite", "Outputs"]

BEHIND = 4  # frames that wait to be drawn and written, while later ones are tracked


class CannotWrite(SightlineError):
    """A file cannot be written: nothing of it, or of the others, is left."""


class Outputs:
    """A video with the boxes drawn, a file of results, both, or neither.

    Files are begun with the first frame, so that what is wrong with the input leaves none, and stand under their names
    after `close`. Where one cannot be written all are taken away. Frames are drawn and encoded in a thread of their own, up to
    BEHIND of them later.

    Args:
        video: file with the boxes drawn, or None.
        results: file with a row for each frame and target, or None.
        fps: of the video, where frames have no time.
        numbers: of the targets by their names, which rows and boxes then tell; None where there is one target, in every frame, without a name.
    """

    def __init__(self, *, video: Path | None, results: Path | None, fps: float, numbers: Mapping[Any, int] | None = None) -> None:
        self._paths = {"video": video, "results": results}
        self._fps = fps
        self._numbers = numbers
        self._results: ResultsFile | None = None
        self._video: VideoWriter | None = None
        self._worker: Worker[Steps[Any]] | None = None

    def write(self, step: Steps[Any]) -> None:
        """Append one frame; it is in the files after `close`.

        Raises:
            CannotWrite: a folder cannot be made, or a file not written: with this frame, or with one of the last before it.
        """
        if self._worker is None:
            self._worker = self._begin()
        self._worker.put(step)

    def close(self) -> None:
        """Finish the files with every frame in them, and only then put them in their places; nothing to do where none was begun.

        Raises:
            CannotWrite: the rest of a file finds no room.
        """
        try:
            if self._worker is not None:
                self._worker.close()
        finally:
            self._finish()

    def _append(self, step: Steps[Any]) -> None:
        """What the thread does."""
        frame = step.frame
        if self._results is not None:
            with self._writing("results"):
                for target, estimate in step.estimates.items():
                    told = () if self._numbers is None else (target, self._numbers[target])
                    self._results.write(Row(frame.index, frame.time, estimate.box, estimate.score, estimate.status, *told))
        if self._video is not None:
            picture = self._drawn(step)
            with self._writing("video"):
                self._video.write(picture, frame.time)

    def _drawn(self, step: Steps[Any]) -> Image:
        if self._numbers is not None:
            return draw_all(step.frame.image, step.estimates)
        [estimate] = step.estimates.values()
        return draw(step.frame.image, estimate.box, label=label_of(estimate), status=estimate.status, mask=estimate.mask)

    def _finish(self) -> None:
        if self._results is not None:
            with self._writing("results"):
                self._results.finish()
        if self._video is not None:
            with self._writing("video"):
                self._video.close()
        if self._results is not None:
            with self._writing("results"):
                self._results.commit()

    def _begin(self) -> Worker[Steps[Any]]:
        for kind, path in self._paths.items():
            if path is not None:
                with self._writing(kind):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    if kind == "results":
                        self._results = ResultsFile(path, several=self._numbers is not None)
                    else:
                        self._video = VideoWriter(path, self._fps)
        return Worker(self._append, waiting=BEHIND, name="sightline writes")

    @contextlib.contextmanager
    def _writing(self, kind: str) -> Iterator[None]:
        """Turn what the disk refuses into one line, and leave nothing behind."""
        try:
            yield
        except OSError as error:
            for file in (self._results, self._video):
                if file is not None:
                    file.abort()
            self._results = self._video = None
            if isinstance(error, SightlineError):
                raise CannotWrite(str(error)) from error
            raise CannotWrite(
                f"cannot write {self._paths[kind]} ({error.strerror or error}); nothing of it was left. Make room, or choose another place."
            ) from error
