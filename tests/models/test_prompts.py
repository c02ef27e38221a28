"""Networks that are told what the target is, or shown a second picture of it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.cli import main  # noqa: E402
from sightline.errors import BadSpec  # noqa: E402
from sightline.models import ostrack  # noqa: E402
from sightline.models.calls import example  # noqa: E402
from sightline.models.checkpoint import fill, save_weights, state_for_authors  # noqa: E402
from sightline.models.export import export, graphs  # noqa: E402
from sightline.models.layers.decode import normalize  # noqa: E402
from sightline.models.layers.prompts import Alpha, Drawn, InsideOutside, PromptPair, SizeTokens, mark  # noqa: E402
from sightline.models.layers.visual_prompts import Prompts, VisualPrompts  # noqa: E402
from sightline.spec import Crop, Feed, Spec  # noqa: E402
from sightline.zoo.ostrack import Arch  # noqa: E402
from tests.models.roles import for_step  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(template_grid=4, search_grid=6, depth=3, width=32, heads=2, head_width=16, eliminate=(1,), keep=(0.7,))
TEMPLATE_PROMPTS = ("red-line", "line", "box", "painted", "painted-free", "alpha", "cutout", "size-tokens", "inside-outside")
FORMS: dict[str, tuple[dict[str, Any], tuple[Feed, ...]]] = {
    **{kind: ({"template_prompt": kind}, ("target",)) for kind in TEMPLATE_PROMPTS},
    "painted search": ({"search_prompt": "painted"}, ("prior",)),
    "box-tokens": ({"search_prompt": "box-tokens"}, ("prior",)),
    "both": ({"template_prompt": "size-tokens", "search_prompt": "box-tokens", "queries": "target"}, ("target", "prior")),
    "stack": ({"second": "stack"}, ("extra",)),
    "sum": ({"second": "sum"}, ("extra",)),
    "shallow": ({"second": "shallow"}, ("extra",)),
    "deep": ({"second": "deep"}, ("extra",)),
    "deep, drawn": ({"second": "deep", "template_prompt": "line", "segments": True}, ("target", "extra")),
    "deep, central": ({"second": "deep", "order": "template-central", "fovea": False}, ("extra",)),
    "target picture": ({"second": "deep", "shown": "target"}, ("target",)),
    "target mask": ({"second": "deep", "shown": "mask", "learned_search": True}, ("target",)),
}


def spec_of(form: str) -> Spec:
    changes, feed = FORMS[form]
    template, search = Crop(factor=2.0, size=64), Crop(factor=4.0, size=96)
    return replace(zoo.find("ostrack-b256"), arch=replace(SMALL, **changes), template=template, search=search, feed=feed)


def vittrack_of(form: str) -> Spec:
    changes, feed = FORMS[form]
    spec = zoo.find("vittrack-d3c128-conv2x2-corner")
    return replace(spec, arch=replace(spec.arch, depth=1, width=64, heads=1, head_width=32, **changes), feed=feed)


VITTRACK = (*TEMPLATE_PROMPTS, "painted search", "box-tokens", "stack", "sum")
SPECS = [pytest.param(spec_of(form), id=f"ostrack, {form}") for form in FORMS]
SPECS += [pytest.param(vittrack_of(form), id=f"vittrack, {form}") for form in VITTRACK]


@cache
def made(spec: Spec) -> Any:
    torch.manual_seed(0)
    return stirred(models.build(spec)).eval()


def inputs(spec: Spec, batch: int) -> dict[str, Any]:
    torch.manual_seed(batch)
    given = example(spec, batch)
    for name in {"target", "prior"} & set(given):
        given[name] = torch.rand(batch, 4) * 0.3 + 0.3
    return given


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is Any here
def step(spec: Spec, given: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = made(spec).step(**for_step(made(spec), given))
    return said


@pytest.mark.parametrize("spec", SPECS)
def test_what_a_network_is_told_or_shown_makes_a_difference(spec: Spec) -> None:
    given = inputs(spec, 2)
    before = step(spec, given)["box"]
    assert torch.equal(step(spec, given)["box"], before)
    other = {"target": torch.tensor([[0.5, 0.5, 0.6, 0.3]]), "prior": torch.tensor([[0.4, 0.6, 0.5, 0.1]])}
    for name in given.keys() - {"template", "search"}:
        changed = other[name].repeat(2, 1) if name in other else 255 - given[name]
        assert not torch.equal(step(spec, given | {name: changed})["box"], before), name


@pytest.mark.parametrize("spec", SPECS)
def test_three_targets_in_one_batch_equal_three_alone(spec: Spec) -> None:
    given = inputs(spec, 3)
    together = step(spec, given)["box"]
    for i in range(3):
        alone = step(spec, {name: value[i : i + 1] for name, value in given.items()})["box"]
        torch.testing.assert_close(alone, together[i : i + 1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("spec", SPECS)
def test_the_names_of_its_tensors_are_the_authors_and_come_back(spec: Spec) -> None:
    theirs = state_for_authors(made(spec), spec)
    ours = made(spec).state_dict()
    assert len(theirs) == len(ours)
    assert not any(key.startswith(("prompts.", "visual.", "second_stem.")) for key in theirs)
    again = models.build(spec)
    fill(again, theirs, spec)
    assert all(torch.equal(value, ours[name]) for name, value in again.state_dict().items())


def said_by_graph(graph: Any, network: Any, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a network says, and what its exported graph says."""
    names = [entry.name for entry in graph.get_outputs()]
    given = for_step(network, given) if hasattr(network, "init") else given
    assert {entry.name for entry in graph.get_inputs()} == set(given)
    with torch.inference_mode():
        expected = network.step(**given)
    return expected, dict(zip(names, graph.run(names, {name: value.numpy() for name, value in given.items()}), strict=True))


