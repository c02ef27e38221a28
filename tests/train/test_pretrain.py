"""Runs of masked pre-training, and trackers that start from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.draw import VideoWriter  # noqa: E402
from sightline.errors import BadData, BadSpec, WeightsMismatch  # noqa: E402
from sightline.models.checkpoint import read_tensors, save_weights  # noqa: E402
from sightline.models.kestrel import Kestrel  # noqa: E402
from sightline.models.layers.decode import normalize  # noqa: E402
from sightline.models.layers.positions import sinusoid_table  # noqa: E402
from sightline.models.vittrack import VitTrack  # noqa: E402
from sightline.train import PRETRAINING, Pretraining, fit, pretrain  # noqa: E402
from sightline.train.pretrain.masks import patches_of  # noqa: E402
from sightline.train.pretrain.network import Arch, Autoencoder  # noqa: E402
from sightline.train.pretrain.picture import reconstructions  # noqa: E402
from sightline.train.pretrain.run import appearance_of  # noqa: E402
from sightline.train.pretrain.start import Pretrained, packed_weights, pretrained_in, take_pretrained_  # noqa: E402
from sightline.train.recipe import Share  # noqa: E402
from sightline.train.schedules import make_optimiser  # noqa: E402
from sightline.train.start import take_over_  # noqa: E402
from tests.train.made import RECIPE, make_data  # noqa: E402


def tiny(name: str) -> Pretraining:
    """A recipe with its own crops, mask and target, on a network that two steps of take no time."""
    recipe = PRETRAINING[name]()
    arch = replace(recipe.arch, depth=1, width=32, heads=2, decoder_depth=1, decoder_width=32, decoder_heads=2)
    optim = replace(recipe.optim, rate=1e-3, warmup=1)
    return replace(recipe, arch=arch, optim=optim, steps=2, batch=4, passes=2, validation_pairs=3, save_every=1, workers=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(tiny("mtr"), data, tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("name", PRETRAINING)
def test_two_steps_of_every_recipe_leave_weights_a_log_and_a_picture(name: str, data: Path, tmp_path: Path) -> None:
    weights = pretrain(tiny(name), data, tmp_path)
    given = pretrained_in(weights)
    assert given is not None
    assert given.roles == PRETRAINING[name]().arch.roles
    assert all(value.isfinite().all() for value in given.tensors.values())
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 1, 2, 2]
    assert {"total", "rate", "seconds", "waiting"} <= lines[0].keys()
    assert lines[1]["pairs"] == 3
    image = cv2.imread(str(tmp_path / "reconstructions.png"))
    assert image is not None
    sides = given.sides
    assert image.shape == (2 * (16 * max(sides) + 4), 3 * sum(16 * side + 4 for side in sides), 3)


def test_an_encoder_learns_to_draw(data: Path, tmp_path: Path) -> None:
    recipe = replace(tiny("mtr-nano"), steps=30, batch=4, passes=1, save_every=30, normalise=False)
    pretrain(recipe, data, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    untrained = tmp_path / "untrained"
    pretrain(replace(recipe, steps=1, save_every=1, optim=replace(recipe.optim, rate=0.0)), data, untrained)
    before = json.loads((untrained / "log.jsonl").read_text().splitlines()[-1])["held_out"]
    assert lines[-1]["held_out"] < 0.7 * before


class StopError(Exception):
    pass


@pytest.mark.parametrize("name,workers", [("mtr", 1), ("dropmae", 0)])
def test_an_interrupted_run_ends_with_the_same_weights(name: str, workers: int, data: Path, tmp_path: Path) -> None:
    def stop(line: Mapping[str, float]) -> None:
        if line["step"] == 2:
            raise StopError

    with pytest.raises(StopError):
        pretrain(tiny(name), data, tmp_path / "again", report=stop)
    again = read_tensors(pretrain(replace(tiny(name), workers=workers), data, tmp_path / "again"))
    whole = read_tensors(pretrain(tiny(name), data, tmp_path / "whole"))
    assert all(torch.equal(again[key], whole[key]) for key in whole)


def test_passes_add_up_to_a_batch(data: Path, tmp_path: Path) -> None:
    recipe = replace(tiny("mae"), steps=1)
    whole, parts = (read_tensors(pretrain(replace(recipe, passes=passes), data, tmp_path / str(passes))) for passes in (1, 4))
    assert all(torch.allclose(whole[name], parts[name], atol=2e-5) for name in whole)


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("name", ["mtr", "twinmae"])
def test_pictures_that_cannot_be_read_are_reported_and_others_drawn(name: str, tmp_path: Path) -> None:
    data = make_data(make_folder(tmp_path / "data"))
    lines = [json.loads(line) for line in (data / "index.jsonl").read_text().splitlines()]
    for line in lines:
        if line["track"].endswith("0_0"):
            line["offset"] = 0 if line["split"] == "train" else 512 * 3
    (data / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    told: list[str] = []
    recipe = replace(tiny(name), batch=8, steps=1, validation_pairs=12)
    pretrain(recipe, data, tmp_path / "run", tell=told.append)
    assert "made.tar at byte 0" in (tmp_path / "run" / "data-report.json").read_text()
    assert all(any(f"made.tar at byte {place}" in line for line in told) for place in (0, 512 * 3))
    with pytest.raises(BadData, match=r"made\.tar at byte 0 cannot be read"):
        pretrain(recipe, data, tmp_path / "stop", on_bad="stop")


def test_videos_without_labels_are_drawn_beside_other_data(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    with VideoWriter(make_folder(tmp_path / "clips") / "a.mp4", 25) as writer:
        for i in range(11):
            writer.write(np.random.default_rng(i).integers(0, 255, (64, 96, 3), np.uint8))
    only = replace(tiny("twinmae").data, shares=(Share(weight=1.0, sources=("clips:random",)),))
    for i, recipe in enumerate((tiny("mtr-nano"), replace(tiny("twinmae"), data=only))):
        weights = pretrain(recipe, [data, tmp_path / "clips"], tmp_path / f"run{i}", board=True)
        assert all(value.isfinite().all() for value in read_tensors(weights).values())
        assert list((tmp_path / f"run{i}" / "board").iterdir())
        assert (tmp_path / f"run{i}" / "samples.png").is_file()


def test_a_network_overfits_a_few_crops(data: Path, tmp_path: Path) -> None:
    recipe = replace(tiny("mae"), overfit=2, batch=2, passes=1, steps=40, save_every=40, normalise=False)
    seen: list[Mapping[str, float]] = []
    pretrain(replace(recipe, steps=1, save_every=1), data, tmp_path / "short", report=seen.append)
    pretrain(recipe, data, tmp_path / "long", report=seen.append)
    first, *_, last = (line["total"] for line in seen if "total" in line)
    assert last < 0.7 * first


def test_vectors_of_frames_norms_and_biases_do_not_decay() -> None:
    recipe = tiny("dropmae")
    network = Autoencoder(recipe.arch)
    groups = make_optimiser(network, recipe.optim).param_groups
    decay = {id(value): group["weight_decay"] for group in groups for value in group["params"]}
    decaying = {name for name, value in network.named_parameters() if decay[id(value)]}
    assert decaying == {name for name, value in network.named_parameters() if value.squeeze().ndim > 1} - {
        "frame_vectors",
        "decoder_frame_vectors",
    }
    assert all(group["betas"] == (0.9, 0.95) for group in groups)


def test_a_folder_of_another_run_is_refused(data: Path, trained: Path) -> None:
    recipe = tiny("mtr")
    with pytest.raises(BadData, match=r"another recipe \(ratio differ\)"):
        pretrain(replace(recipe, ratio=0.5), data, trained.parent)
    with pytest.raises(BadData, match=r"another recipe \(arch differ\)"):
        pretrain(replace(recipe, arch=replace(recipe.arch, depth=2)), data, trained.parent)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_mask_of_all_or_nothing_is_refused(ratio: float, data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match="expected some, and not all"):
        pretrain(replace(tiny("mtr"), ratio=ratio), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run(data: Path, tmp_path: Path) -> None:
    recipe = tiny("mtr-nano")
    wild = replace(recipe, optim=replace(recipe.optim, rate=1e30), steps=4, save_every=4)
    with pytest.raises(BadData, match="not finite"):
        pretrain(wild, data, tmp_path)
    assert not (tmp_path / "mtr-nano.safetensors").exists()


def autoencoder(arch: Arch) -> Autoencoder:
    torch.manual_seed(1)
    return Autoencoder(arch).eval()


def pretrained(network: Autoencoder) -> Pretrained:
    arch = network.arch
    return Pretrained(network.state_dict(), arch.roles, arch.sides, arch.positions)


def test_kestrel_starts_from_the_whole_encoder(tmp_path: Path) -> None:
    network = autoencoder(PRETRAINING["mtr-nano"]().arch)
    path = tmp_path / "mtr.safetensors"
    path.write_bytes(packed_weights(network))
    tracker = models.build(zoo.find("kestrel-nano"))
    take_over_(tracker, path)
    assert isinstance(tracker, Kestrel)
    pixels = torch.randint(0, 255, (1, 256, 256, 3), dtype=torch.uint8)
    with torch.no_grad():
        tokens = tracker.stem(normalize(pixels)) + tracker.search_positions
        first = network.stem(normalize(pixels)) + network.positions[:, 1:257]
        assert torch.equal(tokens, first)  # the search crop came first
        for ours, theirs in zip(tracker.blocks, network.blocks, strict=True):
            tokens, first = ours(tokens)[0], theirs(first)
        assert torch.allclose(tracker.norm(tokens), network.norm(first), atol=1e-5)


def test_template_positions_are_those_of_the_second_half_on_the_smaller_grid() -> None:
    network = autoencoder(PRETRAINING["mtr-nano"]().arch)
    given = pretrained(network)
    tracker = models.build(zoo.find("kestrel-nano"))
    take_pretrained_(tracker, given)
    small = tracker.state_dict()["template_positions"].reshape(8, 8, 48)
    large = network.positions[0, 257:].reshape(16, 16, 48)
    for row in (0, -1):  # aligned corners
        for column in (0, -1):
            assert torch.allclose(small[row, column], large[row, column], atol=1e-5)
    take_pretrained_(tracker, replace(given, roles=("template", "search")))  # the other order of the same tokens
    assert torch.equal(tracker.state_dict()["search_positions"][0], network.positions[0, 257:])


def test_vittrack_keeps_its_own_table_and_takes_the_class_token() -> None:
    network = autoencoder(replace(PRETRAINING["mtr"]().arch, decoder_depth=1))
    tracker = models.build(zoo.find("vittrack-d12c256-conv2x2-corner"))
    taken = take_pretrained_(tracker, pretrained(network))
    assert isinstance(tracker, VitTrack)
    assert torch.equal(tracker.positions[0], sinusoid_table(320, 256))
    assert torch.equal(tracker.positions[0, :257], network.positions[0, :257])  # class and search rows are the same in both
    assert torch.equal(tracker.class_token, network.class_token)
    assert {name.split(".")[0] for name in taken} == {"stem", "class_token", "blocks", "norm"}


def test_ostrack_starts_from_mae_and_from_two_frames() -> None:
    tracker = models.build(zoo.find("ostrack-b256"))
    small = {"depth": 12, "width": 768, "heads": 12, "decoder_depth": 1, "decoder_width": 16, "decoder_heads": 1}
    one = autoencoder(Arch(roles=("search",), sides=(14,), **small))  # type: ignore[arg-type]  # numbers
    take_pretrained_(tracker, pretrained(one))
    own = tracker.state_dict()
    assert torch.equal(own["blocks.11.mlp.down.weight"], one.state_dict()["blocks.11.mlp.down.weight"])
    assert own["search_positions"].std() == pytest.approx(one.positions[:, 1:].std().item(), rel=0.05)
    assert own["template_positions"].shape == (1, 64, 768)
    two = autoencoder(Arch(sides=(16, 16), class_token=False, frame_vectors=True, **small))  # type: ignore[arg-type]  # numbers
    take_pretrained_(tracker, pretrained(two))
    assert two.frame_vectors is not None
    assert torch.allclose(tracker.state_dict()["search_positions"], two.positions[:, :256] + two.frame_vectors[0])


SMALL = Arch(depth=1, width=32, heads=2, decoder_depth=1, decoder_width=16, decoder_heads=1)


@pytest.mark.parametrize(
    "arch",
    [replace(SMALL, roles=("search",), sides=(14,)), replace(SMALL, positions="line")],
    ids=["mae", "mtr"],
)
def test_a_published_layout_is_known_by_its_table(arch: Arch, tmp_path: Path) -> None:
    path = tmp_path / "authors.pth.tar"
    torch.save({"net": load(packed_weights(autoencoder(arch)))}, path)
    given, other = pretrained_in(path), pretrained_in(path, first="template")
    assert given is not None
    assert other is not None
    assert (given.sides, given.roles, given.positions) == (arch.sides, arch.roles, arch.positions)
    assert other.roles == (("search",) if len(arch.roles) == 1 else ("template", "search"))


def test_trackers_and_other_files_are_no_pre_training(data: Path, tmp_path: Path) -> None:
    spec = zoo.find("vittrack-nano")
    save_weights(models.build(spec), spec, tmp_path / "nano.safetensors")
    assert pretrained_in(tmp_path / "nano.safetensors") is None
    with pytest.raises(WeightsMismatch, match="no file of a pre-training"):
        pretrain(replace(tiny("mtr"), start=tmp_path / "nano.safetensors"), data, tmp_path / "run")


@pytest.mark.parametrize("change", [{"depth": 2}, {"stem": "conv2x2"}, {"width": 96}], ids=str)
def test_an_encoder_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    network = autoencoder(replace(PRETRAINING["mtr-nano"]().arch, **change))
    tracker = models.build(zoo.find("kestrel-nano"))
    before = {name: value.clone() for name, value in tracker.state_dict().items()}
    with pytest.raises(WeightsMismatch, match="same stem, depth, width"):
        take_pretrained_(tracker, pretrained(network))
    assert all(torch.equal(value, before[name]) for name, value in tracker.state_dict().items())


@pytest.mark.parametrize("name,precision", [("mtr-nano", "bfloat16"), ("dropmae", "bfloat16"), ("mtr-nano", "float16")])
def test_half_the_bits_draw_nearly_the_same(name: str, precision: Literal["bfloat16", "float16"], data: Path, tmp_path: Path) -> None:
    losses = []
    for one in ("float32", precision):
        recipe = replace(tiny(name), precision=one)
        pretrain(recipe, data, tmp_path / one)
        losses.append(json.loads((tmp_path / one / "log.jsonl").read_text().splitlines()[-1])["held_out"])
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_training_goes_on_from_a_pre_trained_encoder(data: Path, tmp_path: Path) -> None:
    nano = PRETRAINING["mtr-nano"]()
    start = pretrain(replace(nano, steps=1, batch=2, validation_pairs=2, workers=0), data, tmp_path / "mtr")
    recipe = replace(RECIPE, steps=1, optim=replace(RECIPE.optim, rate=0.0), start=start)
    weights = read_tensors(fit(recipe, data, tmp_path / "run"))
    assert torch.equal(weights["blocks.2.mlp.up.weight"], read_tensors(start)["blocks.2.mlp.fc1.weight"])


def test_mat_starts_its_second_stem_from_mae(data: Path, tmp_path: Path) -> None:
    start = tmp_path / "mae.safetensors"
    mae, mat = tiny("mae"), tiny("mat")
    start.write_bytes(packed_weights(autoencoder(mae.arch)))
    still = replace(mat, start=start, optim=replace(mat.optim, rate=0.0), steps=1)
    weights, given = read_tensors(pretrain(still, data, tmp_path / "run")), read_tensors(start)
    assert torch.equal(weights["z_patch_embed.proj.weight"], given["patch_embed.proj.weight"])


def test_the_appearance_is_the_target_in_the_middle_of_a_template() -> None:
    search = normalize(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    search[:, :, 8:24, 40:56] = 2.0  # a square of 16 pixels
    box = torch.tensor([[48 / 64, 16 / 64, 0.25, 0.25]])
    cut = appearance_of(search, box, 32, 2.0)
    assert torch.allclose(cut[:, :, 8:24, 8:24], torch.full((1, 3, 16, 16), 2.0), atol=1e-5)
    assert (cut[:, :, :7] < 0).all()
    outside = appearance_of(search, torch.tensor([[2.0, 2.0, 0.25, 0.25]]), 32, 2.0)
    assert torch.allclose(outside, search[:, :, -1:, :1].expand_as(outside), atol=1e-6)


@pytest.mark.parametrize("normalise", [True, False])
def test_a_picture_shows_grey_where_nothing_was_shown_and_then_the_drawing(normalise: bool) -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), dtype=np.uint8))
    crop = normalize(pixels)
    visible = torch.tensor([[True, False, False, True]])
    patches = patches_of(crop)
    drawn = (patches - patches.mean(dim=2, keepdim=True)) / (patches.var(dim=2, keepdim=True) + 1e-6).sqrt() if normalise else patches
    image = reconstructions([crop], [crop], visible, drawn, normalise=normalise)
    shown, made, wanted = (image[:32, 36 * i : 36 * i + 32] for i in range(3))
    assert np.array_equal(wanted, pixels[0].numpy())
    assert np.array_equal(shown[:16, :16], wanted[:16, :16])
    assert np.ptp(shown[:16, 16:]) <= 1
    assert np.abs(made.astype(int) - wanted).max() <= 1
