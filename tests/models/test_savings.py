"""What `step` saves changes no box: each family against its own plain form, and what the saving is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from sightline.engines.state import apart  # noqa: E402  # after the check for torch
from sightline.models.efficienttrack import Block  # noqa: E402
from sightline.models.layers.decode import decode_center, decode_corners, normalize, unit  # noqa: E402
from sightline.models.layers.heads import CenterMaps  # noqa: E402
from sightline.models.layers.mobilevit import Mixed  # noqa: E402
from sightline.models.layers.siamese import choose  # noqa: E402
from sightline.models.lorat import target_mask  # noqa: E402
from tests.models.stir import stirred  # noqa: E402
from tests.models.test_families import in_every_slot, pictures, session_of  # noqa: E402

State = dict[str, Any]
PIXEL = 1e-3 / 256  # a thousandth of a pixel of the smallest search crop


def one_stream(network: Any, search: Any, state: State, _: State) -> Any:
    return network.look(network.encode(torch.cat([state["tokens"], network.embed_search(normalize(search))], dim=1)))


def vittrack(network: Any, search: Any, state: State, _: State) -> Any:
    line = network.join(state["tokens"], *network.embed_search(normalize(search)))
    return decode_corners(network.head(network.grid(network.encode(line))), shift=(0.0, 15 / 16))


def sutrack(network: Any, search: Any, state: State, _: State) -> Any:
    twice = torch.cat([normalize(search)] * 2, dim=1)
    return network.look(network.encode(network.join(network.encoder.search_tokens(twice), state["tokens"].flatten(1, -2)))[1])


def mcitrack(network: Any, search: Any, state: State, _: State) -> Any:
    tokens = torch.cat([network.encoder.search_tokens(normalize(search)), state["tokens"].flatten(1, 2)], dim=1)
    return network.look(network.encode(tokens, state["state"]).features)


def lorat(network: Any, search: Any, _: State, given: State) -> Any:
    mask = target_mask(given["target"], network.arch.template_grid)
    maps = network.look(network.finish(network.encode(network.embed(normalize(given["template"]), normalize(search), mask))[-1]))
    box = choose(maps.distances, torch.sigmoid(maps.logits), network.middles(), window=network.arch.window).box
    return torch.cat([(box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]], dim=1)


def seqtrack(network: Any, search: Any, state: State, _: State) -> Any:
    read = network.embed_search(normalize(search))
    features, _ = network.encode(torch.cat([read, state["tokens"].flatten(1, 2)], dim=1))
    return network.decoder(network.bottleneck(features[:, : network.num_search])).words.float() / (network.arch.bins - 1)


def hivit(network: Any, search: Any) -> Any:
    return network.backbone.embed(normalize(search), network.backbone.search_positions)


PLAIN: dict[str, Callable[[Any, Any, State, State], Any]] = {
    "ostrack": lambda network, search, _, given: network.look(normalize(given["template"]), normalize(search)).maps,
    "vittrack": vittrack,
    "vittrack_dist": one_stream,
    "efficienttrack": one_stream,
    "efficienttrack_ln": one_stream,
    "grm": lambda network, search, _, given: network.look(normalize(given["template"]), normalize(search)).maps,
    "simtrack": lambda network, search, state, _: (
        network.look(state["tokens"], state["fovea"], network.embed_search(normalize(search))).box
    ),
    "odtrack": lambda network, search, state, _: (
        network.look(normalize(state["views"].flatten(0, 1)), normalize(search), state["passed"]).maps
    ),
    "aqatrack": lambda network, search, state, _: (
        network.look(state["tokens"], hivit(network, search), state["history"], state["known"]).maps
    ),
    "evptrack": lambda network, search, state, _: (
        network.look(state["scales"], state["tokens"], hivit(network, search), state["memory"]).maps
    ),
    "sutrack": sutrack,
    "mcitrack": mcitrack,
    "lorat": lorat,
    "seqtrack": seqtrack,
    "mvt": lambda network, search, state, _: network.look(
        network.trunk.mix(Mixed(network.trunk.read_alone(unit(search)), state["features"]))[-1]
    ),
}
CELLS = (0, 5, 15, 16, 120, 136, 240, 250, 255)  # of a map of 16 x 16 cells: corners, borders, the middle
FAMILIES = pytest.mark.parametrize("family", PLAIN)


def given_to(family: str) -> tuple[Any, State, State]:
    """The network of a family, what it is given for two targets, and their state."""
    session, given = session_of(family), pictures(family, 2)
    arrays = {name: array for name, array in given.items() if not name.startswith("search")}
    state = in_every_slot(session.run("init", arrays), session.spec)
    return session.network, tensors(given), tensors(state)


def tensors(arrays: State) -> State:
    template, own = apart(arrays)
    return {name: torch.from_numpy(array) for name, array in (template | own).items()}


@FAMILIES
@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is Any here
def test_a_step_says_the_box_of_the_plain_form(family: str) -> None:
    network, given, state = given_to(family)
    plain = PLAIN[family](network, given["search"], state, given)
    if not isinstance(plain, CenterMaps):
        torch.testing.assert_close(network.step(given["search"], **state)["box"], plain, atol=PIXEL, rtol=0)
        return
    for cell in CELLS:
        window = torch.zeros_like(network.window)
        window.view(-1)[cell * window.numel() // 256] = 1.0  # the response is largest there
        said = stepped(network, window, given["search"], state)
        box, _ = decode_center(plain, window)
        torch.testing.assert_close(said["box"], box, atol=PIXEL, rtol=0)
    said = stepped(network, network.window, given["search"], state)
    box, score = decode_center(plain, network.window, windowed=family in ("sutrack", "mcitrack"))
    torch.testing.assert_close(said["box"], box, atol=PIXEL, rtol=0)
    torch.testing.assert_close(said["score"], score, atol=1e-5, rtol=0)


def stepped(network: Any, window: Any, search: Any, state: State) -> State:
    """What a step says under another window."""
    before, network.window = network.window, window
    try:
        said: State = network.step(search, **state)
    finally:
        network.window = before
    return said


@pytest.mark.parametrize("order", ["A", "F", "AF", "FAF", "GAF", "FGAF"])
def test_a_block_says_of_some_tokens_what_it_says_of_them_among_all(order: Any) -> None:
    torch.manual_seed(0)
    block = stirred(Block(order, 64, 4, 16).eval())
    x = torch.randn(2, 12, 64)
    with torch.inference_mode():
        torch.testing.assert_close(block(x, slice(3, 9)), block(x)[:, 3:9])
