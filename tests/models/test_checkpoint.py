"""Weights files of every kind: what is in them arrives, and nothing in them is executed."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.errors import SightlineError, WeightsMismatch, WeightsMissing  # noqa: E402
from sightline.models.checkpoint import convert, fill, fits, load, read_tensors, rename, save_weights, state_for_authors  # noqa: E402
from sightline.weights import spec_in  # noqa: E402

TENSORS = {"backbone.norm.weight": torch.arange(6.0).reshape(2, 3), "box_head.conv5_ctr.bias": torch.tensor([0.5])}
ZIP = pytest.param(True, id="zip")
LEGACY = pytest.param(False, id="legacy")
BOTH_FORMATS = pytest.mark.parametrize("zipped", [ZIP, LEGACY])


def write(path: Path, content: Any, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def assert_equal(tensors: dict[str, Any], expected: dict[str, Any]) -> None:
    assert tensors.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(tensors[name].numpy(), np.asarray(value, np.float32), err_msg=name)


# what is read


@pytest.mark.parametrize("name", ["OSTrack_ep0300.pth.tar", "legacy_nonzip_ep0300.pth.tar"])
def test_a_training_checkpoint_of_the_authors_is_read_without_their_package(name: str, shared: Path) -> None:
    folder = shared / "golden" / "components" / "checkpoint_layout"
    expected = json.loads((folder / "layout.json").read_text())["expected_net"]
    assert_equal(read_tensors(folder / name), expected)


@BOTH_FORMATS
@pytest.mark.parametrize("wrapper", ["net", "state_dict", "model", "network", None])
def test_tensors_are_found_where_authors_put_them(wrapper: str | None, zipped: bool, tmp_path: Path) -> None:
    content = {wrapper: TENSORS, "epoch": 300} if wrapper else TENSORS
    assert_equal(read_tensors(write(tmp_path / "w.pth", content, zipped=zipped)), TENSORS)


def test_the_prefix_of_parallel_training_is_dropped(tmp_path: Path) -> None:
    prefixed = {f"module.{name}": value for name, value in TENSORS.items()}
    assert_equal(read_tensors(write(tmp_path / "w.pth", {"net": prefixed})), TENSORS)


def test_parameters_half_precision_and_views_are_read(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    content = {"a": torch.nn.Parameter(whole), "b": whole.half(), "c": whole.t()[1:, ::2], "d": torch.tensor(7)}
    read = read_tensors(write(tmp_path / "w.pth", content))
    for name, value in content.items():
        assert read[name].dtype == value.dtype
        assert torch.equal(read[name], value)


# what is not executed


class Malice:
    """A pickle of this runs a command when it is loaded the usual way."""

    def __init__(self, command: str, function: Callable[..., Any] = os.system) -> None:
        self.command, self.function = command, function

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return self.function, (self.command,)


@BOTH_FORMATS
@pytest.mark.parametrize("function", [os.system, eval, exec], ids=["system", "eval", "exec"])
def test_code_in_a_pickle_is_not_run(function: Callable[..., Any], zipped: bool, tmp_path: Path) -> None:
    trap = tmp_path / "run"
    command = f"touch {trap}" if function is os.system else f"open({str(trap)!r}, 'w').close()"
    path = write(tmp_path / "w.pth", {"settings": Malice(command, function), "net": TENSORS}, zipped=zipped)
    assert_equal(read_tensors(path), TENSORS)
    assert not trap.exists()
    torch.load(path, weights_only=False)
    assert trap.exists(), "the trap itself does not work: this test proves nothing"


def test_code_beside_a_tensor_in_the_same_table_is_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "run"
    read_tensors(write(tmp_path / "w.pth", {"net": {**TENSORS, "x": Malice(f"touch {trap}")}}))
    assert not trap.exists()


def test_code_at_the_top_of_a_pickle_is_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "run"
    (tmp_path / "w.pth").write_bytes(pickle.dumps(Malice(f"touch {trap}"), protocol=2))
    with pytest.raises(SightlineError):
        read_tensors(tmp_path / "w.pth")
    assert not trap.exists()


# what is refused


def tar(path: Path) -> bytes:
    """A tar archive that begins like a pickle, as torch's first format may."""
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("\x80\x02pickle")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    content = bytearray(path.read_bytes())
    content[:2] = b"\x80\x02"
    content[148:156] = b"%06o\0 " % (sum(content[:148]) + 8 * 32 + sum(content[156:512]))
    return bytes(content)


