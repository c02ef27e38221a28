"""NanoTrack: what its three versions differ in, their files, and their export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.models.calls import example  # noqa: E402
from sightline.models.checkpoint import convert, fits, read_tensors  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.layers.siamese import planes  # noqa: E402
from sightline.models.nanotrack import NanoTrack  # noqa: E402
from sightline.weights import spec_in  # noqa: E402
from tests.conftest import need_shared  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])


def published(version: int) -> Path:
    return need_shared("weights", f"nanotrack_v{version}", f"nanotrackv{version}.pth")


def nano(version: int) -> NanoTrack:
    torch.manual_seed(0)
    network = stirred(models.build(zoo.find(f"nanotrack-v{version}"))).eval()
    assert isinstance(network, NanoTrack)
    return network


@VERSIONS
def test_the_tensors_of_a_published_file_tell_its_version(version: int, tmp_path: Path) -> None:
    [spec] = fits(read_tensors(published(version)))  # numpy scalars of its optimiser stay unread
    assert spec.name == f"nanotrack-v{version}"
    convert(published(version), None, tmp_path / "w.safetensors")
    assert spec_in(tmp_path / "w.safetensors") == spec


def test_the_last_version_sees_one_cell_less() -> None:
    points = [nano(version).head(torch.zeros(1, c, 8, 8), torch.zeros(1, c, 16, 16)) for version, c in ((1, 48), (2, 48), (3, 96))]
    assert [maps.logits.shape[-1] for maps in points] == [16, 16, 15]


def test_pixels_are_read_as_blue_green_red_without_a_norm() -> None:
    pixels = torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8)
    assert planes(pixels).flatten().tolist() == [3.0, 2.0, 1.0]


@VERSIONS
def test_every_version_exports_with_a_batch_of_any_size(version: int) -> None:
    spec, network = zoo.find(f"nanotrack-v{version}"), nano(version)
    made = graphs(network, spec)
    torch.manual_seed(1)
    given = example(spec, 3)
    given["prior"] = torch.tensor([[0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0.1, 0.3], [0.4, 0.5, 0.2, 0.1]])
    with torch.inference_mode():
        state = network.init(given["template"])
        expected = network.step(given["search"], state["kernel"], given["prior"])
    arrays = {name: value.numpy() for name, value in given.items()}
    init, step = (onnxruntime.InferenceSession(made[role].SerializeToString()) for role in ("init", "step"))
    [kernel] = init.run(["kernel"], {"template": arrays["template"]})
    box, score = step.run(["box", "score"], {"search": arrays["search"], "kernel": kernel, "prior": arrays["prior"]})
    np.testing.assert_allclose(box, expected["box"].numpy(), atol=1e-4)
    np.testing.assert_allclose(score, expected["score"].numpy(), atol=1e-4)
