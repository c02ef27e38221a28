from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from sightline.errors import BadData
from sightline.evaluate.attributes import attributes_of
from sightline.evaluate.clips import open_dataset
from sightline.evaluate.layouts import LAYOUTS
from tests.evaluate.folders import touch_images, write

LISTS = json.loads(files("sightline.evaluate").joinpath("attributes.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name in LISTS if name != "about"])
def test_every_sequence_of_a_list_is_one_of_its_benchmark_and_has_known_attributes(name: str) -> None:
    assert set(LISTS[name]["sequences"]) == set(LAYOUTS[name].names)
    assert {code for codes in LISTS[name]["sequences"].values() for code in codes.split()} == set(LISTS[name]["codes"])


def test_attributes_of_the_list_are_words() -> None:
    assert attributes_of("otb100", "Jogging_1", None) == {"occlusion", "deformation", "out-of-plane rotation"}


def make_uav(root: Path) -> None:
    touch_images(root / "data_seq" / "UAV123" / "bike1", [f"{i:06d}.jpg" for i in range(1, 4)])
    write(root / "anno" / "UAV123" / "bike1.txt", "5,6,7,8\n" * 3)


def test_the_file_of_the_data_set_counts_before_the_list(tmp_path: Path) -> None:
    make_uav(tmp_path)
    listed = open_dataset("uav123", tmp_path)[0].attributes
    write(tmp_path / "anno" / "UAV123" / "att" / "bike1.txt", "0,0,0,0,1,0,0,0,0,0,0,0\n")
    assert open_dataset("uav123", tmp_path)[0].attributes == {"full occlusion"} != listed


def test_a_file_with_another_number_of_flags_is_refused(tmp_path: Path) -> None:
    make_uav(tmp_path)
    write(tmp_path / "anno" / "UAV123" / "att" / "bike1.txt", "0,0,1\n")
    with pytest.raises(BadData, match="3 numbers; expected one for each of the 12 attributes"):
        open_dataset("uav123", tmp_path)
