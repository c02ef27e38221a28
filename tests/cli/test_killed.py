from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluate.folders import make_sequences, write

ROOT = Path(__file__).parents[2]
NAMES = [f"clip{i}" for i in range(14)]
RUNS = {  # workers: share of the whole run that those that are killed may last, and protocols
    1: (0.2, ("one-pass", "restarts", "anchors", "long-term")),
    2: (0.05, ("anchors",)),
}


def files(folder: Path) -> dict[str, bytes]:
    """All files by their names, without what a summary says of the history of its run."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in [name for name in found if name.endswith("summary.json")]:
        told = json.loads(found[name])
        found[name] = json.dumps({key: value for key, value in told.items() if key not in ("made", "skipped", "results")}).encode()
    return found


@pytest.mark.parametrize("workers", RUNS)
def test_runs_that_are_killed_at_ten_random_moments_end_with_the_bytes_of_one_that_is_not(workers: int, tmp_path: Path) -> None:
    data = make_sequences(tmp_path / "data", NAMES, num_frames=6)
    for name in NAMES:
        write(data / name / "anchor.value", "1\n0\n0\n0\n-1\n")
    share, protocols = RUNS[workers]
    script = "import sys; from tests.cli.killed import kill_and_resume; kill_and_resume(*sys.argv[1:])"
    command = [sys.executable, "-c", script, str(data), str(tmp_path), "0", str(workers), str(share), *protocols]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("killed after") == 10
    whole, again = files(tmp_path / "whole"), files(tmp_path / "again")
    assert sorted(again) == sorted(whole)
    assert [name for name in whole if again[name] != whole[name]] == []
    assert len([name for name in whole if name.endswith(".txt")]) >= 2 * len(NAMES)
