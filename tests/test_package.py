"""The package as a whole: what it shows, what it needs, what it leaves alone."""

import inspect
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import sightline
from sightline import errors
from sightline.builtin import DEFAULT
from sightline.weights import builtin_names
from sightline.zoo import FAMILIES

ROOT = Path(__file__).parents[1]
HEAVY = {"matplotlib", "onnx", "onnxscript", "openvino", "ray", "safetensors", "simplejpeg", "starlette", "tensorboard", "torch", "uvicorn"}
PUBLIC = {
    "Box",
    "Estimate",
    "Frame",
    "Mark",
    "Mask",
    "MultiTracker",
    "Seconds",
    "Spec",
    "Tracker",
    "box_from_mask",
    "box_from_point",
    "follow",
    "follow_all",
    "load",
    "read",
    "read_marks",
}


def modules_after(code: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter that has run `code`."""
    code += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_all_is_the_public_names_and_every_error() -> None:
    assert set(sightline.__all__) == PUBLIC | set(errors.__all__) | {"__version__"}
    assert len(set(sightline.__all__)) == len(sightline.__all__)


def test_dir_shows_exactly_all() -> None:
    assert dir(sightline) == sorted(sightline.__all__)


@pytest.mark.parametrize("name", sightline.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(sightline, name) is not None


def test_a_star_import_gives_exactly_the_public_names() -> None:
    seen: dict[str, object] = {}
    exec("from sightline import *", seen)
    assert set(seen) - {"__builtins__"} == set(sightline.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'sightline' has no attribute 'foo'"):
        sightline.foo  # noqa: B018  # looking it up is the test


def test_every_error_is_a_sightline_error() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), sightline.SightlineError)


def test_importing_everything_public_imports_nothing_optional() -> None:
    loaded = modules_after("import sightline\nfor name in sightline.__all__: getattr(sightline, name)")
    assert {"sightline", "numpy", "cv2"} <= loaded  # the test sees what is imported
    assert not loaded & HEAVY


def test_tracking_with_an_exported_file_imports_nothing_optional() -> None:
    loaded = modules_after(
        "import sightline\n"
        "from sightline.scene import Scene, render\n"
        "shots = list(render(Scene(seed=1, size=(160, 120), num_frames=3)))\n"
        "steps = list(sightline.follow([shot.frame for shot in shots], box=shots[0].box))\n"
        "assert len(steps) == 3"
    )
    assert "onnxruntime" in loaded
    assert not loaded & HEAVY


def test_the_core_needs_six_packages() -> None:
    core = {re.split(r"[^\w-]", line)[0] for line in metadata.requires("sightline") or [] if "extra ==" not in line}
    assert core == {"av", "numpy", "onnxruntime", "opencv-python-headless", "rich", "tyro"}


def test_the_version_is_the_installed_one() -> None:
    assert sightline.__version__ == metadata.version("sightline")


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (Path(sightline.__file__).parent / "py.typed").is_file()


def test_every_family_stands_in_the_contract_of_independence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [c for c in project["tool"]["importlinter"]["contracts"] if c["name"].startswith("Families of networks")]
    assert contract["modules"] == [f"sightline.models.{family}" for family in sorted(FAMILIES)]


def test_the_default_tracker_is_in_the_package() -> None:
    assert DEFAULT in builtin_names()
    assert inspect.signature(sightline.load).parameters["name_or_path"].default == DEFAULT
