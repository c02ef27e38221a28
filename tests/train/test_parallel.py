from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sightline import zoo
from sightline.errors import BadSpec
from sightline.models.checkpoint import read_tensors
from sightline.train import fit
from sightline.train.data import Problems
from sightline.train.parallel import World, joined
from sightline.train.tracker import samples_for
from tests.train.made import DATA, RECIPE, make_data

PAIRS = replace(DATA, absent=0.0)
SGD = replace(RECIPE.optim, kind="sgd")  # Adam divides by the size of gradients: where it is near zero, rounding becomes a step
RUN = replace(RECIPE, data=PAIRS, validation=PAIRS, batch=4, steps=2, save_every=2, optim=SGD)
ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from sightline.train import fit
from tests.train.test_parallel import RUN
fit(RUN, Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = spoiled(make_data(tmp_path / "data"))
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script), str(data), str(tmp_path / "two")]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }  # one GPU cannot be two processes'
    ran = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    one, two = read_tensors(fit(RUN, data, tmp_path / "one")), read_tensors(tmp_path / "two" / f"{RUN.name}.safetensors")
    apart = max(float((one[name].double() - two[name].double()).abs().max()) for name in one)
    moved = max(float((one[name] - value).abs().max()) for name, value in read_tensors(start_of(tmp_path, data)).items())
    assert apart < 1e-4 * moved
    assert len((tmp_path / "two" / "log.jsonl").read_text().splitlines()) == 3
    skipped = [json.loads((tmp_path / folder / "data-report.json").read_text())["skipped"] for folder in ("one", "two")]
    assert skipped[0] == skipped[1]
    assert skipped[0]


def spoiled(data: Path) -> Path:
    """The data with a picture damaged that only the second process learns from."""
    samples = samples_for(RUN, zoo.find(RUN.name), [data], "train", Problems())
    lines = [json.loads(line) for line in (data / "index.jsonl").read_text().splitlines()]
    tar = (data / "made.tar").read_bytes()
    for line in lines:
        broken = bytearray(tar)
        broken[line["offset"] : line["offset"] + 2] = b"no"
        (data / "made.tar").write_bytes(broken)
        noted = [bool(samples[i].notes) for i in range(RUN.batch * RUN.steps)]
        if any(noted) and not any(noted[i] for i in (0, 1, 4, 5)):  # the first process has the first half of each step
            return data
    raise AssertionError("every picture is learnt from by the first process as well")


def start_of(folder: Path, data: Path) -> Path:
    """The same run with a rate of 0: where it began."""
    return fit(replace(RUN, optim=replace(RUN.optim, rate=0.0)), data, folder / "start")


def test_a_batch_that_cannot_be_shared_out_is_an_error() -> None:
    with pytest.raises(BadSpec, match="a batch of 5 cannot be shared out to 2 processes and 1 passes"):
        World(0, 2).share(5, 1)
    assert World(0, 2, torch.device("cpu")).share(8, 2) == 2


def test_more_processes_than_gpus_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BadSpec, match="this machine has 1 GPUs, too few for process 2"), joined():
        pass
