from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline.models.layers.cvt import MixedCvT  # noqa: E402  # after the check for torch
from tests.models.stir import stirred  # noqa: E402


def made() -> MixedCvT:
    network = stirred(MixedCvT((8, 16), (1, 2), (1, 2))).eval()
    assert isinstance(network, MixedCvT)
    return network


def test_templates_read_one_another_and_the_search_reads_both() -> None:
    network, templates, search = made(), torch.randn(2, 3, 32, 32), torch.randn(1, 3, 64, 64)
    other = templates.clone()
    other[1] += torch.randn(3, 32, 32)
    with torch.inference_mode():
        read = [network(maps, 2) for maps in (templates, other)]
        found = [network(search, memory=of.memory).stages[-1] for of in read]
    assert read[0].stages[-1].shape == (2, 16, 4, 4)
    assert not torch.allclose(read[0].stages[-1][0], read[1].stages[-1][0], atol=1e-4)
    assert not torch.allclose(*found, atol=1e-4)


def test_targets_of_one_batch_do_not_read_one_another() -> None:
    network, templates, search = made(), torch.randn(2, 2, 3, 32, 32), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        both = network(search, memory=network(templates.flatten(0, 1), 2).memory).stages[-1]
        for i in range(2):
            alone = network(search[i : i + 1], memory=network(templates[i], 2).memory).stages[-1]
            torch.testing.assert_close(both[i : i + 1], alone)


def test_an_empty_place_is_as_good_as_no_place() -> None:
    network, two, search = made(), torch.randn(2, 3, 32, 32), torch.randn(1, 3, 64, 64)
    three, filled = torch.cat([two, torch.randn(1, 3, 32, 32)]), torch.tensor([[True, True, False]])
    with torch.inference_mode():
        expected, read = network(two, 2), network(three, 3, filled=filled)
        torch.testing.assert_close(read.stages[-1][:2], expected.stages[-1])
        found = network(search, memory=read.memory, filled=filled).stages[-1]
        torch.testing.assert_close(found, network(search, memory=expected.memory).stages[-1])
        assert not torch.allclose(found, network(search, memory=network(three, 3).memory).stages[-1], atol=1e-4)