def exported(network: Any, spec: Spec) -> Any:
    graph = graphs(network, spec)["step"]
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


EXPORTED = ("ostrack, both", "ostrack, deep, drawn", "ostrack, target mask", "vittrack, sum")


@pytest.mark.parametrize("spec", [param for param in SPECS if param.id in EXPORTED])
def test_a_network_with_prompts_exports_for_any_batch(spec: Spec) -> None:
    graph = exported(made(spec), spec)
    for batch in (1, 3):
        expected, said = said_by_graph(graph, made(spec), inputs(spec, batch))
        np.testing.assert_allclose(said["box"], expected["box"].numpy(), atol=1e-4)


class AllPrompts(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch is Any here
    """All kinds of prompts side by side, in the shape of a network: one export for all."""

    def __init__(self) -> None:
        super().__init__()
        kinds: Any = {**dict.fromkeys(TEMPLATE_PROMPTS, "none"), "line": "painted"}
        self.pairs = torch.nn.ModuleList(PromptPair(*kind, width=32, heads=2, grids=(4, 6)) for kind in kinds.items())

    def step(self, template: Any, search: Any, target: Any, prior: Any) -> dict[str, Any]:
        at, was = mark(target, 64), mark(prior, 96)
        outputs: dict[str, Any] = {}
        for kind, pair in zip(TEMPLATE_PROMPTS, self.pairs, strict=True):
            assert isinstance(pair, PromptPair)
            (of_template, first), (of_search, second) = pair.on_template(normalize(template), at), pair.on_search(normalize(search), was)
            outputs |= {
                f"{kind}.template": of_template,
                f"{kind}.search": of_search,
                f"{kind}.front": torch.cat([was.box.unsqueeze(2).expand(-1, -1, 32), *first, *second], dim=1),
            }
            outputs[f"{kind}.added"] = pair.add(torch.ones(template.shape[0], 16, 32), at)
        return outputs


def test_every_kind_of_prompt_exports_for_any_batch() -> None:
    torch.manual_seed(0)
    network, spec = stirred(AllPrompts()).eval(), spec_of("both")
    graph = exported(network, spec)
    for batch in (1, 3):
        expected, said = said_by_graph(graph, network, inputs(spec, batch))
        assert said.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(said[name], value.numpy(), atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    "spec", [spec for name in ("ostrack", "vittrack") for spec in zoo.FAMILIES[name].SPECS], ids=lambda spec: spec.name
)
def test_a_spec_asks_for_what_its_network_is_told_and_shown(spec: Spec) -> None:
    arch = spec.arch
    shown = getattr(arch, "shown", "extra")
    assert ("target" in spec.feed) == (arch.template_prompt != "none" or shown != "extra")
    assert ("prior" in spec.feed) == (arch.search_prompt != "none")
    assert ("extra" in spec.feed) == (arch.second != "none" and shown == "extra")


@pytest.mark.parametrize(
    "changes,says",
    [
        pytest.param({"templates": 2, "template_prompt": "line"}, "2 templates", id="several templates, told"),
        pytest.param({"templates": 2, "second": "deep"}, "2 templates", id="several templates, shown"),
        pytest.param({"template_prompt": "cutout", "order": "partition"}, "'partition'", id="tokens in front of halves"),
        pytest.param({"template_prompt": "cutout", "second": "deep"}, "tokens in front", id="tokens in front and prompts"),
        pytest.param({"shown": "mask"}, "no such second picture", id="a mask for nothing"),
        pytest.param({"second": "deep", "learned_search": True}, "no such second picture", id="infrared that is learned"),
    ],
)
def test_prompts_that_cannot_be_together_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadSpec, match=says):
        ostrack.build(replace(SMALL, **changes))


