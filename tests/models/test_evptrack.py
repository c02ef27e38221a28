from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.models.evptrack import EVPTrack  # noqa: E402
from sightline.zoo.evptrack import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(template_grid=7, search_grid=4, width=64, heads=2, depths=(1, 1, 1), head_width=32)


def made() -> EVPTrack:
    torch.manual_seed(0)
    network = stirred(models.build(replace(zoo.find("evptrack-224"), arch=SMALL)))
    assert isinstance(network, EVPTrack)
    return network


def pixels(size: int, seed: int) -> Tensor:
    made: Tensor = torch.randint(0, 256, (1, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return made


@pytest.mark.parametrize(
    "size,num,num_memory",
    [pytest.param(112, 12, 9, id="4 + 4 + 4"), pytest.param(192, 9 + 16 + 16, 36, id="9 + 16 + 16")],
)
def test_prompts_are_as_many_as_whole_cells_of_whole_cells(size: int, num: int, num_memory: int) -> None:
    network = made()
    with torch.inference_mode():
        assert network.prompt_scales(torch.randn(2, 3, size, size)).shape == (2, num, 64)
        assert network.prompt_memory(torch.randn(2, (size // 16) ** 2, 64)).shape == (2, num_memory, 64)


def test_the_template_is_the_first_memory_and_each_frame_leaves_another() -> None:
    network = made()
    with torch.inference_mode():
        state = network.init(pixels(112, 0))
        assert torch.equal(state["tokens"], state["next.memory"])
        memory, seen = state["next.memory"], []
        for _ in range(3):
            said = network.step(pixels(64, 1), state["scales"], state["tokens"], memory)
            memory = said["next.memory"]
            seen.append((memory, said["score"]))
    for (earlier, score), (later, next_score) in pairwise(seen):
        assert not torch.allclose(earlier, later, atol=1e-5)
        assert not torch.equal(score, next_score)


def test_a_frame_is_searched_with_the_memory_of_the_frames_before_it() -> None:
    network = made()
    search, other = torch.randn(2, 1, 16, 64)
    scales, template, memory = torch.randn(1, 12, 64), torch.randn(1, 49, 64), torch.randn(1, 49, 64)
    with torch.inference_mode():
        first, second = (network.look(scales, template, given, memory) for given in (search, other))
    assert torch.equal(first.prompts, second.prompts)
    assert not torch.allclose(first.memory, second.memory, atol=1e-5)
