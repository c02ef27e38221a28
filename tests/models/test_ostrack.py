from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.errors import BadSpec  # noqa: E402
from sightline.models.calls import example  # noqa: E402
from sightline.models.checkpoint import fill, rename, state_for_authors  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.layers.decode import normalize  # noqa: E402
from sightline.models.ostrack import KEYS, UNUSED, Look, OSTrack, build  # noqa: E402
from sightline.spec import Crop, Memory, Spec  # noqa: E402
from sightline.zoo.ostrack import Arch  # noqa: E402
from tests.models.roles import for_step  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(template_grid=4, search_grid=6, depth=4, width=32, heads=2, head_width=16, eliminate=(1, 2), keep=(0.7, 0.5))


@cache
def made(arch: Arch) -> OSTrack:
    torch.manual_seed(0)  # networks of the same tensors are the same
    network = stirred(build(arch)).eval()
    assert isinstance(network, OSTrack)
    return network


def crops(arch: Arch, batch: int = 2) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(batch)
    return tuple(torch.randn(batch, 3, 16 * grid, 16 * grid, generator=generator) for grid in (arch.template_grid, arch.search_grid))


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is Any here
def look(arch: Arch, weights: Any = None, keep: float | None = None, *, batch: int = 2) -> Look:
    return made(arch).look(*crops(arch, batch), weights, keep)


def close(first: Any, second: Any) -> None:
    np.testing.assert_allclose(first.numpy(), second.numpy(), atol=2e-5)


# elimination


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"eliminate": (0,), "keep": (0.1,)}, id="first block"),
        pytest.param({"eliminate": (3,), "keep": (0.9,)}, id="last block"),
        pytest.param({"eliminate": (0, 1, 2, 3), "keep": (0.9, 0.8, 0.7, 0.6)}, id="every block"),
        pytest.param({"eliminate": (2, 0), "keep": (0.5, 0.25)}, id="named out of order"),
        pytest.param({"eliminate": (1, 2), "keep": (1.0, 0.5)}, id="nothing at first"),
        pytest.param({"template_grid": 7}, id="odd template"),
        pytest.param({"template_grid": 1, "search_grid": 1}, id="single tokens"),
        pytest.param({"search_grid": 9, "queries": "all"}, id="all decide"),
        pytest.param({"queries": "centre-box", "template_grid": 5}, id="the middle decides"),
    ],
)
def test_tokens_leave_at_any_block_in_any_share(changes: dict[str, Any]) -> None:
    arch = replace(SMALL, **changes)
    seen = look(arch)
    num = arch.search_grid**2
    removed = iter(seen.removed)
    for i, stage in enumerate(seen.stages):
        if i in arch.eliminate:
            kept = math.ceil(arch.keep[arch.eliminate.index(i)] * num)
            assert next(removed).shape == (2, num - kept)
            num = kept
        assert stage.tokens.shape == (2, arch.template_grid**2 + num, arch.width)
        assert stage.places.shape == (2, num)


def test_every_search_token_is_kept_or_removed_once() -> None:
    seen = look(SMALL)
    everything = torch.cat([seen.stages[-1].places, *seen.removed], dim=1)
    assert torch.equal(everything.sort(dim=1).values, torch.arange(36).expand(2, -1))


def test_removed_places_are_zero_and_only_those() -> None:
    seen = look(SMALL)
    search = seen.features[:, 16:]
    gone = torch.cat(seen.removed, dim=1)
    empty = (search == 0).all(dim=2)
    assert torch.equal(empty.nonzero()[:, 1].reshape(2, -1), gone.sort(dim=1).values)


def test_a_share_at_run_time_replaces_the_others() -> None:
    assert [places.shape[1] for places in look(SMALL, keep=0.9).removed] == [3, 3]
    close(look(SMALL, keep=1.0).features, look(replace(SMALL, eliminate=(), keep=())).features)


def test_the_template_tokens_that_decide_make_a_difference() -> None:
    kinds = [look(replace(SMALL, queries=queries)) for queries in ("all", "centre-point", "centre-box")]
    removed = [tuple(seen.removed[0].sort(dim=1).values.flatten().tolist()) for seen in kinds]
    assert len(set(removed)) == 3


# orders


