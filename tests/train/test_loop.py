from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import sightline
from sightline.errors import BadData, BadSpec, SightlineError, WeightsMismatch, WeightsMissing
from sightline.models.checkpoint import load, read_tensors
from sightline.train import fit
from sightline.train.recipe import Distil
from sightline.train.validate import in_the_middle, rank_auc
from tests.train.made import RECIPE, make_data

EXACT = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU adds gradients up in no fixed order")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(RECIPE, data, tmp_path_factory.mktemp("run"))


def test_a_run_leaves_weights_that_load_with_their_spec(trained: Path) -> None:
    network, spec = load(trained)
    assert spec.name == "kestrel-nano"
    assert not network.training


def test_a_run_leaves_its_recipe_and_its_log(trained: Path) -> None:
    described = json.loads((trained.parent / "run.json").read_text())
    assert described["recipe"]["optim"]["rate"] == RECIPE.optim.rate
    assert "torch" in described["versions"]
    lines = [json.loads(line) for line in (trained.parent / "log.jsonl").read_text().splitlines()]
    assert {"total", "focal", "giou", "l1"} <= lines[-2].keys()
    assert {"iou", "middle", "success", "presence_auc"} <= lines[-1].keys()
    assert lines[-1]["pairs"] == RECIPE.validation_pairs


def test_a_run_tells_how_far_it_is_in_its_steps_and_in_what_it_looks_at(data: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    recipe = replace(RECIPE, validation_pairs=40, save_every=2)
    fit(recipe, data, tmp_path, tick=lambda *now: told.append(("step", *now)), seen=lambda *now: told.append(("pairs", *now)))
    looks = [("pairs", 0, 40), ("pairs", 32, 40), ("pairs", 40, 40)]
    assert told == [("step", 1, 2), ("step", 2, 2), *looks]
    told.clear()
    fit(recipe, data, tmp_path, tick=lambda *now: told.append(("step", *now)))
    assert told == [("step", 2, 2)]  # where it goes on


class StopError(Exception):
    pass


@EXACT
def test_an_interrupted_run_ends_with_the_same_weights(data: Path, trained: Path, tmp_path: Path) -> None:
    def stop(line: Mapping[str, float]) -> None:
        if line["step"] == 2:
            raise StopError

    with pytest.raises(StopError):
        fit(RECIPE, data, tmp_path, report=stop)
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])["step"] == 1
    again, whole = read_tensors(fit(RECIPE, data, tmp_path)), read_tensors(trained)
    assert all(torch.equal(again[name], whole[name]) for name in whole)


@EXACT
def test_a_run_that_was_killed_while_it_wrote_ends_with_the_same_weights(
    data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, saves = Path.replace, []

    def replace_or_die(part: Path, target: Path) -> Path:
        saves.append(target.name)
        if target.name == "state.pt" and saves.count("state.pt") == 2:
            raise KeyboardInterrupt
        return plain(part, target)

    monkeypatch.setattr(Path, "replace", replace_or_die)
    with pytest.raises(KeyboardInterrupt):
        fit(RECIPE, data, tmp_path)
    monkeypatch.undo()
    (tmp_path / ".state.pt.1.part").write_bytes(b"half of it")
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "tot')
    again, whole = read_tensors(fit(RECIPE, data, tmp_path)), read_tensors(trained)
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 1, 2, 2]
    assert not list(tmp_path.glob(".*"))


@EXACT
def test_passes_add_up_to_a_batch(data: Path, tmp_path: Path) -> None:
    present = replace(RECIPE.data, absent=0.0)
    recipe = replace(RECIPE, data=present, batch=4, steps=1)
    whole, parts = (read_tensors(fit(replace(recipe, passes=passes), data, tmp_path / str(passes))) for passes in (1, 2))
    assert all(torch.allclose(whole[name], parts[name], atol=2e-5) for name in whole if whole[name].is_floating_point())


def test_a_network_overfits_a_few_samples(data: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, overfit=2, steps=25, save_every=25, optim=replace(RECIPE.optim, rate=2e-3, warmup=0))
    monitored: list[Mapping[str, float]] = []
    fit(replace(recipe, steps=1, save_every=1), data, tmp_path / "short", report=monitored.append)
    fit(recipe, data, tmp_path / "long", report=monitored.append)
    first, *_, last = (line["total"] for line in monitored if "total" in line)
    assert last < 0.7 * first


def test_a_run_goes_on_that_was_begun_before_a_field_of_its_recipe_was_there(data: Path, tmp_path: Path) -> None:
    fit(replace(RECIPE, steps=1, workers=0), data, tmp_path)
    described = json.loads((tmp_path / "run.json").read_text())
    for part in (described["recipe"], described["recipe"]["data"], described["recipe"]["data"]["shares"][0], described["recipe"]["optim"]):
        for added in ("guard", "draw", "kinds", "schedule"):
            part.pop(added, None)
    (tmp_path / "run.json").write_text(json.dumps(described))
    fit(replace(RECIPE, steps=1, workers=1, save_every=7, validation_pairs=2), data, tmp_path)
    with pytest.raises(BadData, match=r"another recipe \(data differ\)"):
        fit(replace(RECIPE, steps=1, data=replace(RECIPE.data, draw="causal")), data, tmp_path)


