"""The command on a real sequence with one tracker of every family, at full size."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from sightline import zoo
from sightline.cli import main

pytest.importorskip("torch")

PUBLISHED = {  # weights that could be fetched, in place of a network: file below the shared weights
    "dcfnet": "dcfnet/param.pth",
    "nanotrack-v1": "nanotrack_v1/nanotrackv1.pth",
    "vittrack-nano": "vittrack/object_tracking_vittrack_2023sep.onnx",
}
NUM_FRAMES = 4


def one_of_each() -> list[str]:
    """The first tracker of every family, and the first of it that looks at two pictures."""
    names = []
    for family in zoo.FAMILIES.values():
        names.append(family.SPECS[0].name)
        names += [spec.name for spec in family.SPECS if "extra" in spec.feed][:1]
    return list(dict.fromkeys(names))


@pytest.mark.golden
@pytest.mark.parametrize("name", one_of_each())
def test_a_real_sequence_is_followed_to_its_end(
    name: str, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    if name in PUBLISHED:
        from sightline.models.checkpoint import convert

        convert(shared / "weights" / PUBLISHED[name], name, tmp_path / "cache" / f"{name}.safetensors")
    (tmp_path / "img").mkdir()
    for path in sorted((shared / "data" / "eval" / "boat1" / "img").iterdir())[:NUM_FRAMES]:
        shutil.copy(path, tmp_path / "img")
    first = (shared / "data" / "eval" / "boat1" / "groundtruth.txt").read_text().splitlines()[0]
    infrared = ["--infrared", str(tmp_path / "img")] if "extra" in zoo.find(name).feed else []
    results = tmp_path / "track.csv"
    assert main(["track", str(tmp_path / "img"), "--box", first, "--tracker", name, "--results", str(results), *infrared]) == 0
    boxes = np.array([[float(cell) for cell in row.split(",")[2:6]] for row in results.read_text().splitlines()[1:]])
    assert boxes.shape == (NUM_FRAMES, 4)
    assert np.isfinite(boxes).all()
    is_random = name not in PUBLISHED and name != "kestrel-nano"
    assert ("RANDOM" in capsys.readouterr().err) == is_random
