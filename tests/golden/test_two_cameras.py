"""A data set of two cameras, evaluated as a whole, has the numbers of the RGB-T toolkit without being asked for its rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.evaluate.clips import open_dataset
from sightline.evaluate.imported import import_boxes
from sightline.evaluate.layouts import LAYOUTS
from sightline.evaluate.protocols import ONE_PASS
from sightline.evaluate.results import make_folder
from sightline.evaluate.score import score
from tests.evaluate.folders import touch_images, write


def lines(rows: np.ndarray, name: str) -> str:
    """Rows as the data set writes them."""
    if name == "gtot":
        rows = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], axis=1)
    return "".join((" " if name == "gtot" else ",").join(repr(value) for value in row) + "\n" for row in rows.tolist())


def make_sequence(root: Path, name: str, clip: str, tracks: dict[str, np.ndarray]) -> str:
    """The recorded sequence `clip` as one of the data set's; its name there."""
    layout, truth = LAYOUTS[name], tracks[f"{clip}/gt_zero" if name == "lasher" else f"{clip}/gt"]
    here = layout.names[sorted({key.partition("/")[0] for key in tracks}).index(clip)]
    for folder in (layout.images, layout.extra):
        touch_images(root / folder.format(name=here), [f"{i:04d}.png" for i in range(len(truth))])
    write(root / layout.truth.format(name=here), lines(truth, name))
    if layout.extra_truth:
        write(root / layout.extra_truth.format(name=here), lines(tracks[f"{clip}/gt_infrared"], name))
    return here


@pytest.mark.parametrize("name, keys", [("rgbt234", ("mpr", "msr")), ("gtot", ("mpr", "msr")), ("lasher", ("pr", "sr", "npr"))])
def test_eval_prints_what_the_rgbt_toolkit_printed(name: str, keys: tuple[str, ...], shared: Path, tmp_path: Path) -> None:
    source = shared / "golden" / "metrics"
    with np.load(source / "trajectories.npz") as archive:
        tracks = {key: archive[key] for key in archive.files if "/" in key}
        clips, trackers = archive["sequences"].tolist(), archive["trackers"].tolist()
    with np.load(source / f"rgbt-{name}" / "outputs.npz") as archive:
        expected = {key: float(archive[key]) for key in archive.files if archive[key].ndim == 0}
    names = {clip: make_sequence(tmp_path / "data", name, clip, tracks) for clip in clips}
    np.savez(
        tmp_path / "boxes.npz", **{f"{tracker}/{names[clip]}": tracks[f"{clip}/{tracker}/boxes"] for tracker in trackers for clip in clips}
    )
    dataset = open_dataset(name, tmp_path / "data")
    for tracker in trackers:
        folder = make_folder(tmp_path / "results", dataset, tracker)
        maker = import_boxes(tmp_path / "boxes.npz", dataset, folder, tracker=tracker, stamp=ONE_PASS.stamp)
        means = score(dataset, folder, maker=maker, partial_means=True).means
        ours = {
            "mpr": means["precision"],
            "pr": means["precision"],
            "msr": means["auc"],
            "sr": means["auc"],
            "npr": means["norm_precision"],
        }
        assert [ours[key] for key in keys] == pytest.approx([expected[f"{tracker}/{key}"] for key in keys], rel=1e-5)