@pytest.mark.parametrize("keep", [(), (0.7, 0.5)], ids=["whole", "eliminated"])
@pytest.mark.parametrize("order", ["template-central", "partition"])
def test_another_order_of_tokens_changes_nothing_else(order: Any, keep: tuple[float, ...]) -> None:
    arch = replace(SMALL, keep=keep, eliminate=(1, 2)[: len(keep)])
    direct, other = look(arch), look(replace(arch, order=order))
    assert not torch.equal(other.tokens, direct.tokens)
    close(other.features, direct.features)
    close(other.box, direct.box)
    for ours, theirs in zip(other.removed, direct.removed, strict=True):
        assert torch.equal(ours, theirs)


def test_an_odd_template_in_halves_goes_through_elimination_and_comes_back() -> None:
    arch = replace(SMALL, template_grid=7, order="partition")
    seen = look(arch)
    assert seen.tokens.shape[1] == 56 + 36  # a row of zeros takes part
    assert (seen.tokens[:, :7] == 0).all()
    assert seen.features.shape == (2, 49 + 36, 32)
    everything = torch.cat([seen.stages[-1].places, *seen.removed], dim=1)
    assert torch.equal(everything.sort(dim=1).values, torch.arange(36).expand(2, -1))


# target


TARGET = replace(SMALL, template_grid=8, queries="target")


def boxes(*rows: tuple[float, float, float, float]) -> Any:
    return torch.tensor(rows)


def pictures(arch: Arch, batch: int) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(batch)
    sides = (16 * arch.template_grid, 16 * arch.search_grid)
    return tuple(torch.randint(0, 256, (batch, side, side, 3), generator=generator, dtype=torch.uint8) for side in sides)


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is Any here
def step(network: OSTrack, template: Any, search: Any, target: Any = None) -> dict[str, Any]:
    """What a network says about search crops, given templates alone."""
    state: Any = network.init(template, target)
    return network.step(search, **state)


def test_targets_of_different_shape_in_one_batch_equal_each_alone() -> None:
    network, (template, search) = made(TARGET), pictures(TARGET, 2)
    target = boxes((0.5, 0.5, 0.7, 0.2), (0.5, 0.5, 0.3, 0.6))
    together = step(network, template, search, target)
    for i in (0, 1):
        alone = step(network, template[i : i + 1], search[i : i + 1], target[i : i + 1])
        close(together["box"][i : i + 1], alone["box"])


def test_the_target_decides_which_tokens_leave() -> None:
    network, (template, search) = made(TARGET), pictures(TARGET, 1)
    removed = []
    for target in (boxes((0.2, 0.2, 0.2, 0.2)), boxes((0.8, 0.8, 0.2, 0.2))):
        with torch.inference_mode():
            weights = network.init(template, target)["weights"]
            seen = network.look(normalize(template), normalize(search), weights)
            close(step(network, template, search, target)["box"], seen.box)
        removed.append(seen.removed[0].sort(dim=1).values)
    assert not torch.equal(*removed)


# what a step saves


PLAIN = {
    "whole": {"eliminate": (), "keep": ()},
    "eliminated": {},
    "eliminated in the last block too": {"eliminate": (1, 3), "keep": (0.7, 0.5)},
    "central": {"order": "template-central"},
    "in halves": {"order": "partition", "template_grid": 5},
    "merged": {"merge": "max"},
    "segments": {"segments": True},
    "corners": {"head": "corner"},
    "perceptron": {"head": "perceptron"},
    "windowed": {"windowed_score": True},
}


@pytest.mark.parametrize("changes", PLAIN.values(), ids=list(PLAIN))
def test_a_step_says_what_the_whole_network_says(changes: Any) -> None:
    arch = replace(SMALL, **changes)
    network, (template, search) = made(arch), pictures(arch, 2)
    said = step(network, template, search)
    with torch.inference_mode():
        seen = network.look(normalize(template), normalize(search))
    close(said["box"], seen.box)
    if seen.score is not None:
        close(said["score"], seen.score)


# merging


