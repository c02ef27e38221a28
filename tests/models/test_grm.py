from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.models.calls import example  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.grm import GRM, Look, allowed, build, masked_weights, shows_target  # noqa: E402
from sightline.zoo.grm import Arch  # noqa: E402
from tests.models.roles import for_step  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(template_grid=4, search_grid=6, depth=3, width=32, heads=2, head_width=16)


def made(arch: Arch) -> GRM:
    torch.manual_seed(0)
    network = stirred(build(arch)).eval()
    assert isinstance(network, GRM)
    return network


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is Any here
def look(arch: Arch, corners: Any = None) -> Look:
    generator = torch.Generator().manual_seed(1)
    template, search = (torch.randn(2, 3, 16 * grid, 16 * grid, generator=generator) for grid in (arch.template_grid, arch.search_grid))
    return made(arch).look(template, search, corners)


def test_who_may_read_whom() -> None:
    mask = allowed(torch.tensor([[False, True, False]]), 2)[0]
    assert mask.tolist() == [
        [1, 1, 0, 1, 0],  # template
        [1, 1, 0, 1, 0],
        [0, 0, 1, 1, 1],  # apart
        [1, 1, 1, 1, 1],  # mixes
        [0, 0, 1, 1, 1],
    ]


def test_forbidden_keys_keep_a_tiny_weight_and_the_rest_is_a_softmax() -> None:
    torch.manual_seed(0)
    queries, keys = torch.randn(1, 1, 3, 8), torch.randn(1, 1, 3, 8)
    mask = torch.tensor([[[1.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]]])
    weights = masked_weights(queries, keys, mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 1, 3))
    logits = (queries @ keys.transpose(2, 3)) / 8**0.5
    torch.testing.assert_close(weights, logits.masked_fill(mask == 0, -torch.inf).softmax(-1), atol=1e-5, rtol=0)
    assert 0 < weights[0, 0, 0, 1] < 1e-5


def test_every_token_apart_leaves_the_search_blind_to_the_template_after_the_first_block() -> None:
    blind, mixed = look(replace(SMALL, apart_from=0.0)), look(replace(SMALL, apart_from=1.1))
    torch.testing.assert_close(blind.stages[0], mixed.stages[0])
    assert (blind.features - mixed.features).abs().max() > 1e-2


def test_the_threshold_decides_who_keeps_apart() -> None:
    share = look(SMALL).apart[0]
    between = float(share.median())
    fewer, more = (look(replace(SMALL, apart_from=between + step)).stages[1] for step in (1e-3, -1e-3))
    assert not torch.equal(fewer, more)


def test_tokens_that_show_the_target() -> None:
    assert shows_target(torch.tensor([[0.25, 0.0, 0.5, 0.9]]), 4).reshape(4, 4).int().tolist() == [[0, 1, 1, 0]] * 4
    assert not shows_target(torch.tensor([[1.2, 0.1, 1.4, 0.2]]), 4).any()


@pytest.mark.parametrize("summary", ["mean", "target-max", "target-mean"])
def test_the_summary_of_the_template_makes_a_difference(summary: Any) -> None:
    corners = torch.tensor([[0.3, 0.3, 0.5, 0.6]]).repeat(2, 1) if summary.startswith("target") else None
    usual, other = look(SMALL), look(replace(SMALL, summary=summary), corners)
    assert (usual.apart[0] - other.apart[0]).abs().max() > 1e-4


def test_a_summary_of_the_target_exports_for_any_batch() -> None:
    arch = replace(SMALL, depth=2, template_grid=8, search_grid=16, summary="target-max")
    spec = replace(zoo.find("grm-b256"), arch=arch, feed=("target",))
    network = stirred(models.build(spec))
    session = onnxruntime.InferenceSession(graphs(network, spec)["step"].SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        given = example(spec, batch)
        given["target"] = torch.rand(batch, 4) * 0.5 + 0.25
        given = for_step(network, given)
        with torch.inference_mode():
            expected = network.step(**given)  # type: ignore[operator]  # nn.Module's attributes are tensors or modules to mypy
        said = session.run(["box", "score"], {name: value.numpy() for name, value in given.items()})
        for ours, name in zip(said, ("box", "score"), strict=True):
            np.testing.assert_allclose(ours, expected[name].numpy(), atol=1e-4)
