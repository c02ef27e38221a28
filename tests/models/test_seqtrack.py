from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from sightline.models.layers.detr import Reader  # noqa: E402  # after the check for torch
from sightline.models.seqtrack import Decoder, SeqTrack, build  # noqa: E402
from sightline.zoo import SPECS  # noqa: E402
from sightline.zoo.seqtrack import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(grid=4, depth=1, width=32, heads=2, layers=2, layer_width=32, layer_heads=2, layer_hidden=32, bins=50)


def made(arch: Arch = SMALL) -> SeqTrack:
    torch.manual_seed(0)
    network = stirred(build(arch)).eval()
    assert isinstance(network, SeqTrack)
    return network


def noise(*shape: int) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def whole(decoder: Decoder, words: Any, search: Any) -> Any:
    """Logits (B, N, V) after every word of sentences (B, N), the way of the paper: all words at once, none of them seeing a later one."""
    x, positions = decoder.norm_in(decoder.words(words)), decoder.positions[: words.shape[1]]
    later = torch.ones(words.shape[1], words.shape[1]).triu(1).bool()
    for layer in decoder.layers:
        assert isinstance(layer, Reader)
        own, other = layer.own, layer.other
        queries, keys = own.split(x + positions, "queries"), own.split(x + positions, "keys")
        weights = (queries @ keys.transpose(2, 3) / queries.shape[3] ** 0.5).masked_fill(later, -torch.inf).softmax(dim=3)
        x = layer.norm1(x + own.out((weights @ own.split(x, "values")).transpose(1, 2).flatten(2)))
        x = layer.norm2(x + other(x + positions, search + decoder.memory_positions, search))
        x = layer.norm3(x + layer.feed(x))
    return decoder.head(decoder.norm(x))


def test_a_sentence_written_word_by_word_is_that_of_all_words_at_once() -> None:
    decoder = made().decoder
    search = noise(3, 16, 32)
    with torch.inference_mode():
        sentence = decoder(search)
        words = torch.cat([torch.full((3, 1), decoder.start), sentence.words[:, :-1]], dim=1)
        likelihood = whole(decoder, words, search).softmax(dim=2)[..., : SMALL.bins] * decoder.window
    torch.testing.assert_close(sentence.words, likelihood.argmax(dim=2))
    torch.testing.assert_close(sentence.likelihood, likelihood.amax(dim=2))


def test_the_words_that_begin_and_end_a_sentence_are_never_part_of_a_box() -> None:
    decoder = made().decoder
    with torch.inference_mode():
        decoder.get_parameter("head.layers.2.bias")[SMALL.bins :] = 50.0
        words = decoder(noise(3, 16, 32)).words
    assert words.max() < SMALL.bins


def test_the_window_draws_the_centre_to_the_middle_and_leaves_the_size() -> None:
    flat, drawn = (made(replace(SMALL, window=window)).decoder for window in (False, True))
    with torch.inference_mode():
        for decoder in (flat, drawn):
            decoder.get_parameter("head.layers.2.weight").zero_()
            decoder.get_parameter("head.layers.2.bias")[[2, 20]] = torch.tensor([8.5, 8.0])
        search = noise(3, 16, 32)
        assert (flat(search).words == 2).all()
        assert (drawn(search).words == torch.tensor([20, 20, 2, 2])).all()


def test_each_template_reaches_the_box() -> None:
    network = made()
    one, other = noise(2, 1, 1, 16, 32)
    search = torch.full((1, 64, 64, 3), 90, dtype=torch.uint8)
    with torch.inference_mode():
        scores = [network.step(search, torch.cat(pair, dim=1))["score"] for pair in ((one, one), (one, other), (other, one))]
    assert (scores[0] - scores[1]).abs() > 1e-5
    torch.testing.assert_close(scores[1], scores[2])  # the same positions for both


def test_the_memory_of_a_benchmark_is_a_spec_of_its_own() -> None:
    assert SPECS["seqtrack-b256"].memory.every == (9999,)
    assert SPECS["seqtrack-b256-got10k"].memory.every == (1,)
    assert SPECS["seqtrack-b256-got10k"].arch == SPECS["seqtrack-b256"].arch
