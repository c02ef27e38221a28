"""What every family of networks keeps to. A new family adds a row to SMALL: changes to its first spec's Arch, for speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.contract import checks  # noqa: E402
from sightline.engines import Array  # noqa: E402
from sightline.engines.state import apart  # noqa: E402
from sightline.methods import memory  # noqa: E402
from sightline.models.calls import OF_STEP, OF_TEMPLATE, example  # noqa: E402
from sightline.models.checkpoint import fill, state_for_authors  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.session import TorchSession  # noqa: E402
from sightline.spec import Augment, Spec  # noqa: E402
from sightline.tracker import method_of  # noqa: E402
from sightline.train.forward import answer  # noqa: E402
from sightline.train.samples import num_templates  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL: dict[str, dict[str, object]] = {
    "atom": {"steps": 1},
    "aqatrack": {"width": 64, "heads": 2, "depths": (1, 1, 1), "decoder": 1, "hidden": 32, "head_width": 32},
    "artrack": {"depth": 1, "width": 32, "heads": 2, "encoder": 1, "decoder": 1},
    "artrackv2": {
        "depth": 1,
        "extension": 1,
        "width": 32,
        "heads": 2,
        "appearance_depth": 1,
        "appearance_width": 32,
        "appearance_heads": 2,
    },
    "dcfnet": {},
    "eco": {"first": (2,), "augment": Augment(flip=True, dropouts=(0.2, 0.2)), "slots": 4, "every": 1},
    "dasiamrpn": {"widths": (8, 16, 16, 16, 16), "width": 16},
    "dimp": {"depth": 18, "width": 32, "steps": 1},
    "efficienttrack": {"depth": 1, "order": "FGAF"},
    "efficienttrack_ln": {"depth": 1},
    "ettrack": {
        "stages": (((3, 2),), ((3, 2),), ((3, 2),), ((5, 2),)),
        "score_width": 32,
        "score_kernels": (5, 3, 3),
        "box_width": 32,
        "box_kernels": (3, 5, 5),
        "query_width": 16,
        "hidden": 32,
    },
    "evptrack": {"width": 64, "heads": 2, "depths": (1, 1, 1), "head_width": 32},
    "fear": {"width": 32, "tower": 1},
    "grm": {"depth": 2, "width": 64, "heads": 2, "head_width": 32},
    "hcat": {"layers": 1, "width": 32, "heads": 2, "hidden": 32},
    "hit": {"widths": (32, 48, 64), "depths": (1, 1, 1), "heads": (2, 3, 4), "key_width": 8, "head_width": 32},
    "kestrel": {"depth": 1},
    "lighttrack": {"stages": (((3, 2),), ((3, 2),), ((3, 2),), ((5, 2),)), "score_kernels": (3,), "box_kernels": (3, 5)},
    "litetrack": {"depth": 2, "mixing": 1, "width": 64, "heads": 2, "head_width": 32},
    "lorat": {"depth": 2, "width": 64, "heads": 2},
    "mcitrack": {"width": 64, "depth": 2, "heads": 2, "head_width": 32, "layers": 2, "state": 4, "sure": 0.1},
    "merlin": {"width": 32, "tower": 1, "hidden": 8},
    "mixformer": {"widths": (16, 64), "depths": (1, 1), "heads": (1, 2), "head_width": 32},
    "mixformerv2": {"depth": 2, "width": 64, "heads": 2, "bins": 24},
    "mvt": {
        "stem": 8,
        "widths": (16, 16, 24, 32),
        "depths": (1, 1),
        "expansion": 2,
        "mixed_widths": (16, 32),
        "mixed_depths": (1, 1),
        "joined": 32,
        "head_width": 32,
    },
    "nanotrack": {},
    "odtrack": {"depth": 2, "width": 64, "heads": 2, "head_width": 32, "eliminate": (0,), "keep": (0.7,)},
    "ostrack": {"depth": 2, "width": 64, "heads": 2, "head_width": 32, "eliminate": (0,), "keep": (0.7,)},
    "seqtrack": {"depth": 1, "width": 64, "heads": 2, "layers": 2, "layer_width": 32, "layer_heads": 2, "layer_hidden": 32, "bins": 100},
    "siamfc": {"widths": (8, 16, 8, 8, 8), "gain": 1e-6},
    "siamrpn": {"widths": (8, 16, 16, 16, 16), "width": 16},
    "simtrack": {"depth": 2, "width": 64, "heads": 2, "head_width": 32},
    "smat": {
        "stem": 16,
        "widths": (16, 32, 48, 64),
        "depths": (1, 1),
        "mixed_widths": (16, 32),
        "mixed_depths": (1, 1),
        "joined": 32,
        "head_width": 32,
        "score_depth": 1,
        "box_depth": 1,
    },
    "stark": {"depth": 18, "width": 32, "heads": 2, "hidden": 64, "encoder": 1, "decoder": 1},
    "stark_lightning": {"stem": 16, "widths": (16, 24, 32), "blocks": (1, 2, 1), "width": 32, "heads": 2, "hidden": 64},
    "sutrack": {"width": 64, "depth": 1, "heads": 2, "head_width": 32, "task_width": 32},
    "swintrack": {"swin_width": 16, "depths": (1, 1, 2), "swin_heads": (1, 2, 4), "width": 64, "heads": 2, "encoder": 1},
    "tomp": {"depth": 18, "width": 32, "heads": 2, "hidden": 64, "encoder": 1, "decoder": 1},
    "transt": {"layers": 1, "width": 32, "heads": 2, "hidden": 32},
    "vittrack": {"depth": 1, "width": 64, "heads": 1, "head_width": 32},
    "vittrack_dist": {"depth": 1},
}
# factors on parameters of networks that multiply features of raw pixels with one another: noise alone would fill the range of floats
QUIET: dict[str, dict[str, float]] = {
    "dasiamrpn": {"trunk.layers.0.*": 1e-3, "score_template.*": 0.01, "adjust.weight": 0.01},
    "siamrpn": {"trunk.layers.0.*": 1e-3, "heads.*.last.3.weight": 0.01},
}
FAMILIES = pytest.mark.parametrize("family", sorted(models.FAMILIES))


def small(family: str) -> Spec:
    spec: Spec = zoo.FAMILIES[family].SPECS[0]
    if spec.learning is not None:
        spec = replace(spec, learning=replace(spec.learning, first=(1,), every=1, augment=Augment(flip=True, dropouts=(0.2,))))
    return replace(spec, arch=replace(spec.arch, **SMALL[family]))


def made(family: str) -> TorchSession:
    torch.manual_seed(0)
    network = stirred(models.build(small(family)))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            for pattern, factor in QUIET.get(family, {}).items():
                if fnmatchcase(name, pattern):
                    parameter.mul_(factor)
    return TorchSession(small(family), network)


session_of = cache(made)


def pictures(family: str, batch: int) -> dict[str, Array]:
    torch.manual_seed(batch)
    return {name: value.numpy() for name, value in example(small(family), batch).items()}


def outputs(session: TorchSession, arrays: dict[str, Array]) -> dict[str, Array]:
    """What a network says about crops, through both of its roles where it has two."""
    if session.roles == {"describe"}:
        return session.run("describe", {"search": arrays["search"][:, :2]})
    searches = {name: value for name, value in arrays.items() if name.startswith(OF_STEP)}
    state = {name: value for name, value in arrays.items() if name not in searches}
    if "init" in session.roles:
        state = session.run("init", state)
    return session.run("step", searches | in_every_slot(state, session.spec))


def in_every_slot(state: dict[str, Array], spec: Spec) -> dict[str, Array]:
    """The state of targets with one template, which stands in every slot; it does already where all are read together."""
    template, own = apart(state)
    return template | own if spec.memory.together else memory.spread(state, spec.memory, axis=1)


def test_every_family_has_data_a_network_and_a_row_here() -> None:
    assert set(zoo.FAMILIES) == set(models.FAMILIES) == set(SMALL)


@FAMILIES
def test_a_network_says_a_box_and_a_score_as_its_spec_promises(family: str) -> None:
    said = outputs(session_of(family), pictures(family, 2))
    named = {name for name in said if name != "gate" and not name.startswith("next.")}
    if "step" in session_of(family).roles:
        assert named == ({"box"} if small(family).score == "none" else {"box", "score"})
        assert said["box"].shape == (2, 4)
    else:
        assert all(maps.shape[:2] == (2, 2) for maps in said.values())
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in said.values())


@FAMILIES
def test_a_network_makes_nothing_on_another_device_than_its_own(family: str) -> None:
    spec = small(family)
    with torch.device("meta"):
        network = models.build(spec)
    for module in network.modules():  # tables that are made from numpy lie elsewhere until they are moved, as they would be to a GPU
        for name, value in module.named_buffers(recurse=False):
            setattr(module, name, value.to("meta"))
    given = {name: value.to("meta") for name, value in example(spec, 2).items() if name != "filled"}
    for name, value in given.items():
        is_template = name.startswith(OF_TEMPLATE)
        if not (is_template and spec.memory.together):  # these are several already
            given[name] = value.unsqueeze(1).expand(-1, num_templates(spec) if is_template else 1, *value.shape[1:])
    if hasattr(network, "step"):
        said = answer(network, spec, given)[0].said
    else:
        describe: Callable[[Any], dict[str, Any]] = getattr(network, "describe")  # noqa: B009  # nn.Module's attributes are tensors or modules to mypy
        said = describe(given["search"][:, 0])
    assert {value.device.type for value in said.values()} == {"meta"}


@FAMILIES
def test_a_tracker_keeps_every_promise_of_the_contract(family: str) -> None:
    for check in checks(method_of(session_of(family))):
        check()


@FAMILIES
def test_a_network_says_the_same_twice_and_again_when_built_again(family: str) -> None:
    arrays = pictures(family, 1)
    first, second, third = (outputs(session, arrays) for session in (session_of(family), session_of(family), made(family)))
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])
        np.testing.assert_array_equal(value, third[name])


@FAMILIES
def test_three_targets_in_one_batch_equal_three_alone(family: str) -> None:
    arrays = pictures(family, 3)
    together = outputs(session_of(family), arrays)
    for i in range(3):
        alone = outputs(session_of(family), {name: value[i : i + 1] for name, value in arrays.items()})
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][i : i + 1], value, atol=1e-5, err_msg=name)


@FAMILIES
def test_different_pictures_give_different_answers(family: str) -> None:
    arrays = pictures(family, 2)
    arrays["search"][1, ..., :96, 96:192, :] //= 8  # noise alone looks alike to a network that averages
    said = outputs(session_of(family), arrays)
    told = {name: value for name, value in said.items() if name in ("box", "score")} or said
    assert max(np.abs(value[0] - value[1]).max() for value in told.values()) > 1e-4


@FAMILIES
def test_the_exported_graphs_say_what_the_network_says(family: str) -> None:
    session = session_of(family)
    exported = graphs(session.network, session.spec)
    for batch in (1, 3):
        given = pictures(family, batch)
        expected = outputs(session, given)
        if "describe" in exported:
            given = {"search": given["search"][:, :2]}
        if "init" in exported:
            given |= run(exported["init"].SerializeToString(), given)
        searches = {name: value for name, value in given.items() if name.startswith(OF_STEP)}
        given = searches | in_every_slot({name: value for name, value in given.items() if name not in searches}, session.spec)
        said = run(exported["step" if "step" in exported else "describe"].SerializeToString(), given)
        assert said.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(said[name], value, atol=1e-4, err_msg=f"{name}, batch of {batch}")


def run(graph: bytes, given: dict[str, Array]) -> dict[str, Array]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    wanted = {entry.name: given[entry.name] for entry in session.get_inputs()}
    return dict(zip(names, session.run(names, wanted), strict=True))


@FAMILIES
def test_tensors_keep_their_values_under_the_authors_names_and_back(family: str) -> None:
    session = session_of(family)
    theirs = state_for_authors(session.network, session.spec)
    ours = session.network.state_dict()
    assert len(theirs) == len(ours)  # no two share a name
    again = models.build(session.spec)
    fill(again, theirs, session.spec)
    assert all(torch.equal(value, ours[name]) for name, value in again.state_dict().items())


@FAMILIES
def test_every_spec_of_a_family_can_be_built(family: str) -> None:
    with torch.device("meta"):  # shapes only
        for spec in zoo.FAMILIES[family].SPECS:
            assert spec.family == family
            assert sum(parameter.numel() for parameter in models.build(spec).parameters()) > 0
