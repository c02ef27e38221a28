from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.models.aqatrack import AQATrack  # noqa: E402
from sightline.models.layers.detr import Reader  # noqa: E402
from sightline.zoo.aqatrack import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(template_grid=2, search_grid=4, width=64, heads=2, depths=(1, 1, 1), decoder=2, hidden=32, history=3, head_width=32)


def made() -> AQATrack:
    torch.manual_seed(0)
    network = stirred(models.build(replace(zoo.find("aqatrack-256"), arch=SMALL)))
    assert isinstance(network, AQATrack)
    return network


def pixels(size: int, seed: int) -> Tensor:
    made: Tensor = torch.randint(0, 256, (1, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return made


def test_the_query_reads_only_frames_that_there_have_been() -> None:
    network = made()
    tokens, history = torch.randn(1, 20, 64), torch.randn(1, 3, 64)
    with torch.inference_mode():
        for known in range(4):
            found = network.query(tokens, history, torch.tensor([float(known)]))
            for place in range(3):
                other = history.clone()
                other[:, place] += 1.0
                is_read = not torch.equal(found, network.query(tokens, other, torch.tensor([float(known)])))
                assert is_read == (place >= 3 - max(known, 1)), (known, place)


def test_in_the_first_frame_the_query_reads_a_zero_and_later_none() -> None:
    network = made()
    with torch.inference_mode():
        state = network.init(pixels(32, 0))
        assert not state["next.history"].any()
        known, found = [], []
        tokens, history, count = state["tokens"], state["next.history"], state["next.known"]
        for i in range(5):
            said = network.step(pixels(64, i + 1), tokens, history, count)
            history, count = said["next.history"], said["next.known"]
            known.append(count.item())
            found.append(history[0, -1])
    assert known == [1, 2, 3, 3, 3]
    assert torch.equal(history[0], torch.stack(found[-3:]))


def test_one_vector_at_every_key_changes_nothing_so_the_published_one_is_not_needed() -> None:
    network = made()
    layer = network.decoder[0]
    assert isinstance(layer, Reader)
    found, tokens, nowhere, vector = torch.randn(1, 1, 64), torch.randn(1, 20, 64), torch.zeros(1, 1, 64), torch.randn(1, 1, 64)
    with torch.inference_mode():
        assert torch.allclose(layer(found, nowhere, tokens, vector), layer(found, nowhere, tokens, nowhere), atol=1e-5)


def test_a_cell_sees_only_its_own_pixels_before_the_transformer() -> None:
    backbone = made().backbone
    picture = torch.randn(1, 3, 64, 64)
    other = picture.clone()
    other[:, :, 16:32, 32:48] += 1.0  # row 1, column 2
    with torch.inference_mode():
        first, second = (backbone.embed(given, backbone.search_positions) for given in (picture, other))
    assert torch.nonzero((first != second).any(dim=2)[0]).flatten().tolist() == [6]
