"""Losses of networks that write a box as words, each with the true words before it in view.

SeqTrack (Chen et al., CVPR 2023), ARTrack (Wei et al., CVPR 2023) and ARTrackV2 (Bai et al., CVPR 2024).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sightline.models import artrack, artrackv2, seqtrack
from sightline.models.layers.boxes import cxcywh_from_xyxy, xyxy_from_cxcywh
from sightline.models.layers.trajectory import BEYOND, places
from sightline.models.layers.vit import KeysValues
from sightline.train.objectives.boxes import siou_loss
from sightline.train.objectives.heard import Heard, Parts, corners_of

__all__ = ["commands", "sentences", "trajectories"]

OTHER = 0.01  # weight of words that are no place


def sentences(given: Heard) -> Parts:
    """`words`: cross entropy of SeqTrack's cx, cy, w, h and of the word that ends a sentence."""
    network = given.network
    assert isinstance(network, seqtrack.SeqTrack)
    decoder = network.decoder
    true = (cxcywh_from_xyxy(corners_of(given.box)) * (decoder.bins - 1)).long()
    end = torch.full_like(true[:, :1], decoder.bins)
    wanted, memory, said = (
        torch.cat([true, end], dim=1),
        decoder.read(given.heard["bottleneck"][:, : network.num_search]),
        list[KeysValues](),
    )
    word, logits = torch.full_like(true[:, 0], decoder.start), list[Tensor]()
    for place in range(wanted.shape[1]):
        scores, said = decoder.say(word, place, said, memory)
        logits.append(scores.float())
        word = wanted[:, place]
    weights = torch.ones(decoder.bins + 2, device=true.device)
    weights[decoder.bins :] = OTHER
    there = given.present
    return {"words": functional.cross_entropy(torch.stack(logits, dim=2)[there], wanted[there], weights)}


def trajectories(given: Heard) -> Parts:
    """`words`: cross entropy of ARTrack's corners; `siou` of the mean box."""
    network = given.network
    assert isinstance(network, artrack.ARTrack)
    writer, bins = network.writer, network.arch.bins
    memory, positions = given.heard["fuse"], network.positions()
    wanted = places(given.box.unsqueeze(1), bins, given.size).long()
    read, said = writer.read(memory, positions), list[KeysValues]()
    words, at = torch.full_like(wanted[:, :1], writer.start), writer.positions[:1]
    if network.arch.history:
        past = places(given.arrays["history"], bins, given.size).long()
        words, at = torch.cat([past, words], dim=1), torch.cat([writer.past_positions, at])
    seen, logits = writer.vocabulary.unseen(memory), list[Tensor]()
    for place in range(wanted.shape[1]):
        scores, said = writer.say(words, at, said, read, seen)
        logits.append(scores.float())
        words, at = wanted[:, place : place + 1], writer.positions[place + 1 : place + 2]
    return _corner_words(torch.stack(logits, dim=1), wanted, given, bins)


def commands(given: Heard) -> Parts:
    """`words` and `siou` of ARTrackV2, which says all four corners at once."""
    network = given.network
    assert isinstance(network, artrackv2.ARTrackV2)
    wanted = places(given.box.unsqueeze(1), network.arch.bins, given.size).long()
    return _corner_words(given.heard[""].logits.float(), wanted, given, network.arch.bins)


def _corner_words(logits: Tensor, wanted: Tensor, given: Heard, bins: int) -> Parts:
    """Losses of logits (B, 4, V) for true words (B, 4)."""
    there = given.present
    scale = torch.arange(2 * bins, device=logits.device) / (bins - 1) - BEYOND
    mean_xyxy = (logits[..., : 2 * bins].softmax(dim=2) * scale).sum(dim=2)
    return {
        "words": functional.cross_entropy(logits[there].transpose(1, 2), wanted[there]),
        "siou": siou_loss(mean_xyxy[there], xyxy_from_cxcywh(given.box)[there]),
    }