def test_a_run_shows_its_samples_and_writes_for_tensorboard(data: Path, tmp_path: Path) -> None:
    fit(replace(RECIPE, steps=1), data, tmp_path, board=True)
    picture = cv2.imread(str(tmp_path / "samples.png"))
    assert picture is not None
    assert picture.shape == (2 * 192, 2 * 192, 3)
    assert list((tmp_path / "board").iterdir())
    assert json.loads((tmp_path / "data-report.json").read_text())["skipped"] == {}


def test_a_run_can_start_from_other_weights_and_learn_from_a_teacher(data: Path, trained: Path, tmp_path: Path) -> None:
    from sightline import models, zoo
    from sightline.models.checkpoint import save_weights

    spec = zoo.find("vittrack-nano")
    torch.manual_seed(3)
    teacher = tmp_path / "teacher.safetensors"
    save_weights(models.build(spec), spec, teacher)
    recipe = replace(RECIPE, steps=1, start=teacher, distil=Distil(teacher=teacher, features=1.0, score=1.0, size=1.0))
    weights = fit(recipe, data, tmp_path / "run")
    started, plain = read_tensors(weights), read_tensors(trained)
    name = "stem.layers.0.conv.weight"
    assert not torch.allclose(started[name], plain[name], atol=1e-2)
    given = read_tensors(teacher)["patch_embed.net.0.c.weight"]
    assert torch.allclose(started[name], given, atol=1e-2)


def test_a_start_that_is_not_there_is_an_error(data: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="--start names another"):
        fit(replace(RECIPE, start=tmp_path / "none.safetensors"), data, tmp_path)
    with pytest.raises(WeightsMissing, match="--teacher names another"):
        fit(replace(RECIPE, distil=Distil(teacher=tmp_path / "none.safetensors", box=1.0)), data, tmp_path)


def test_pictures_are_cut_by_one_thread_while_a_run_lasts(data: Path, tmp_path: Path) -> None:
    before, during = cv2.getNumThreads(), []
    fit(replace(RECIPE, steps=1), data, tmp_path, report=lambda _: during.append(cv2.getNumThreads()))
    assert set(during) == {1}  # a pool of threads would be lost in a forked worker
    assert cv2.getNumThreads() == before


def test_a_folder_of_another_run_is_refused(data: Path, trained: Path) -> None:
    with pytest.raises(BadData, match=r"another recipe \(seed differ\)"):
        fit(replace(RECIPE, seed=5), data, trained.parent)


def test_a_network_learns_from_one_of_its_own_kind(data: Path, trained: Path, tmp_path: Path) -> None:
    fit(replace(RECIPE, distil=Distil(teacher=trained, score=1.0, score_by="kl", box=1.0)), data, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"distil_score", "distil_box"} <= lines[-2].keys()


def test_a_teacher_that_looks_at_other_crops_is_refused(data: Path, tmp_path: Path) -> None:
    from sightline import models, zoo
    from sightline.models.checkpoint import save_weights

    spec = zoo.find("stark-lightning")
    teacher = tmp_path / "teacher.safetensors"
    save_weights(models.build(spec), spec, teacher)
    with pytest.raises(BadSpec, match="cannot teach kestrel-nano: stark-lightning cuts its search by ceil-area and factor 5"):
        fit(replace(RECIPE, distil=Distil(teacher=teacher, box=1.0)), data, tmp_path / "run")


def test_an_onnx_file_teaches_its_boxes(data: Path, tmp_path: Path) -> None:
    teacher = Path(sightline.__file__).parent / "builtin" / "kestrel-nano.onnx"
    fit(replace(RECIPE, distil=Distil(teacher=teacher, box=1.0)), data, tmp_path / "run")
    assert "distil_box" in (tmp_path / "run" / "log.jsonl").read_text()
    with pytest.raises(BadSpec, match="only `box` can be learnt, not head"):
        fit(replace(RECIPE, distil=Distil(teacher=teacher, score=1.0)), data, tmp_path / "other")


def test_ranks_count_ties_as_half() -> None:
    assert rank_auc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx(0.875)
    assert np.isnan(rank_auc(np.array([0.9]), np.array([])))


def test_a_network_that_only_describes_crops_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match="cannot be trained"):
        fit(replace(RECIPE, name="eco-resnet18"), data, tmp_path)


def test_a_file_that_fits_nothing_is_no_start(data: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsMismatch, match="no network that Sightline knows"):
        fit(replace(RECIPE, start=tmp_path / "a.safetensors"), data, tmp_path / "run")


