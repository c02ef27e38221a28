"""The commands of docs/how-to/vot-toolkit.md on a workspace of our own: VOT's toolkit drives our tracker by TraX, and counts as we do.

The toolkit is no dependency: `make test-toolkits` has an environment with it. Elsewhere this is skipped.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
from pathlib import Path

import cv2
import pytest

from sightline.scene import Scene, render
from tests.evaluate.folders import write

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "vot-toolkit.md"
SIZE = (160, 120)
NUM_FRAMES = 160
ANCHORS = {0: 1, 50: 1, 100: -1, 159: -1}
ABSENT = slice(120, 124)  # a failure for the toolkit, too, which starts again in the frame after
EXPERIMENTS = {  # experiment -> our names for the numbers of its analyses, in their order; None for one that is a pair of others
    "restarts": ("accuracy", "failures", None, None, "eao"),
    "anchors": ("accuracy", "robustness", None, None, None, "eao"),
    "long-term": ("precision_lt", "recall_lt", "f_score"),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the page says, done."""
    pytest.importorskip("vot.experiment", reason="vot-toolkit is not installed: make test-toolkits")
    version = importlib.metadata.version("vot-toolkit")
    if not version.startswith("0.7."):
        pytest.skip(f"vot-toolkit {version} does not run experiments with restarts and anchors; 0.7.4 does: make test-toolkits")
    root = tmp_path_factory.mktemp("workspace")
    for seed in (1, 2):
        make_sequence(root / "sequences" / f"rendered-{seed}", seed)
    write(root / "sequences" / "list.txt", "rendered-1\nrendered-2\n")
    for block in re.findall(r"^```text\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return root


def make_sequence(folder: Path, seed: int) -> None:
    """A rendered clip in VOT's layout, with anchors at both ends and between; the first has boxes and four frames without a target, the second polygons."""
    (folder / "color").mkdir(parents=True)
    rows = []
    for i, shot in enumerate(render(Scene(seed=seed, num_frames=NUM_FRAMES, size=SIZE))):
        cv2.imwrite(str(folder / "color" / f"{i + 1:08d}.jpg"), shot.frame.image[..., ::-1])
        x, y, w, h = shot.box
        polygon = (x + w / 2, y, x + w, y + h / 2, x + w / 2, y + h, x, y + h / 2)
        rows.append(",".join(f"{value:.2f}" for value in (shot.box if seed == 1 else polygon)))
    if seed == 1:
        rows[ABSENT] = ["nan,nan,nan,nan"] * 4
    write(folder / "groundtruth.txt", "\n".join(rows) + "\n")
    write(folder / "anchor.value", "".join(f"{ANCHORS.get(i, 0)}\n" for i in range(NUM_FRAMES)))
    width, height = SIZE
    write(
        folder / "sequence", f"name={folder.name}\nformat=default\nfps=25\nwidth={width}\nheight={height}\nchannels.color=color/%08d.jpg\n"
    )


@pytest.mark.parametrize("report", ["theirs", "from-files"])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_toolkit_prints_our_figures(experiment: str, report: str, workspace: Path) -> None:
    """`theirs`: the toolkit has run our tracker; `from-files`: it read the files of our run."""
    ours = json.loads((workspace / f"{experiment}.json").read_text())
    analyses = json.loads((workspace / "analysis" / f"{report}.json").read_text())["results"][experiment]["results"]
    numbers = [value for trackers in analyses for value in trackers[0]]  # the report is of one tracker
    assert ours["evaluated"] == 2
    for name, number in zip(EXPERIMENTS[experiment], numbers, strict=True):
        if name is not None:
            assert ours[name] == pytest.approx(number, rel=1e-6), name
