"""The parts of masked pre-training: what is hidden, what leaks, what a drawing costs."""

from __future__ import annotations

from typing import Literal

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the check for torch

from sightline.models.layers.conv import Stem, StemKind  # noqa: E402
from sightline.models.layers.vit import PlainBlock  # noqa: E402
from sightline.train.pretrain.dropout import dropped_entries, through_dropped  # noqa: E402
from sightline.train.pretrain.masks import (  # noqa: E402
    Mask,
    normalised_patches,
    patches_of,
    pixels_of,
    reconstruction_loss,
    visible_tokens,
)
from sightline.train.pretrain.network import Arch, Autoencoder  # noqa: E402
from sightline.train.pretrain.stems import sealed  # noqa: E402

SMALL = Arch(depth=1, width=16, heads=2, sides=(4, 4), decoder_depth=1, decoder_width=16, decoder_heads=2)


def noise(*shape: int, seed: int = 0) -> Tensor:
    drawn: Tensor = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return drawn


@pytest.mark.parametrize("ratio", [0.5, 0.6, 0.75, 0.9])
@pytest.mark.parametrize("mask,counts,kept", [("random", (32,), 32), ("apart", (49, 196), 49 + 196), ("space_random", (16, 16), 32)])
def test_as_many_tokens_stay_as_the_ratio_says(mask: Mask, counts: tuple[int, ...], kept: int, ratio: float) -> None:
    size = counts[0] if mask == "space_random" else kept
    visible = visible_tokens(noise(3, size), mask, ratio, counts)
    assert visible.shape == (3, kept)
    parts = [size] if mask != "apart" else counts
    assert visible.sum(dim=1).tolist() == [sum(int(n * (1 - ratio)) for n in parts) * (2 if mask == "space_random" else 1)] * 3


def test_the_smallest_noise_is_kept() -> None:
    given = noise(2, 20)
    visible = visible_tokens(given, "random", 0.7, (10, 10))
    assert all(row[shown].max() < row[~shown].min() for row, shown in zip(given, visible, strict=True))


def test_a_mask_in_space_hides_the_same_places_of_both_crops() -> None:
    visible = visible_tokens(noise(4, 64), "space_random", 0.75, (64, 64))
    assert torch.equal(visible[:, :64], visible[:, 64:])
    joint = visible_tokens(noise(4, 128), "random", 0.75, (64, 64))
    assert not torch.equal(joint[:, :64], joint[:, 64:])


def test_patches_and_pixels_are_each_others_inverse() -> None:
    pixels = torch.randn(2, 3, 48, 48)
    patches = patches_of(pixels)
    assert patches.shape == (2, 9, 768)
    assert torch.equal(patches[0, 1, :3], pixels[0, :, 0, 16])  # channel last, then along the row
    assert torch.equal(pixels_of(patches, 3), pixels)


def test_only_hidden_patches_count() -> None:
    target, visible = torch.randn(2, 8, 12), visible_tokens(noise(2, 8), "random", 0.5, (8,))
    drawn = torch.where(visible.unsqueeze(2), 100.0, target)
    assert reconstruction_loss(drawn, target, visible, normalise=False) == 0
    assert reconstruction_loss(drawn + 2, target, visible, normalise=False).item() == pytest.approx(4, rel=1e-5)


def test_normalised_targets_do_not_know_light_or_contrast() -> None:
    target, drawn, visible = torch.randn(2, 8, 12), torch.randn(2, 8, 12), visible_tokens(noise(2, 8), "random", 0.5, (8,))
    plain, brighter = (reconstruction_loss(drawn, given, visible, normalise=True) for given in (target, 3 * target + 5))
    assert torch.allclose(plain, brighter, rtol=1e-4)
    normed, mean, deviation = normalised_patches(target)
    assert torch.allclose(normed * deviation + mean, target, atol=1e-5)


def change_hidden(kind: StemKind, *, seal: bool) -> float:
    """How far the visible tokens move when the hidden pixels do, in training, where batch norms look around as well."""
    torch.manual_seed(0)
    stem = Stem(16, kind)
    visible = visible_tokens(noise(2, 16), "random", 0.5, (4, 4))
    shown = visible.reshape(2, 1, 4, 4).repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    first = torch.randn(2, 3, 64, 64)
    second = torch.where(shown, first, 7 * torch.randn(2, 3, 64, 64))
    tokens = [sealed(stem, pixels, visible) if seal else stem(pixels) for pixels in (first, second)]
    return float((tokens[0] - tokens[1])[visible].abs().max().item())


@pytest.mark.parametrize("kind", ["conv16", "conv2x2", "conv3x3"])
def test_a_sealed_stem_keeps_hidden_pixels_from_visible_tokens(kind: StemKind) -> None:
    assert change_hidden(kind, seal=True) == 0