# kinds


def test_a_mask_that_is_given_takes_the_place_of_the_box() -> None:
    spec = spec_of("alpha")
    given = inputs(spec, 1)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 10:30, 20:50] = 1
    assert not torch.allclose(step(spec, given | {"mask": mask})["box"], step(spec, given)["box"], atol=1e-6)


def test_a_box_marks_the_pixels_strictly_inside() -> None:
    mask = mark(torch.tensor([[0.25, 0.5, 0.25, 0.1]]), 64).mask[0, 0]
    rows, columns = torch.nonzero(mask, as_tuple=True)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (17, 31, 33, 38)


def test_a_given_colour_covers_a_line_of_three_pixels_and_is_not_learned() -> None:
    prompt = Drawn("line", colour=(1.0, 0.0, 0.0))
    assert not prompt.state_dict()
    picture = torch.zeros(1, 3, 64, 64)
    drawn = prompt.draw(picture, mark(torch.tensor([[0.25, 0.25, 0.5, 0.5]]), 64))
    assert (drawn[0, :, 32, 32] == 0).all()
    assert [column for column in range(32) if drawn[0, 0, 32, column] != 0] == [15, 16, 17]
    assert drawn[0, :, 32, 16] * torch.tensor([0.229, 0.224, 0.225]) + torch.tensor([0.485, 0.456, 0.406]) == pytest.approx(
        torch.tensor([1.0, 0.0, 0.0]), abs=1e-6
    )


def test_an_untrained_alpha_channel_changes_nothing() -> None:
    tokens, at = torch.randn(1, 16, 32), mark(torch.tensor([[0.2, 0.2, 0.5, 0.5]]), 64)
    assert torch.equal(Alpha(32).add(tokens, at), tokens)


def test_a_token_is_told_by_its_share_of_the_target() -> None:
    prompt: Any = InsideOutside(1)
    with torch.no_grad():
        prompt.inside.fill_(3.0)
        prompt.outside.fill_(-1.0)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:32, 16:40] = 1
    added = prompt.add(torch.zeros(1, 16, 1), mark(torch.zeros(1, 4), 64, mask)).reshape(4, 4)
    expected = torch.full((4, 4), -1.0)
    expected[1, 1], expected[1, 2] = 3.0, 1.0
    torch.testing.assert_close(added, expected)


