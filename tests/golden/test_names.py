"""Networks are saved under the names that their authors use: every one of them, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from sightline import models  # noqa: E402  # after the check for torch
from sightline.models.checkpoint import state_for_authors  # noqa: E402
from sightline.spec import Spec  # noqa: E402
from tests.conftest import need_shared  # noqa: E402
from tests.golden import (  # noqa: E402
    aqatrack,
    artrack,
    artrackv2,
    atom,
    dasiamrpn,
    dimp,
    eco,
    efficienttrack,
    ettrack,
    evptrack,
    fear,
    grm,
    hcat,
    hit,
    lighttrack,
    litetrack,
    lorat,
    mcitrack,
    mixformer,
    mixformerv2,
    mobilevit,
    nanotrack,
    odtrack,
    ostrack_prompt,
    procontext,
    seqtrack,
    siamfc,
    siammask,
    siamrpn,
    simtrack,
    stark,
    stark_lightning,
    sutrack,
    swintrack,
    tomp,
    transt,
    vipt,
    vittrack,
    vittrack_dist,
    zoomtrack,
)


@pytest.mark.parametrize(
    "system,spec_of",
    [
        pytest.param("atom", atom.spec_of, id="atom"),
        pytest.param("dimp", dimp.spec_of, id="dimp"),
        pytest.param("tomp", tomp.spec_of, id="tomp"),
        pytest.param("aqatrack", aqatrack.spec_of, id="aqatrack"),
        pytest.param("artrack", artrack.spec_of, id="artrack"),
        pytest.param("artrackv2", artrackv2.spec_of, id="artrackv2"),
        pytest.param("dasiamrpn", dasiamrpn.spec_of, id="dasiamrpn"),
        pytest.param("eco", eco.spec_of, id="eco"),
        pytest.param("efficienttrack", efficienttrack.spec_of, id="efficienttrack"),
        pytest.param("ettrack", ettrack.spec_of, id="ettrack"),
        pytest.param("evptrack", evptrack.spec_of, id="evptrack"),
        pytest.param("fear", fear.spec_of, id="fear"),
        pytest.param("grm", grm.spec_of, id="grm"),
        pytest.param("hcat", hcat.spec_of, id="hcat"),
        pytest.param("hit", hit.spec_of, id="hit"),
        pytest.param("lighttrack", lighttrack.spec_of, id="lighttrack"),
        pytest.param("litetrack", litetrack.spec_of, id="litetrack"),
        pytest.param("lorat/b*", lorat.spec_of, id="lorat"),
        pytest.param("mcitrack", mcitrack.spec_of, id="mcitrack"),
        pytest.param("mixformer", mixformer.spec_of, id="mixformer"),
        pytest.param("mixformerv2", mixformerv2.spec_of, id="mixformerv2"),
        pytest.param("mvt", mobilevit.spec_of, id="mvt"),
        pytest.param("nanotrack", nanotrack.spec_of, id="nanotrack"),
        pytest.param("odtrack", odtrack.spec_of, id="odtrack"),
        pytest.param("ostrack_prompt", ostrack_prompt.spec_of, id="ostrack_prompt"),
        pytest.param("procontext", procontext.spec_of, id="procontext"),
        pytest.param("seqtrack", seqtrack.spec_of, id="seqtrack"),
        pytest.param("siamfc/alexnet_*", siamfc.spec_of, id="siamfc"),
        pytest.param("siammask", siammask.spec_of, id="siammask"),
        pytest.param("siamrpn", siamrpn.spec_of, id="siamrpn"),
        pytest.param("simtrack", simtrack.spec_of, id="simtrack"),
        pytest.param("smat", mobilevit.spec_of, id="smat"),
        pytest.param("stark/lightning", stark_lightning.spec_of, id="stark_lightning"),
        pytest.param("stark/s*", stark.spec_of, id="stark"),
        pytest.param("sutrack", sutrack.spec_of, id="sutrack"),
        pytest.param("swintrack", swintrack.spec_of, id="swintrack"),
        pytest.param("transt", transt.spec_of, id="transt"),
        pytest.param("vipt", vipt.spec_of, id="vipt"),
        pytest.param("vittrack", vittrack.spec_of, id="vittrack"),
        pytest.param("vittrack_dist", vittrack_dist.spec_of, id="vittrack_dist"),
        pytest.param("zoomtrack", zoomtrack.spec_of, id="zoomtrack"),
    ],
)
def test_a_saved_network_has_the_names_and_shapes_of_its_authors(system: str, spec_of: Callable[[Mapping[str, Any]], Spec]) -> None:
    folder = system if "/" in system else f"{system}/*"
    metas = [json.loads(path.read_text()) for path in sorted(need_shared("golden").glob(f"{folder}/meta.json"))]
    metas = [meta for meta in metas if meta["keys"]]  # the others run a published file
    assert metas
    for meta in metas:
        spec = spec_of(meta)
        with torch.device("meta"):  # names and shapes only
            saved = state_for_authors(models.build(spec), spec)
        theirs = {key: tuple(shape) for key, shape in (meta["keys"] | meta["kept"]).items() if not is_unused(key, spec)}
        assert {key: tuple(value.shape) for key, value in saved.items()} == theirs, meta["config"]


def is_unused(key: str, spec: Spec) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in models.FAMILIES[spec.family].UNUSED)
