"""A network, its torch session and its exported graphs say the same."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")

from sightline import zoo  # noqa: E402  # after the check for torch
from sightline.engines import Array, open_session  # noqa: E402
from sightline.errors import BadSpec, EngineError, WeightsMismatch, WeightsMissing  # noqa: E402
from sightline.models import build  # noqa: E402
from sightline.models.calls import example  # noqa: E402
from sightline.models.checkpoint import load, save_weights  # noqa: E402
from sightline.models.export import export  # noqa: E402
from sightline.models.session import TorchSession  # noqa: E402
from sightline.spec import Spec  # noqa: E402
from sightline.weights import SPEC_KEY, find, init_path, kind_of, spec_in  # noqa: E402


@dataclass(frozen=True)
class Files:
    spec: Spec
    safetensors: Path
    onnx: Path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """An untrained built-in network as both kinds of file."""
    folder = tmp_path_factory.mktemp("exported")
    spec = zoo.SPECS["kestrel-nano"]
    torch.manual_seed(0)
    save_weights(build(spec), spec, folder / "w.safetensors")
    export(folder / "w.safetensors", folder / "w.onnx")
    return Files(spec, folder / "w.safetensors", folder / "w.onnx")


def arrays(spec: Spec, batch: int) -> dict[str, Array]:
    torch.manual_seed(batch)
    return {name: value.numpy() for name, value in example(spec, batch).items()}


def outputs(path: Path, given: dict[str, Array]) -> dict[str, Array]:
    session = open_session(path, threads=1 if path.suffix == ".onnx" else None)
    state = session.run("init", {"template": given["template"]})
    return state | session.run("step", {"search": given["search"], **state})


def test_the_exported_graphs_equal_the_network_at_any_batch_size(files: Files) -> None:
    for batch in (1, 3):
        given = arrays(files.spec, batch)
        ours, theirs = outputs(files.onnx, given), outputs(files.safetensors, given)
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert value.shape[0] == batch
            np.testing.assert_allclose(value, theirs[name], atol=1e-5, err_msg=name)


def test_weights_stored_in_half_take_half_the_room(files: Files, tmp_path: Path) -> None:
    export(files.safetensors, tmp_path / "half.onnx", half=True)
    assert (tmp_path / "half.onnx").stat().st_size < 0.65 * files.onnx.stat().st_size
    given = arrays(files.spec, 2)
    full, half = outputs(files.onnx, given), outputs(tmp_path / "half.onnx", given)
    for name, value in full.items():
        np.testing.assert_allclose(half[name], value, atol=2e-3 * np.abs(value).max(), err_msg=name)


def test_every_file_carries_its_spec(files: Files) -> None:
    assert spec_in(files.safetensors) == spec_in(files.onnx) == spec_in(init_path(files.onnx)) == files.spec
    assert (kind_of(files.safetensors), kind_of(files.onnx)) == ("safetensors", "onnx")


def test_loading_and_saving_again_changes_nothing(files: Files, tmp_path: Path) -> None:
    network, spec = load(files.safetensors)
    save_weights(network, spec, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == files.safetensors.read_bytes()


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
def test_a_session_survives_a_pickle(files: Files, kind: str) -> None:
    session = open_session(getattr(files, kind))
    again = pickle.loads(pickle.dumps(session))
    given = {"template": arrays(files.spec, 1)["template"]}
    np.testing.assert_array_equal(again.run("init", given)["keys"], session.run("init", given)["keys"])


def test_a_session_of_a_network_in_memory_survives_a_pickle(files: Files) -> None:
    session = TorchSession(files.spec, load(files.safetensors)[0])
    again = pickle.loads(pickle.dumps(session))
    given = {"template": arrays(files.spec, 1)["template"]}
    np.testing.assert_array_equal(again.run("init", given)["keys"], session.run("init", given)["keys"])


def test_the_graph_alone_says_that_its_partner_is_missing(files: Files, tmp_path: Path) -> None:
    shutil.copy(files.onnx, tmp_path / "alone.onnx")
    with pytest.raises(WeightsMissing, match=r"needs alone\.init\.onnx"):
        open_session(tmp_path / "alone.onnx")


def test_a_graph_without_spec_says_how_to_get_one(files: Files, tmp_path: Path) -> None:
    model = onnx.load(files.onnx)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(WeightsMismatch, match="carries no spec"):
        open_session(tmp_path / "foreign.onnx")
    shutil.copy(init_path(files.onnx), tmp_path / "foreign.init.onnx")
    assert open_session(tmp_path / "foreign.onnx", spec=files.spec).spec == files.spec


def test_a_spec_of_another_version_is_named_with_its_file(files: Files, tmp_path: Path) -> None:
    model = onnx.load(files.onnx)
    del model.metadata_props[:]
    model.metadata_props.add(key=SPEC_KEY, value='{"version": 99}')
    onnx.save(model, tmp_path / "later.onnx")
    with pytest.raises(BadSpec, match=r"later\.onnx: .*version 99"):
        spec_in(tmp_path / "later.onnx")


@pytest.mark.parametrize(
    "options,says",
    [
        pytest.param({"engine": "steam"}, "no engine called 'steam'", id="unknown engine"),
        pytest.param({"device": "abacus"}, "no provider for device 'abacus'", id="unknown device"),
        pytest.param({"engine": "torch", "threads": 2}, "one thread setting for the whole process", id="torch threads"),
    ],
)
def test_an_engine_that_cannot_serve_says_why(files: Files, options: dict[str, object], says: str) -> None:
    with pytest.raises(EngineError, match=says):
        open_session(files.onnx, **options)  # type: ignore[arg-type]  # a table of wrong arguments


def test_onnxruntime_sends_a_safetensors_file_to_export(files: Files) -> None:
    with pytest.raises(EngineError, match="sightline export"):
        open_session(files.safetensors, engine="onnxruntime")


def test_arrays_of_a_wrong_shape_are_refused_in_one_line(files: Files) -> None:
    with pytest.raises(EngineError, match="onnxruntime refuses kestrel-nano") as refused:
        open_session(files.onnx).run("init", {"template": np.zeros((1, 64, 64, 3), np.uint8)})
    assert "\n" not in str(refused.value)


def test_an_export_that_cannot_be_written_leaves_nothing(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsMissing, match="cannot write"):
        export(files.safetensors, tmp_path / "file" / "w.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_known_tracker_without_weights_says_how_to_convert_them() -> None:
    with pytest.raises(WeightsMissing, match="sightline convert"):
        find("hit-tiny")
    with pytest.raises(WeightsMissing, match="no weights file at"):
        find("nowhere/w.onnx")


def test_a_graph_that_names_no_producer_is_still_known_as_onnx(files: Files, tmp_path: Path) -> None:
    model = onnx.load(files.onnx)
    model.producer_name = model.producer_version = ""
    onnx.save(model, tmp_path / "plain.onnx")
    assert kind_of(tmp_path / "plain.onnx") == "onnx"