def test_an_open_stem_of_overlapping_convolutions_leaks() -> None:
    assert change_hidden("conv3x3", seal=False) > 0.01


@pytest.mark.parametrize("kind", ["conv16", "conv2x2", "conv3x3"])
@pytest.mark.parametrize("training", [True, False])
def test_a_sealed_stem_that_hides_nothing_is_the_stem(kind: StemKind, training: bool) -> None:
    torch.manual_seed(0)
    stem = Stem(16, kind).train(training)
    pixels = torch.randn(2, 3, 64, 64)
    assert torch.allclose(sealed(stem, pixels, torch.ones(2, 16, dtype=torch.bool)), stem(pixels), atol=1e-5)


def test_batch_norms_of_a_sealed_stem_remember_visible_cells_only() -> None:
    torch.manual_seed(0)
    bright = torch.full((1, 3, 64, 64), 50.0)
    bright[:, :, :32] = torch.randn(1, 3, 32, 64)
    visible = torch.arange(16).unsqueeze(0) < 8
    stems = [Stem(16, "conv2x2"), Stem(16, "conv2x2")]
    stems[1].load_state_dict(stems[0].state_dict())
    sealed(stems[0], bright, visible)
    stems[1](bright[:, :, :32])
    for name, value in stems[0].state_dict().items():
        if "running" in name:
            assert torch.allclose(value, stems[1].state_dict()[name], atol=1e-5)


def test_the_encoder_does_not_see_what_is_hidden() -> None:
    torch.manual_seed(0)
    network = Autoencoder(SMALL)
    visible = visible_tokens(noise(2, 32), "random", 0.75, (16, 16))
    crops = [torch.randn(2, 3, 64, 64) for _ in range(2)]
    shown = [part.reshape(2, 1, 4, 4).repeat_interleave(16, dim=2).repeat_interleave(16, dim=3) for part in torch.split(visible, 16, dim=1)]
    others = [torch.where(place, crop, 0.0) for place, crop in zip(shown, crops, strict=True)]
    assert torch.equal(network(crops, visible).patches, network(others, visible).patches)
    assert network(crops, visible).latent.shape == (2, 1 + 8, 16)


def test_attention_is_cut_within_frames_and_never_on_the_diagonal() -> None:
    num, share = 12, 0.3
    attention = torch.randn(2, 3, 2 * num, 2 * num).softmax(dim=-1)
    cut = dropped_entries(attention, share)
    assert (cut.sum(dim=(2, 3)) == int(share * (num - 1)) * 2 * num).all()
    assert not cut[:, :, :num, num:].any()
    assert not cut[:, :, num:, :num].any()
    assert not cut.diagonal(dim1=2, dim2=3).any()
    assert cut[:, :, :num, :num].any()
    assert cut[:, :, num:, num:].any()


def test_attention_is_cut_where_the_other_frame_has_a_match() -> None:
    num = 12
    attention = torch.full((1, 1, 2 * num, 2 * num), 1e-4)
    attention[0, 0, 3, num + 5] = 0.9  # query 3 of the first frame has found its match
    cut = dropped_entries(attention, 0.1)[0, 0]
    assert cut[3].sum() == num - 1  # wherever it could be cut
    assert cut.sum() == 1 * 2 * num


def test_a_cut_entry_is_not_read() -> None:
    torch.manual_seed(0)
    block, tokens = PlainBlock(8, 2), torch.randn(1, 24, 8)
    whole, none = block(tokens), through_dropped(block, tokens, 0.0)
    assert torch.allclose(whole, none, atol=1e-5)
    assert not torch.allclose(whole, through_dropped(block, tokens, 0.5), atol=1e-3)
    first, second = (through_dropped(block, tokens, 0.5, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("decode", ["together", "apart"])
def test_crops_decoded_apart_do_not_read_each_other(decode: Literal["together", "apart"]) -> None:
    torch.manual_seed(0)
    network = Autoencoder(
        Arch(
            depth=1,
            width=16,
            heads=2,
            roles=("template", "search"),
            sides=(2, 4),
            template_stem=True,
            decode=decode,
            decoder_depth=1,
            decoder_width=16,
            decoder_heads=2,
        )
    )
    visible = visible_tokens(noise(1, 20), "apart", 0.5, (4, 16))
    latent = torch.randn(1, 1 + 2 + 8, 16)
    other = latent.clone()
    other[:, 3:] += 1  # tokens of the search crop
    moved = (network.decode(latent, visible) - network.decode(other, visible)).abs()
    assert moved[:, 4:].max() > 1e-3
    assert (moved[:, :4].max() == 0) == (decode == "apart")