@pytest.mark.parametrize("templates", [1, 4], ids=["one template", "four templates"])
def test_the_three_ways_to_merge_what_leaves(templates: int) -> None:
    plain = replace(SMALL, templates=templates)
    template = torch.randn(2 * templates, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    _, search = crops(plain)
    boxes = {}
    for by in ("none", "mean", "sum", "max"):
        network = build(replace(plain, merge=by))
        network.load_state_dict(made(plain).state_dict())
        with torch.inference_mode():
            seen = network.eval().look(template, search)
        assert [stage.tokens.shape[1] - 16 * templates - stage.places.shape[1] for stage in seen.stages] == [0, *[int(by != "none")] * 3]
        assert torch.equal((seen.features[:, 16 * templates :] == 0).all(dim=2).sum(dim=1), torch.tensor([36 - 13] * 2))
        boxes[by] = seen.box
    close(boxes["mean"], boxes["sum"])  # the average divides by the total
    for first, second in (("none", "mean"), ("mean", "max"), ("none", "max")):
        assert not torch.allclose(boxes[first], boxes[second], atol=1e-6)


# several templates


SEVERAL = replace(SMALL, templates=4)


def test_in_which_order_templates_stand_changes_nothing() -> None:
    template = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    _, search = crops(SEVERAL, 1)
    with torch.inference_mode():
        first, other, fewer = (made(SEVERAL).look(given, search) for given in (template, template.flip(0), template[[0, 0, 0, 0]]))
    close(first.box, other.box)
    assert torch.equal(first.removed[0].sort(dim=1).values, other.removed[0].sort(dim=1).values)
    assert not torch.allclose(first.box, fewer.box, atol=1e-5)


def test_the_middle_tokens_of_all_templates_decide_alike() -> None:
    weights = made(SEVERAL).weights.reshape(4, 16)
    assert (weights > 0).sum() == 4
    assert torch.equal(weights, weights[:1].expand(4, -1))
    assert float(weights.sum()) == 1.0


def test_templates_of_a_batch_stay_with_their_targets() -> None:
    network = made(SEVERAL)
    generator = torch.Generator().manual_seed(1)
    template = torch.randint(0, 256, (3, 2, 2, 64, 64, 3), generator=generator, dtype=torch.uint8)
    search = torch.randint(0, 256, (3, 96, 96, 3), generator=generator, dtype=torch.uint8)
    with torch.inference_mode():
        state = several(network, template)
        together = network.step(search, **state)
        for i in range(3):
            close(together["box"][i : i + 1], network.step(search[i : i + 1], state["tokens"][i : i + 1])["box"])


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is Any here
def several(network: OSTrack, template: Any) -> dict[str, Any]:
    """The state of targets whose templates (B, changes, scales, h, w, 3) were read one change at a time, as a tracker does."""
    return {"tokens": torch.stack([network.init(template[:, i])["tokens"] for i in range(template.shape[1])], dim=1)}


def test_templates_that_are_read_one_after_another_are_those_that_are_read_together() -> None:
    network = made(SEVERAL)
    template = torch.randint(0, 256, (1, 2, 2, 64, 64, 3), dtype=torch.uint8)
    search = torch.randint(0, 256, (1, 96, 96, 3), dtype=torch.uint8)
    with torch.inference_mode():
        said = network.step(search, **several(network, template))
        seen = network.look(normalize(template.flatten(0, 2)), normalize(search))
    close(said["box"], seen.box)


def test_several_templates_export_for_any_batch() -> None:
    spec = replace(spec_of(SEVERAL), memory=Memory(every=(100,)), template=Crop(factor=2.0, size=64, scales=(1.0, 2.0)))
    graph = graphs(made(SEVERAL), spec)["step"]
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        template = torch.randint(0, 256, (batch, 2, 2, 64, 64, 3), dtype=torch.uint8)
        search = torch.randint(0, 256, (batch, 96, 96, 3), dtype=torch.uint8)
        with torch.inference_mode():
            state = several(made(SEVERAL), template)
            expected = made(SEVERAL).step(search, **state)
        [box] = session.run(["box"], {"tokens": state["tokens"].numpy(), "search": search.numpy()})
        np.testing.assert_allclose(box, expected["box"].numpy(), atol=1e-4)


# heads


@pytest.mark.parametrize("head", ["corner", "perceptron"])
def test_heads_without_a_score_say_a_box_only(head: Any) -> None:
    arch = replace(SMALL, head=head)
    said = step(made(arch), *pictures(arch, 3))
    assert said.keys() == {"box"}
    assert said["box"].shape == (3, 4)
    assert torch.isfinite(said["box"]).all()
    assert (said["box"].amax(dim=0) - said["box"].amin(dim=0)).max() > 1e-6


def test_segment_vectors_tell_template_and_search_apart() -> None:
    arch = replace(SMALL, segments=True)
    without, network = made(SMALL), build(arch)
    network.load_state_dict({**made(arch).state_dict(), **without.state_dict()})
    with torch.inference_mode():
        for ours, plain, segment in zip(
            network.embed(*crops(arch))[:2],
            without.embed(*crops(arch))[:2],
            (network.template_segment, network.search_segment),
            strict=True,
        ):
            close(ours - plain, segment.expand_as(ours))
    assert not torch.equal(network.template_segment, network.search_segment)


# names, data, export


def test_the_authors_names_and_shapes_are_ours_and_the_declared_rest(shared: Path) -> None:
    for fixture, name in (("vitb_256_mae_ce_32x4", "ostrack-b256-ce"), ("vitb_384_mae_ce_32x4", "ostrack-b384-ce")):
        theirs = json.loads((shared / "golden" / "ostrack" / fixture / "meta.json").read_text())["keys"]
        with torch.device("meta"):
            ours = state_for_authors(models.build(zoo.SPECS[name]), zoo.SPECS[name])
        shapes = {key: list(value.shape) for key, value in ours.items() if not key.endswith("num_batches_tracked")}
        assert shapes == {key: shape for key, shape in theirs.items() if key not in UNUSED}
        assert {key for key in UNUSED if "*" not in key} <= set(theirs)


@pytest.mark.parametrize("head", ["center", "corner", "perceptron"])
def test_every_head_and_segment_keeps_its_names(head: Any) -> None:
    arch = replace(SMALL, head=head, segments=True)
    spec = replace(zoo.SPECS["ostrack-b256"], arch=arch)
    theirs = state_for_authors(made(arch), spec)
    assert all(key.startswith(("backbone.", "box_head.")) for key in theirs)
    assert {rename(key, KEYS) for key in theirs} == set(made(arch).state_dict())
    again = build(arch)
    fill(again, {**theirs, **{key: torch.zeros(1) for key in UNUSED}}, spec)
    assert all(torch.equal(value, made(arch).state_dict()[key]) for key, value in again.state_dict().items())


@pytest.mark.parametrize(
    "changes,says",
    [
        pytest.param({"keep": (0.7,)}, "expected one share", id="a share is missing"),
        pytest.param({"keep": (0.7, 0.0)}, "above 0 and at most 1", id="nothing stays"),
        pytest.param({"keep": (0.7, 1.1)}, "above 0 and at most 1", id="more than all"),
        pytest.param({"eliminate": (1, 4)}, "blocks 0 to 3", id="no such block"),
        pytest.param({"eliminate": (1, 1)}, "twice", id="a block twice"),
        pytest.param({"templates": 2, "queries": "target"}, "2 templates", id="several templates, one target"),
        pytest.param({"merge": "max", "order": "template-central"}, "needs order 'direct'", id="merging in another order"),
        pytest.param({"merge": "max", "eliminate": (), "keep": ()}, "an elimination", id="nothing to merge"),
        pytest.param({"templates": 2, "order": "partition"}, "2 templates", id="several templates in halves"),
    ],
)
def test_an_elimination_that_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadSpec, match=says):
        build(replace(SMALL, **changes))


