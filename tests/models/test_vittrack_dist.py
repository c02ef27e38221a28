"""VitTrack-nano: what goes in, what the head sees, what distillation leaves behind."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.errors import WeightsMismatch  # noqa: E402
from sightline.models.checkpoint import fill, state_for_authors  # noqa: E402
from sightline.models.layers.decode import decode_center, normalize  # noqa: E402
from sightline.models.layers.onestream import OneStream  # noqa: E402
from tests.models.roles import for_step  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

NANO = zoo.find("vittrack-nano")


def nano(seed: int = 0) -> OneStream:
    torch.manual_seed(seed)
    network = stirred(models.build(NANO), seed)
    assert isinstance(network, OneStream)
    return network


def test_template_tokens_come_first_and_the_head_sees_search_tokens_only() -> None:
    network = nano()
    tokens = torch.randn(1, 320, 48, generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[:, :64] += 1.0
    with torch.inference_mode():
        assert torch.equal(network.look(tokens).score, network.look(changed).score)
        embedded = network.embed(torch.zeros(1, 3, 128, 128), torch.zeros(1, 3, 256, 256))
        torch.testing.assert_close(embedded[:, :64], network.stem(torch.zeros(1, 3, 128, 128)) + network.template_positions)


def test_a_step_reads_the_box_where_score_times_window_is_largest() -> None:
    network = nano()
    generator = torch.Generator().manual_seed(2)
    template, search = (torch.randint(0, 256, (1, side, side, 3), generator=generator, dtype=torch.uint8) for side in (128, 256))
    with torch.inference_mode():
        said = network.step(**for_step(network, {"template": template, "search": search}))
        maps = network.look(network.encode(network.embed(normalize(template), normalize(search))))
    box, score = decode_center(maps, network.window)
    torch.testing.assert_close(said["box"], box)
    torch.testing.assert_close(said["score"], score)
    assert score.item() == maps.score.max().item()  # without the window


def test_a_checkpoint_of_distillation_loads_without_what_only_the_teacher_needed() -> None:
    network, again = nano(), nano(seed=1)
    tensors = state_for_authors(network, NANO) | {"convs.0.weight": torch.zeros(768, 48, 1), "extblocks.0.norm1.weight": torch.zeros(48)}
    fill(again, tensors, NANO)
    assert torch.equal(again.template_positions, network.template_positions)


def test_a_tensor_that_nobody_knows_is_refused_by_name() -> None:
    tensors = state_for_authors(nano(), NANO) | {"surprise.weight": torch.zeros(1)}
    with pytest.raises(WeightsMismatch, match=r"1 unknown \(surprise\.weight"):
        fill(nano(), tensors, NANO)
