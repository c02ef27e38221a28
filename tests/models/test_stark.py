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
from sightline.models.layers.detr import masked_sines  # noqa: E402
from sightline.models.stark import Features, Stark  # noqa: E402
from sightline.spec import Memory, Spec  # noqa: E402
from sightline.zoo.stark import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(depth=18, width=32, heads=2, hidden=64, encoder=1, decoder=1, score=True)


def made(arch: Arch = SMALL, **changes: Any) -> tuple[Stark, Spec]:
    torch.manual_seed(0)
    spec = replace(zoo.find("stark-st50"), arch=arch, **changes)
    network = stirred(models.build(spec))
    assert isinstance(network, Stark)
    return network, spec


def features(num: int, *, seed: int = 0) -> Features:
    generator = torch.Generator().manual_seed(seed)
    tokens, positions = torch.randn(2, 1, num, 32, generator=generator)
    return Features(tokens, positions, torch.zeros(1, num, dtype=torch.bool))


def test_what_lies_outside_the_frame_is_not_read() -> None:
    network, _ = made()
    template, search = features(16), features(36, seed=1)
    mask = template.mask.clone()
    mask[:, 5:9] = True
    other = template.tokens.clone()
    other[:, 5:9] += 100.0
    with torch.inference_mode():
        hidden = [network.look(Features(tokens, template.positions, mask), search).box for tokens in (template.tokens, other)]
        shown = network.look(template, search).box
    assert torch.equal(*hidden)
    assert not torch.allclose(hidden[0], shown, atol=1e-5)


def test_positions_count_what_is_inside_the_frame() -> None:
    mask = torch.zeros(1, 4, 6, dtype=torch.bool)
    mask[:, :, :2] = True
    whole, cut = masked_sines(torch.zeros(1, 4, 4, dtype=torch.bool), 8), masked_sines(mask, 8)
    np.testing.assert_allclose(cut.reshape(4, 6, 8)[:, 2:], whole.reshape(4, 4, 8), atol=1e-6)
    assert torch.equal(cut.reshape(4, 6, 8)[:, 0, 4:], cut.reshape(4, 6, 8)[:, 1, 4:])  # columns that do not count


@pytest.mark.parametrize(
    "head,every",
    [
        pytest.param("corner", (10, 20, 30), id="four templates"),
        pytest.param("perceptron", (), id="one template, perceptron"),
    ],
)
def test_any_number_of_templates_exports(head: Any, every: tuple[int, ...]) -> None:
    network, spec = made(replace(SMALL, head=head), memory=Memory(every=every))
    graph = graphs(network, spec)["step"]
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    given = example(spec, 2)
    with torch.inference_mode():
        states = [
            network.init(torch.randint(0, 256, given["template"].shape, dtype=torch.uint8), given["template_padding"])
            for _ in range(1 + len(every))
        ]
        state = states[0] if not every else {name: torch.stack([state[name] for state in states], dim=1) for name in states[0]}
        arrays = {"search": given["search"], "search_padding": given["search_padding"], **state}
        expected = network.step(**arrays)
        first = {"search": given["search"], "search_padding": given["search_padding"], **states[0]}
        if every:
            assert not torch.allclose(network.step(**first)["box"], expected["box"], atol=1e-6)
    names = [entry.name for entry in session.get_outputs()]
    said = dict(zip(names, session.run(names, {name: value.numpy() for name, value in arrays.items()}), strict=True))
    assert said.keys() == {"box", "score"}
    for name, value in said.items():
        np.testing.assert_allclose(value, expected[name].numpy(), atol=1e-4, err_msg=name)


def test_norms_of_the_backbone_are_not_trained() -> None:
    trained = {name for name, _ in models.build(zoo.find("stark-s50")).named_parameters()}
    assert not any("bn" in name or "downsample.1" in name for name in trained)
    assert "backbone.layer1.0.conv1.weight" in trained