def test_rows_of_a_table_are_not_longer_than_one() -> None:
    prompt: Any = SizeTokens(8)
    with torch.no_grad():
        prompt.table.fill_(5.0)
        prompt.table[32] = 0.01
        tokens = prompt.front(torch.zeros(1), mark(torch.tensor([[0.0, 0.0, 0.2, 0.8]]), 64))
    assert tokens is not None
    assert tokens[0].norm(dim=1).tolist() == pytest.approx([0.01 * 8**0.5, 1.0])  # width 32, height 128, of which 127 is the last row


def test_visual_prompts_that_say_nothing_leave_the_network_as_it_is() -> None:
    spec = spec_of("deep")
    plain = replace(spec, arch=replace(spec.arch, second="none"), feed=())
    network = made(spec)
    silent: Any = models.build(spec)
    silent.load_state_dict(
        {name: torch.zeros_like(value) if ".out." in name and "visual" in name else value for name, value in network.state_dict().items()}
    )
    without: Any = models.build(plain)
    without.load_state_dict({name: value for name, value in network.state_dict().items() if not name.startswith(("visual", "second"))})
    given = inputs(spec, 2)
    with torch.inference_mode():
        plain_given = {name: given[name] for name in ("template", "search")}
        said, expected = silent.step(**for_step(silent, given)), without.step(**for_step(without, plain_given))
    torch.testing.assert_close(said["box"], expected["box"])


def test_later_prompts_go_to_the_tokens_that_are_still_there() -> None:
    torch.manual_seed(0)
    visual: Any = stirred(VisualPrompts(8, 4, depth=2, fovea=True))
    template, search = torch.randn(1, 4, 8), torch.randn(1, 9, 8)
    places = torch.tensor([[7, 2, 5]])
    prompts = Prompts(torch.randn(1, 4, 8), torch.randn(1, 9, 8))
    with torch.inference_mode():
        tokens, new = visual.later(1, Prompts(template, search[:, places[0]]), places, prompts)
    torch.testing.assert_close(tokens.search - search[:, places[0]], new.search[:, places[0]])
    torch.testing.assert_close(tokens.template - template, new.template)
    assert new.search.shape == (1, 9, 8)


# as a tracker


def test_a_tracker_follows_a_visible_and_an_infrared_video_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scene", str(tmp_path / "clip.mp4"), "--look", "pair", "--frames", "4", "--width", "160", "--height", "120"]) == 0
    box = (tmp_path / "clip.txt").read_text().splitlines()[0]
    weights = tmp_path / "tiny.safetensors"
    spec = spec_of("deep")
    save_weights(made(spec), replace(spec, name="tiny"), weights)
    export(weights, tmp_path / "tiny.onnx")
    visible, infrared = tmp_path / "clip.mp4", tmp_path / "clip-infrared.mp4"

    def track(tracker: str, *second: Path) -> Any:
        given = [str(argument) for path in second for argument in ("--infrared", path)]
        command = ["track", str(visible), "--box", box, "--tracker", str(tmp_path / tracker), "--results", str(tmp_path / "boxes.txt")]
        capsys.readouterr()
        return main([*command, *given, "--json"]), capsys.readouterr()

    followed = []
    for tracker, second in (("tiny.safetensors", infrared), ("tiny.onnx", infrared), ("tiny.onnx", visible)):
        code, said = track(tracker, second)
        assert code == 0
        assert json.loads(said.out)["infrared_used"]
        followed.append(np.loadtxt(tmp_path / "boxes.txt", delimiter=","))
        assert followed[-1].shape == (4, 4)
        assert np.isfinite(followed[-1]).all()
    np.testing.assert_allclose(followed[1], followed[0], atol=0.01)
    assert np.abs(followed[2] - followed[1]).max() > 0.1  # what the second video shows counts
    code, said = track("tiny.onnx")
    assert code != 0
    assert "looks at two pictures" in said.err
