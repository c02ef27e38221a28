from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sightline import models, zoo
from sightline.cli import main
from sightline.models.checkpoint import state_for_authors
from tests.cli.clips import BOX
from tests.site import served


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_tracker_is_fetched_made_ready_and_tracked_with_by_its_name(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = zoo.find("vittrack-nano")
    (tmp_path / "site").mkdir()
    file = tmp_path / "site" / "authors.pth"
    torch.save({"net": state_for_authors(models.build(spec), spec)}, file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    with served(tmp_path / "site") as address:
        there = replace(spec, origin=replace(spec.origin, url=f"{address}/authors.pth", sha256=sha256))
        monkeypatch.setitem(zoo.SPECS, spec.name, there)
        assert main(["download", spec.name]) == 0
    assert "Ready" in capsys.readouterr().out
    results = tmp_path / "track.csv"
    assert main(["track", str(clip), "--box", BOX, "--tracker", spec.name, "--results", str(results)]) == 0
    assert len(results.read_text().splitlines()) == 13
    capsys.readouterr()
    assert main(["track", str(clip), "--box", BOX, "--tracker", spec.name, "--engine", "torch", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weights"].endswith("vittrack-nano.safetensors")  # what torch reads is kept as well
    assert main(["download", spec.name, "--offline"]) == 0


def test_a_tracker_of_the_package_needs_no_fetching(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    assert main(["download", "kestrel-nano"]) == 0
    assert "in the package" in capsys.readouterr().out
    assert not cache.exists()


def test_what_cannot_be_fetched_is_one_line_with_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    for name, said in (("ostrack-b256", "sightline convert"), ("nanotrack-v2", "--offline"), ("ostrak-b256", "ostrack-b256")):
        assert main(["download", name, "--offline"]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
