from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.models.checkpoint import fill, state_for_authors  # noqa: E402
from sightline.models.hit import every_second, offset_table, places  # noqa: E402
from sightline.zoo.hit import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(widths=(32, 48, 64), depths=(1, 1, 1), heads=(2, 3, 4), key_width=8, head_width=32)


def test_the_template_stands_on_the_diagonal_beside_the_search_grid() -> None:
    assert places(2).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 2]]


def test_distances_are_numbered_as_they_first_appear() -> None:
    table, num = offset_table(places(2), places(2))
    assert num == 7
    assert table[0].tolist() == [0, 1, 2, 3, 4]  # nothing, right, down, both, two of both
    assert table[1].tolist() == [1, 0, 3, 2, 5]  # two down, one right
    assert table[2].tolist() == [2, 3, 0, 1, 6]
    assert torch.equal(table, table.T)


@pytest.mark.parametrize(
    "queries,keys,num",
    [
        pytest.param(places(16), places(16), 560, id="first stage"),
        pytest.param(2 * places(8), places(16), 558, id="between first and second stage"),
    ],
)
def test_there_are_as_many_biases_as_in_the_authors_files(queries: np.ndarray, keys: np.ndarray, num: int) -> None:
    table, found = offset_table(queries, keys)
    assert found == num
    assert table.shape == (len(queries), len(keys))
    assert set(table.flatten().tolist()) == set(range(num))


def test_places_of_fewer_tokens_are_those_that_are_left() -> None:
    grid = torch.from_numpy(places(4)[:16]).unsqueeze(0)
    assert every_second(grid, 4)[0].tolist() == (2 * places(2)[:4]).tolist()


def test_tables_of_places_in_an_authors_file_are_known_and_not_needed() -> None:
    spec = replace(zoo.find("hit-tiny"), arch=SMALL)
    network = stirred(models.build(spec))
    theirs = state_for_authors(network, spec)
    assert not any("bias_idxs" in key for key in theirs)
    tables = {key.replace("biases", "bias_idxs"): torch.zeros(2, 2) for key in theirs if key.endswith("attention_biases")}
    assert len(tables) == 5
    fill(models.build(spec), theirs | tables, spec)