def spec_of(arch: Arch) -> Spec:
    sizes = {
        "template": Crop(factor=2.0, size=16 * arch.template_grid),
        "search": Crop(factor=4.0, size=16 * arch.search_grid),
    }
    feed = ("target",) if arch.queries == "target" else ()
    return replace(zoo.SPECS["ostrack-b256"], arch=arch, feed=feed, **sizes)  # type: ignore[arg-type]  # mypy joins the kinds of a dict


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"queries": "target"}, id="target"),
        pytest.param({"order": "template-central", "head": "corner"}, id="central, corners"),
        pytest.param({"merge": "max", "head": "perceptron"}, id="merged, perceptron"),
        pytest.param({"order": "partition", "template_grid": 5, "head": "perceptron", "segments": True}, id="odd halves, perceptron"),
    ],
)
def test_every_form_of_the_network_exports_for_any_batch(changes: dict[str, Any]) -> None:
    arch = replace(SMALL, depth=2, eliminate=(0, 1), **changes)
    spec = spec_of(arch)
    graph = graphs(made(arch), spec)["step"]
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    for batch in (1, 3):
        torch.manual_seed(batch)
        given: Any = example(spec, batch)
        if "target" in given:
            given["target"] = torch.rand(batch, 4) * 0.5 + 0.25
        given = for_step(made(arch), given)
        with torch.inference_mode():
            expected = made(arch).step(**given)
        said = dict(zip(names, session.run(names, {name: value.numpy() for name, value in given.items()}), strict=True))
        assert said.keys() == expected.keys()
        for name, value in said.items():
            np.testing.assert_allclose(value, expected[name].numpy(), atol=1e-4, err_msg=f"{name}, batch of {batch}")