REFUSED = {
    "web page": (b"<!DOCTYPE html><html>Quota exceeded</html>", "is a web page"),
    "text": (b"not weights\n", "is a text file"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "Git LFS pointer"),
    "empty": (b"", "is empty"),
    "picture": (b"\xff\xd8\xff\xe0" + bytes(600), "begins with ff d8 ff e0"),
    "cut archive": (b"PK\x03\x04" + bytes(600), "broken or truncated archive"),
    "cut pickle": (b"\x80\x02}q\x00X\x03", "not a readable PyTorch file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_weights_file_is_named_for_what_it_is(kind: str, tmp_path: Path) -> None:
    content, says = REFUSED[kind]
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsMissing, match=says) as refused:
        read_tensors(tmp_path / "w.pth")
    assert "\n" not in str(refused.value)


def test_a_tar_archive_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(tar(tmp_path / "plain.tar"))
    with pytest.raises(WeightsMissing, match="is a tar archive"):
        read_tensors(tmp_path / "w.pth")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(WeightsMissing, match="cannot read the weights file"):
            read_tensors(path)


def test_a_program_is_no_checkpoint(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:  # the parts by which a program is told from a checkpoint
        for name in ("w/data.pkl", "w/constants.pkl", "w/code/__torch__.py"):
            archive.writestr(name, b"")
    with pytest.raises(WeightsMismatch, match="TorchScript program"):
        read_tensors(tmp_path / "w.pt")


def test_a_file_without_tensors_says_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="holds no tensors at the top or under net, state_dict"):
        read_tensors(write(tmp_path / "w.pth", {"epoch": 3, "net": {}}))
    with pytest.raises(WeightsMismatch, match="holds no tensors"):
        read_tensors(write(tmp_path / "list.pth", [1, 2]))


@BOTH_FORMATS
def test_a_file_cut_anywhere_is_read_wholly_or_refused(zipped: bool, tmp_path: Path) -> None:
    content = write(tmp_path / "w.pth", {"net": TENSORS}, zipped=zipped).read_bytes()
    for end in range(0, len(content), 37):
        (tmp_path / "cut.pth").write_bytes(content[:end])
        with pytest.raises(SightlineError):
            read_tensors(tmp_path / "cut.pth")


# names on both sides

PAIRS = (("backbone.blocks.{}.attn", "blocks.{}.attention"), ("backbone.pos_embed", "positions"), ("backbone", "body"))


def test_a_name_is_changed_by_whole_words_and_by_the_first_pair_that_fits() -> None:
    assert rename("backbone.blocks.11.attn.qkv.weight", PAIRS) == "blocks.11.attention.qkv.weight"
    assert rename("backbone.pos_embed", PAIRS) == "positions"
    assert rename("backbone.pos_embed_x", PAIRS) == "body.pos_embed_x"
    assert rename("backbones.pos_embed", PAIRS) == "backbones.pos_embed"


@given(st.integers(0, 99), st.sampled_from(["attn.qkv.weight", "norm1.bias", "mlp.fc2.weight"]))
def test_a_name_comes_back_from_the_other_side(number: int, rest: str) -> None:
    name = f"backbone.blocks.{number}.{rest}"
    assert rename(rename(name, PAIRS), [(ours, theirs) for theirs, ours in PAIRS]) == name


@pytest.mark.parametrize("name", sorted(zoo.SPECS))
def test_every_network_has_its_own_names_inside_and_the_authors_outside(name: str) -> None:
    spec = zoo.SPECS[name]
    with torch.device("meta"):
        network = models.build(spec)
    theirs = state_for_authors(network, spec)
    assert len(theirs) == len(network.state_dict())
    assert {rename(key, models.FAMILIES[spec.family].KEYS) for key in theirs} == set(network.state_dict())


def test_a_file_is_known_by_its_tensors_up_to_what_they_cannot_tell() -> None:
    with torch.device("meta"):
        tensors = state_for_authors(models.build(zoo.SPECS["ostrack-b256"]), zoo.SPECS["ostrack-b256"])
    found = [spec.name for spec in fits(tensors)]
    assert found == [
        "ostrack-b256",
        "ostrack-b256-ce",
        "ostrack-b256-ce-got10k",
        "zoomtrack-b256",
        "zoomtrack-b256-got10k",
        "ostrack-b256-prompt-red-line",
    ]


# a network and its file

NANO = zoo.SPECS["vittrack-nano"]


@pytest.fixture(scope="module")
def nano() -> Any:
    torch.manual_seed(3)
    return models.build(NANO)


def test_weights_come_back_from_a_file_with_their_spec(nano: Any, tmp_path: Path) -> None:
    save_weights(nano, NANO, tmp_path / "w.safetensors")
    assert spec_in(tmp_path / "w.safetensors") == NANO
    again, spec = load(tmp_path / "w.safetensors")
    assert spec == NANO
    assert not again.training
    assert_equal(again.state_dict(), {name: value.numpy() for name, value in nano.state_dict().items()})


def test_an_authors_file_becomes_ours_and_tells_itself_which_tracker_it_is(nano: Any, tmp_path: Path) -> None:
    checkpoint = write(tmp_path / "theirs.pth.tar", {"net": {**state_for_authors(nano, NANO), "convs.0.weight": torch.zeros(3)}})
    assert convert(checkpoint, None, tmp_path / "ours.safetensors") == NANO
    assert_equal(load(tmp_path / "ours.safetensors")[0].state_dict(), {name: value.numpy() for name, value in nano.state_dict().items()})


@pytest.mark.parametrize(
    "change,says",
    [
        pytest.param(lambda net: net.pop("norm.weight"), r"1 missing \(norm\.weight: 1\)", id="missing"),
        pytest.param(lambda net: net.update({"extra.bias": torch.zeros(1)}), r"1 unknown \(extra\.bias: 1\)", id="unknown"),
        pytest.param(lambda net: net.update({"norm.weight": torch.zeros(5)}), r"norm\.weight: \(5,\) instead of \(48,\)", id="shape"),
    ],
)
def test_tensors_that_do_not_fit_are_named_and_none_is_copied(change: Callable[[dict[str, Any]], Any], says: str, nano: Any) -> None:
    tensors = state_for_authors(nano, NANO)
    change(tensors)
    other = models.build(NANO)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(WeightsMismatch, match=says):
        fill(other, tensors, NANO)
    assert_equal(other.state_dict(), {name: value.numpy() for name, value in before.items()})


def test_the_tracker_that_would_fit_is_suggested(nano: Any, tmp_path: Path) -> None:
    checkpoint = write(tmp_path / "w.pth", state_for_authors(nano, NANO))
    with pytest.raises(WeightsMismatch, match=r"w\.pth is not kestrel-nano: .*It looks like vittrack-nano"):
        convert(checkpoint, "kestrel-nano", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_file_that_fits_no_tracker_asks_for_a_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="fits no known tracker; say which with --tracker"):
        convert(write(tmp_path / "w.pth", TENSORS), None, tmp_path / "out.safetensors")
