"""A pre-training run as data, and the runs that were published, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sightline.train.pretrain.masks import Mask
from sightline.train.pretrain.network import Arch
from sightline.train.recipe import Augment, Data, Optim

__all__ = ["PRETRAINING", "Pretraining"]

FLIPS = Augment(grey=0.0, light=0.0, blur=0.0, coarse=0.0, noise=0.0, jpeg=0.0, occluder=0.0, stranger=0.0)  # and nothing else


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
        optim: as in training; without a running mean. Norms, biases and single vectors do not decay.
        steps: of the optimiser, each over `batch` times `passes` samples.
        batch: samples that go through together.
        passes: batches whose gradients are added up before a step.
        start: weights to start from, of a pre-training that has the encoder.
        precision: of the forward pass. There is no float16: its range was too small late in published runs.
        seed: of weights, data, masks and dropout.
        validation_pairs: samples of the split "val", always under the same masks.
        save_every: steps between two validations, each followed by a save.
        threads: of torch.
        workers: processes that make samples.
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
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0
    validation_pairs: int = 64
    save_every: int = 500
    threads: int = 1
    workers: int = 1


VIT_B = Arch(depth=12, width=768, heads=12, stem="conv16", sides=(14, 14))
BOTH_JITTERED = Data(shares=(), center_jitter=1.0, scale_jitter=0.25, template_jitter=1.0)


def _published(samples: float, epochs: int, batch: int, *, rate: float = 1.5e-4) -> tuple[int, Optim]:
    """Steps and optimiser of a run that counts in epochs, 40 of which warm up; `rate` is that of 256 samples."""
    per_epoch = samples / batch
    return round(per_epoch * epochs), Optim(rate=rate * batch / 256, decay=0.05, warmup=round(40 * per_epoch), clip=1.0, mean=0.0)


def mtr() -> Pretraining:
    """MTR for VitTrack of 12 blocks and 256 channels: two wide crops of one object, six tenths of all their tokens hidden.

    Mask, decoder, epochs and pairs per epoch are the author's; optimiser, batch norms under the mask and normalised targets were
    not recorded (docs/trackers/vittrack.md section 6), and are those of MAE here.
    """
    steps, optim = _published(60_000, 320, 64)
    arch = Arch(depth=12, width=256, heads=4, stem="conv2x2", eps=1e-5, positions="line")
    return Pretraining(name="mtr", arch=arch, ratio=0.6, data=BOTH_JITTERED, optim=optim, steps=steps, batch=16, passes=4)


def mtr_nano() -> Pretraining:
    """MTR for the shape of kestrel-nano, with a small decoder, for a CPU. Ours: nothing like it was published."""
    arch = Arch(depth=3, width=48, heads=1, stem="conv3x3", eps=1e-5, positions="line", seal=True)
    arch = replace(arch, decoder_depth=2, decoder_width=128, decoder_heads=4)
    optim = Optim(rate=1e-3, decay=0.05, warmup=100, clip=1.0, mean=0.0)
    return Pretraining(name="mtr-nano", arch=arch, ratio=0.6, data=BOTH_JITTERED, optim=optim, steps=3000, batch=32)


def mae() -> Pretraining:
    """MAE of a ViT-B/16 on single crops of 224 pixels: 800 epochs of ImageNet's size, 4096 crops a step. He et al., CVPR 2022."""
    steps, optim = _published(1.28e6, 800, 4096)
    arch = replace(VIT_B, roles=("search",), sides=(14,))
    return Pretraining(name="mae", arch=arch, factors=(4.0,), data=BOTH_JITTERED, optim=optim, steps=steps, passes=64)


def twinmae() -> Pretraining:
    """MAE over two frames at once: 800 epochs of the size of Kinetics-400, 4096 pairs a step. Wu et al., CVPR 2023."""
    steps, optim = _published(240_000, 800, 4096)
    arch = replace(VIT_B, class_token=False, frame_vectors=True)
    return Pretraining(name="twinmae", arch=arch, data=BOTH_JITTERED, optim=optim, steps=steps, passes=64)


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
