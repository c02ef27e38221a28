"""A pre-training run as data, and the runs that were published, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from sightline.train.pretrain.masks import Mask
from sightline.train.pretrain.network import Arch
from sightline.train.recipe import PLAIN, Augment, Data, Guard, Optim, Rate, Recipe

__all__ = ["PRETRAINING", "AnyRecipe", "Pretraining"]

FLIPS = replace(PLAIN, flip=0.5)
STOP = Guard()
FRAMES = Rate(pattern="*frame_vectors", decay=0.0)  # single vectors do not decay, and these are some


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """One pre-training run. Everything that changes the result is here.

    Attributes:
        name: of the weights file.
        arch: of the autoencoder.
        mask: what is hidden (`masks.visible_tokens`).
        ratio: share of the tokens that is hidden.
        normalise: take each patch's own mean and deviation out of the target.
        appearance: the template is to be drawn as it looks in the search crop, not as it is (MAT).
        factors: side of each crop over sqrt(w h) of the object, in the order of `Arch.roles`.
        data: jitter of the crops; without shares, all sources alike, every track with the same chance.
        augment: disturbances; targets are the disturbed pixels.
        optim: as in training.
        steps: of the optimiser.
        batch: samples of a step, of all processes and passes together.
        passes: in which a step's samples go through the network one after another, to save memory.
        start: weights to start from, of a pre-training that has the encoder.
        precision: of the forward pass. The range of float16 was too small late in published runs.
        seed: of weights, data, masks and dropout.
        validation_pairs: samples of the split "val", always under the same masks.
        save_every: steps between two validations, each followed by a save.
        threads: of torch.
        workers: processes that make samples.
        guard: what happens when something is not finite.
        overfit: learn from so many samples only; 0: no.
    """

    name: str
    arch: Arch
    mask: Mask = "random"
    ratio: float = 0.75
    normalise: bool = True
    appearance: bool = False
    factors: tuple[float, ...] = (4.0, 4.0)
    data: Data
    augment: Augment = FLIPS
    optim: Optim
    steps: int
    batch: int = 64
    passes: int = 1
    start: Path | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    seed: int = 0
    validation_pairs: int = 64
    save_every: int = 500
    threads: int = 1
    workers: int = 1
    guard: Guard = STOP
    overfit: int = 0


AnyRecipe: TypeAlias = Recipe | Pretraining
"""Of a run: a tracker's, or what comes before it."""

VIT_B = Arch(depth=12, width=768, heads=12, stem="conv16", sides=(14, 14))
BOTH_JITTERED = Data(shares=(), center_jitter=1.0, scale_jitter=0.25, template_jitter=1.0)
APART = replace(BOTH_JITTERED, draw="causal", gap=50)  # another picture, up to so many frames later


def _published(samples: float, epochs: int, batch: int, *, rate: float = 1.5e-4) -> tuple[int, Optim]:
    """Steps and optimiser of a run that counts in epochs, 40 of which warm up; `rate` is that of 256 samples."""
    per_epoch = samples / batch
    return round(per_epoch * epochs), _optim(rate * batch / 256, round(40 * per_epoch))


def _optim(rate: float, warmup: int) -> Optim:
    """AdamW as He et al. use it; the weights themselves are kept, not a mean."""
    return Optim(rate=rate, decay=0.05, warmup=warmup, mean=0.0, betas=(0.9, 0.95), decay_vectors=False)


def mtr() -> Pretraining:
    """MTR for VitTrack of 12 blocks and 256 channels: two wide crops of one object, six tenths of all their tokens hidden.

    Mask, decoder, epochs and pairs per epoch are the author's; optimiser, batch norms under the mask and normalised targets were
    not recorded (docs/trackers/vittrack.md section 6), and are those of MAE here.
    """
    steps, optim = _published(60_000, 320, 64)
    arch = Arch(depth=12, width=256, heads=4, stem="conv2x2", eps=1e-5, positions="line")
    return Pretraining(name="mtr", arch=arch, ratio=0.6, data=BOTH_JITTERED, optim=optim, steps=steps, passes=4)


def mtr_nano() -> Pretraining:
    """MTR for the shape of kestrel-nano, with a small decoder, for a CPU. Ours: nothing like it was published."""
    arch = Arch(depth=3, width=48, heads=1, stem="conv3x3", eps=1e-5, positions="line", seal=True)
    arch = replace(arch, decoder_depth=2, decoder_width=128, decoder_heads=4)
    return Pretraining(name="mtr-nano", arch=arch, ratio=0.6, data=BOTH_JITTERED, optim=_optim(1e-3, 100), steps=3000, batch=32, workers=4)


def mae() -> Pretraining:
    """MAE of a ViT-B/16 on single crops of 224 pixels: 800 epochs of ImageNet's size, 4096 crops a step. He et al., CVPR 2022."""
    steps, optim = _published(1.28e6, 800, 4096)
    arch = replace(VIT_B, roles=("search",), sides=(14,))
    return Pretraining(name="mae", arch=arch, factors=(4.0,), data=BOTH_JITTERED, optim=optim, steps=steps, batch=4096, passes=64)


def twinmae() -> Pretraining:
    """MAE over two frames at once: 800 epochs of the size of Kinetics-400, 4096 pairs a step. Wu et al., CVPR 2023."""
    steps, optim = _published(240_000, 800, 4096)
    arch = replace(VIT_B, class_token=False, frame_vectors=True)
    optim = replace(optim, rates=(FRAMES,))
    return Pretraining(name="twinmae", arch=arch, data=APART, optim=optim, steps=steps, batch=4096, passes=64)


def dropmae() -> Pretraining:
    """TwinMAE whose decoder is kept from looking for neighbours in the same frame. Wu et al., CVPR 2023, arXiv:2304.00571."""
    twin = twinmae()
    return replace(twin, name="dropmae", arch=replace(twin.arch, dropout=0.1))


def mat() -> Pretraining:
    """Masked appearance transfer: draw the search crop, and the template as the target looks there. Zhao et al., CVPR 2023.

    The published run starts from MAE (`--start`) and takes 500 times 64,000 pairs, 64 a step. Its learning rate is not in our facts.
    """
    steps, optim = _published(64_000, 500, 64)
    arch = replace(VIT_B, roles=("template", "search"), sides=(7, 14), template_stem=True, decode="apart")
    return Pretraining(
        name="mat", arch=arch, mask="apart", ratio=0.25, appearance=True, factors=(2.0, 4.0), data=Data(shares=(), center_jitter=2.0),
        optim=optim, steps=steps,
    )  # fmt: skip


PRETRAINING: dict[str, Callable[[], Pretraining]] = {
    "mtr": mtr,
    "mtr-nano": mtr_nano,
    "mae": mae,
    "twinmae": twinmae,
    "dropmae": dropmae,
    "mat": mat,
}
