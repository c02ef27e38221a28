"""What README and documentation show is run in the order of the page: Python is executed, commands go through a shell.

Small rendered files stand in for the videos that a page names. What installs or builds is not run, but has to exist.
"""

import re
import shutil
import subprocess
import sys
import tomllib
import types
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from sightline.cli import COMMANDS, main
from tests.conftest import need_shared
from tests.train.made import make_data

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
NOT_RUN = ("git", "make", "pip")  # checked by tests of their own
VITTRACK = "object_tracking_vittrack_2023sep.onnx"


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(found[1], found[2], text.count("\n", 0, found.start()) + 2) for found in FENCE.finditer(text)]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """street.mp4, street-infrared.mp4 and a folder of images."""
    folder = tmp_path_factory.mktemp("stand-ins")
    size = ["--width", "320", "--height", "180", "--frames", "12"]
    assert main(["scene", str(folder / "street.mp4"), "--look", "pair", *size]) == 0
    (folder / "frames").mkdir()
    capture = cv2.VideoCapture(str(folder / "street.mp4"))
    for i in range(12):
        is_read, image = capture.read()
        assert is_read
        cv2.imwrite(str(folder / "frames" / f"{i}.jpg"), image)
    return folder


def run_in_shell(block: Block, page: Path) -> None:
    head = "".join(f"{name}() {{ :; }}\n" for name in NOT_RUN)
    head += f'sightline() {{ "{sys.executable}" -m sightline "$@"; }}\n'
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", head + block.text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name_of(page)}:{block.line}: {done.stderr or done.stdout}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_everything_a_page_shows_runs(page: Path, stand_ins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(stand_ins, tmp_path, dirs_exist_ok=True)
    if VITTRACK in page.read_text(encoding="utf-8"):
        shutil.copy(need_shared("weights", "vittrack", VITTRACK), tmp_path)
    if "sightline.train" in page.read_text(encoding="utf-8"):
        (tmp_path / "data").mkdir()
        make_data(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("page")  # known by its name, as a user's script is: what it defines can be pickled
    monkeypatch.setitem(sys.modules, "page", module)
    seen: dict[str, object] = module.__dict__
    for block in blocks(page):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), seen)
        elif block.language == "bash":
            run_in_shell(block, page)
        else:
            assert block.language == "text", f"{name_of(page)}:{block.line}: a block in {block.language!r}, which nothing runs"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_installs_and_links_to_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"(?:sightline|\.)\[(\w+)\]", text)) <= set(extras)
    assert set(re.findall(r"(?:^ *|`)make ([\w-]+)", text, re.MULTILINE)) <= set(targets)
    missing = [target for target in LINK.findall(FENCE.sub("", text)) if not (page.parent / target).exists()]
    assert not missing


def test_the_first_python_stands_before_line_30_and_has_at_most_ten_lines() -> None:
    first = next(block for block in blocks(ROOT / "README.md") if block.language == "python")
    lines = first.text.splitlines()
    assert first.line + len(lines) <= 30
    assert len(lines) <= 10


@pytest.mark.parametrize("page, limit", [("README.md", 150), ("CONTRIBUTING.md", 80)])
def test_a_page_that_everybody_reads_stays_short(page: str, limit: int) -> None:
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) < limit


def test_the_reference_names_every_command() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)", page, re.MULTILINE)) == sorted(COMMANDS)


def test_the_tree_shows_what_is_there() -> None:
    [tree] = [block.text for block in blocks(ROOT / "README.md") if "src/sightline/" in block.text and block.language == "text"]
    package = ROOT / "src" / "sightline"
    rooms = {name for name in re.findall(r"[\w]+(?:/|\.py)", tree) if name not in ("src/", "sightline/")}
    folders = {"tests/", "benchmarks/", "docs/", "recipes/"}
    there = {f"{path.name}/" if path.is_dir() else path.name for path in package.iterdir() if not path.name.startswith("_")}
    assert rooms - folders == there - {"py.typed"}
    assert all((ROOT / folder).is_dir() for folder in folders & rooms)
