from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.scene import Scene, SceneFrame, render
from sightline.weights import find, init_path
from tests.quantize.made import filmed, rounded

KESTREL = find("kestrel-nano")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The built-in tracker as a file of a user's."""
    copy = tmp_path / "w.onnx"
    copy.write_bytes(KESTREL.read_bytes())
    init_path(copy).write_bytes(init_path(KESTREL).read_bytes())
    return copy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four sequences with boxes, as a user has them."""
    for seed in range(4):
        take = filmed(seed)
        (tmp_path / "sequences" / take.name / "img").mkdir(parents=True)
        shots = [shot() for shot in take.shots]
        for i, (frame, _) in enumerate(shots):
            cv2.imwrite(str(tmp_path / "sequences" / take.name / "img" / f"{i}.png"), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
        np.savetxt(tmp_path / "sequences" / take.name / "groundtruth.txt", [box for _, box in shots], delimiter=",")
    return tmp_path / "sequences"


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[SceneFrame]]:
    """A film of one target, as a folder of images."""
    shots = list(render(Scene(seed=5, num_frames=192, size=(320, 180), occlusion=0.0, distractors=0)))
    images = tmp_path_factory.mktemp("film")
    for i, shot in enumerate(shots):
        cv2.imwrite(str(images / f"{i:03}.jpg"), cv2.cvtColor(shot.frame.image, cv2.COLOR_RGB2BGR))
    return images, shots


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of a recipe: weights rounded to 8 bits, which changes boxes a little and takes no time."""
    monkeypatch.setattr("sightline.quantize.onnx.WAYS", {"plain": lambda model, *_: rounded(model, 127)})