def test_a_guess_is_the_usual_box_in_the_middle() -> None:
    truth = np.array([[0.5, 0.5, 0.2, 0.4], [0.6, 0.5, 0.2, 0.4], [0.5, 0.5, 0.2, 0.8]])
    assert in_the_middle(truth) == pytest.approx([1, 1 / 3, 0.5])
    assert in_the_middle(np.zeros((0, 4))).shape == (0,)


def spoiled(data: Path, folder: Path) -> Path:
    """The data with every picture of one track damaged."""
    shutil.copytree(data, folder)
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    tar = bytearray((folder / "made.tar").read_bytes())
    for line in lines:
        if line["track"] == "clips/train0_0":
            tar[line["offset"] : line["offset"] + 2] = b"no"
    (folder / "made.tar").write_bytes(tar)
    return folder


@pytest.mark.parametrize("workers", [0, 1])
def test_what_cannot_be_read_is_one_line_whoever_reads_it(workers: int, data: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="restore the file") as told:
        fit(replace(RECIPE, workers=workers, steps=8), spoiled(data, tmp_path / "data"), tmp_path / "run", on_bad="stop")
    assert "\n" not in str(told.value)
    assert "Traceback" not in str(told.value)


@pytest.mark.parametrize("name,told", [("state.pt", "remove it to begin the run again"), ("run.json", "choose another --output")])
@pytest.mark.parametrize("content", [b"", b"half", None], ids=["empty", "something else", "cut off"])
def test_a_damaged_folder_of_a_run_is_one_line(name: str, told: str, content: bytes | None, data: Path, tmp_path: Path) -> None:
    fit(replace(RECIPE, steps=1), data, tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(BadData, match=told) as error:
        fit(replace(RECIPE, steps=1), data, tmp_path)
    assert "\n" not in str(error.value)


@EXACT
def test_a_run_that_is_done_writes_its_weights_again_where_they_have_gone(data: Path, tmp_path: Path) -> None:
    weights = fit(RECIPE, data, tmp_path)
    content, log = weights.read_bytes(), (tmp_path / "log.jsonl").read_text().splitlines()
    weights.unlink()
    assert fit(RECIPE, data, tmp_path).read_bytes() == content
    assert (tmp_path / "log.jsonl").read_text().splitlines()[: len(log)] == log


def test_a_log_that_cannot_be_written_is_one_line(data: Path, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(WeightsMissing, match=r"cannot write .*log.jsonl \(No space left on device\)"):
        fit(RECIPE, data, tmp_path)


@EXACT
def test_a_run_that_was_interrupted_leaves_the_files_of_one_that_was_not(data: Path, tmp_path: Path) -> None:
    def stop(line: Mapping[str, float]) -> None:
        if line["step"] == 4:
            raise StopError

    bad, recipe = spoiled(data, tmp_path / "data"), replace(RECIPE, steps=5, save_every=2)
    with pytest.raises(StopError):
        fit(recipe, bad, tmp_path / "again", report=stop)
    with (tmp_path / "again" / "notes.txt").open("a") as file:
        file.write("skipped half of a li")
    fit(recipe, bad, tmp_path / "again")
    fit(recipe, bad, tmp_path / "whole")
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert "notes.txt" in names
    for name in set(names) - {"log.jsonl", "state.pt"}:  # times are in the one; in the other strings are written once or twice
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_processes_that_read_go_on_where_ctrl_c_is_meant_for_the_trainer_and_end_with_the_run(data: Path, tmp_path: Path) -> None:
    before, sent = {child.pid for child in multiprocessing.active_children()}, set[int]()

    def send(_: Mapping[str, float]) -> None:
        for child in multiprocessing.active_children():
            if child.pid is not None and child.pid not in before:
                os.kill(child.pid, signal.SIGINT)
                sent.add(child.pid)

    fit(replace(RECIPE, workers=1, steps=30, save_every=10), data, tmp_path, report=send)
    assert sent
    assert not sent & {child.pid for child in multiprocessing.active_children()}


def test_the_death_of_a_process_that_reads_is_one_line_whenever_it_comes(data: Path, tmp_path: Path) -> None:
    def kill(_: Mapping[str, float]) -> None:
        for child in multiprocessing.active_children():
            child.kill()
            time.sleep(5)  # torch's error comes here, at once, while nobody waits for data

    with pytest.raises(SightlineError, match="a process that reads data has died"):
        fit(replace(RECIPE, workers=1, steps=30), data, tmp_path, report=kill)


def test_data_of_which_nothing_is_held_out_is_told_so(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    index = tmp_path / "data" / "index.jsonl"
    index.write_text("".join(line + "\n" for line in index.read_text().splitlines() if '"split": "train"' in line))
    with pytest.raises(BadData, match='no line of the split "val"; mark some tracks so'):
        fit(RECIPE, tmp_path / "data", tmp_path / "run")
    assert not (tmp_path / "run").exists()
