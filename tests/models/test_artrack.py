from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from sightline.models.artrack import ARTrack, Writer, WriterLayer, build  # noqa: E402  # after the check for torch
from sightline.zoo.artrack import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(template_grid=2, search_grid=4, bins=25, history=2, depth=1, width=32, heads=2, encoder=1, decoder=2)
PAIR = replace(SMALL, history=0)


def made(arch: Arch = SMALL) -> ARTrack:
    torch.manual_seed(0)
    network = stirred(build(arch)).eval()
    assert isinstance(network, ARTrack)
    return network


def noise(*shape: int) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def whole(writer: Writer, words: Any, positions: Any, memory: Any, memory_positions: Any) -> Any:
    """Logits (B, N, V) after every word of sentences (B, N), the way of the paper: all at once, none of them seeing a later one."""
    x = writer.vocabulary.read(words)
    later = torch.ones(words.shape[1], words.shape[1]).triu(1).bool()
    for layer in writer.layers:
        assert isinstance(layer, WriterLayer)
        placed = layer.norm1(x) + positions
        queries, keys = layer.own.split(placed, "queries"), layer.own.split(placed, "keys")
        weights = (queries @ keys.transpose(2, 3) / queries.shape[3] ** 0.5).masked_fill(later, -torch.inf).softmax(dim=3)
        x = x + layer.own.out((weights @ layer.own.split(x, "values")).transpose(1, 2).flatten(2))
        x = x + layer.other(layer.norm_query(x) + positions, layer.norm_memory(memory) + memory_positions, memory)
        x = x + layer.mlp(layer.norm3(x))
    return writer.norm(x) @ writer.vocabulary.words.T + writer.vocabulary.bias


def test_a_sentence_written_word_by_word_behind_past_boxes_is_that_of_all_words_at_once() -> None:
    network = made()
    writer, memory, positions = network.writer, noise(3, 20, 32), noise(1, 20, 32)
    past = torch.randint(0, 50, (3, 8), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        sentence = writer(memory, positions, past + 0.9, torch.zeros(3, 52))
        words = torch.cat([past, torch.full((3, 1), writer.start), sentence.words[:, :-1]], dim=1)
        places = torch.cat([writer.past_positions, writer.positions[:4]])
        logits = whole(writer, words, places, memory, positions)[:, -4:]
    torch.testing.assert_close(sentence.words, logits.argmax(dim=2))
    torch.testing.assert_close(sentence.likelihood, logits.softmax(dim=2).amax(dim=2))


@pytest.mark.parametrize("arch,counted", [(PAIR, True), (SMALL, False)], ids=["pair", "sequence"])
def test_what_was_read_in_this_frame_counts_at_once_without_a_history_and_else_from_the_next_on(arch: Arch, counted: bool) -> None:
    network, memory, positions, unseen = made(arch), noise(1, 20, 32), noise(1, 20, 32), torch.zeros(1, 52)
    writer, past = network.writer, torch.full((1, 8), 3.0) if arch.history else None
    with torch.inference_mode():
        words = writer.vocabulary.words
        words.mul_(40 / words.norm(dim=1, keepdim=True))
        first = writer(memory, positions, past, unseen)
        second = writer(memory, positions, past, first.seen)
        products = [(sentence.logits[0, 0] - writer.vocabulary.bias)[writer.start] for sentence in (first, second)]
    read = {writer.start, *first.words[0, :-1].tolist(), *([3] if arch.history else [])}
    assert set(first.seen[0].nonzero().flatten().tolist()) == read
    assert float(products[0] / products[1]) == pytest.approx(1.0 if counted else 40.0, rel=1e-3)


def test_past_boxes_reach_the_box() -> None:
    network = made()
    search, history = torch.full((1, 64, 64, 3), 90, dtype=torch.uint8), torch.tensor([[[0.5, 0.5, 0.2, 0.2]] * 2])
    with torch.inference_mode():
        state = network.init(torch.full((1, 32, 32, 3), 50, dtype=torch.uint8))
        scores = [network.step(search, state["tokens"], state["next.seen"], given)["score"] for given in (history, history * 0.5)]
    assert (scores[0] - scores[1]).abs() > 1e-5
