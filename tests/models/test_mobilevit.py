"""What SMAT and MVT share, and what is special in each."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.models.layers.mobilevit import Mixed, MixedBlock, fold, unfold  # noqa: E402
from sightline.models.smat import SeparableAttention  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


@pytest.mark.parametrize("name,parameters", [pytest.param("smat", 3_767_409, id="smat"), pytest.param("mvt", 5_480_405, id="mvt")])
def test_the_networks_have_the_parameters_that_their_authors_construct(name: str, parameters: int) -> None:
    with torch.device("meta"):
        network = models.build(zoo.find(name))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_a_patch_is_two_by_two_neighbours_and_folds_back() -> None:
    maps = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    patches = unfold(maps)
    assert patches.shape == (2, 3, 4, 6)
    assert patches[0, 0, :, 1].tolist() == [2.0, 3.0, 8.0, 9.0]
    torch.testing.assert_close(fold(patches, 4, 6), maps)


def test_patches_are_given_search_first_and_each_crop_gets_its_own_back() -> None:
    class Marked(nn.Module):
        def forward(self, patches: Tensor) -> Tensor:
            assert patches.shape[3] == 16 + 4
            patches = patches.clone()
            patches[..., :16], patches[..., 16:] = 1.0, 2.0
            return patches

    block = MixedBlock(4, 6, Marked()).eval()
    nn.init.constant_(block.project.get_submodule("conv").get_parameter("weight"), 1.0)
    written = block(Mixed(search=torch.zeros(1, 4, 8, 8), template=torch.zeros(1, 4, 4, 4)))
    assert written.search.shape == (1, 4, 8, 8)
    assert written.template.shape == (1, 4, 4, 4)
    torch.testing.assert_close(written.template, 2 * written.search[..., :4, :4])


def test_a_template_changes_what_the_trunk_says_about_a_search_region() -> None:
    torch.manual_seed(0)
    network = stirred(models.build(zoo.find("smat")))
    search, template = torch.randn(1, 128, 64, 64), torch.randn(2, 128, 32, 32)
    one, other = (network.trunk.mix(Mixed(search, part[None]))[0].search for part in template)  # type: ignore[union-attr, operator]  # nn.Module's attributes
    assert (one - other).abs().max() > 1e-3


def test_patches_with_the_highest_query_decide_the_context() -> None:
    attention = SeparableAttention(2)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        split = attention.split.weight.view(5, 2)
        split[0, 0] = 100.0  # the query is the first channel
        split[1:3, 1] = 1.0  # both keys are the second
        attention.split.get_parameter("bias")[3:] = 1.0  # values let all through
        attention.out.weight.copy_(torch.eye(2).reshape(2, 2, 1, 1))
    x = torch.tensor([[0.0, 1.0, 0.0], [5.0, 7.0, 9.0]]).reshape(1, 2, 1, 3)
    torch.testing.assert_close(attention(x), torch.full((1, 2, 1, 3), 7.0))
