"""Small data sets on disk: image files without content where they are only listed, and clips of a moving square."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.cli.clips import make_folder


def touch_images(folder: Path, names: Iterable[str]) -> None:
    """Empty files: a data set lists its images and does not open them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def make_sequences(root: Path, names: Sequence[str], num_frames: int = 6) -> Path:
    """A `folder` data set of squares that move two pixels a frame; the truth is exact, in the last frame the target is absent."""
    for name in names:
        (root / name).mkdir(parents=True)
        make_folder(root / name / "img", num_frames)
        rows = [f"{20 + 2 * i},40,24,24" for i in range(num_frames - 1)]
        write(root / name / "groundtruth.txt", "\n".join([*rows, "NaN,NaN,NaN,NaN"]) + "\n")
    return root
