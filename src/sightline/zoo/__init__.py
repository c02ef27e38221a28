"""Every tracker that Sightline knows, as data. One file per family: its `Arch` dataclass and its `SPECS`."""

from __future__ import annotations

import difflib
from types import ModuleType

from sightline.errors import UnknownTracker
from sightline.spec import Spec, spec_from_json
from sightline.zoo import (
    aqatrack,
    artrack,
    artrackv2,
    atom,
    dasiamrpn,
    dcfnet,
    dimp,
    eco,
    efficienttrack,
    efficienttrack_ln,
    ettrack,
    evptrack,
    fear,
    grm,
    hcat,
    hit,
    kestrel,
    lighttrack,
    litetrack,
    lorat,
    mcitrack,
    merlin,
    mixformer,
    mixformerv2,
    mvt,
    nanotrack,
    odtrack,
    ostrack,
    seqtrack,
    siamfc,
    siamrpn,
    simtrack,
    smat,
    stark,
    stark_lightning,
    sutrack,
    swintrack,
    tomp,
    transt,
    vittrack,
    vittrack_dist,
)

__all__ = ["ARCHES", "FAMILIES", "SPECS", "find", "read_spec"]

FAMILIES: dict[str, ModuleType] = {
    "aqatrack": aqatrack,
    "artrack": artrack,
    "artrackv2": artrackv2,
    "atom": atom,
    "dasiamrpn": dasiamrpn,
    "dcfnet": dcfnet,
    "dimp": dimp,
    "eco": eco,
    "efficienttrack": efficienttrack,
    "efficienttrack_ln": efficienttrack_ln,
    "ettrack": ettrack,
    "evptrack": evptrack,
    "fear": fear,
    "grm": grm,
    "hcat": hcat,
    "hit": hit,
    "kestrel": kestrel,
    "lighttrack": lighttrack,
    "litetrack": litetrack,
    "lorat": lorat,
    "mcitrack": mcitrack,
    "merlin": merlin,
    "mixformer": mixformer,
    "mixformerv2": mixformerv2,
    "mvt": mvt,
    "nanotrack": nanotrack,
    "odtrack": odtrack,
    "ostrack": ostrack,
    "seqtrack": seqtrack,
    "siamfc": siamfc,
    "siamrpn": siamrpn,
    "simtrack": simtrack,
    "smat": smat,
    "stark": stark,
    "stark_lightning": stark_lightning,
    "sutrack": sutrack,
    "swintrack": swintrack,
    "tomp": tomp,
    "transt": transt,
    "vittrack": vittrack,
    "vittrack_dist": vittrack_dist,
}
ARCHES: dict[str, type] = {name: family.Arch for name, family in FAMILIES.items()}
SPECS: dict[str, Spec] = {spec.name: spec for family in FAMILIES.values() for spec in family.SPECS}


def find(name: str) -> Spec:
    """The spec called `name`.

    Raises:
        UnknownTracker: no spec has that name; close names are suggested.
    """
    if name in SPECS:
        return SPECS[name]
    close = difflib.get_close_matches(name, SPECS, n=3)
    hint = f"perhaps you meant {' or '.join(close)}" if close else "see `sightline zoo` for the names"
    raise UnknownTracker(f"there is no tracker called {name!r}: {hint}, or give the path of a weights file.")


def read_spec(text: str) -> Spec:
    """A spec from the JSON inside a weights file (`sightline.spec.spec_from_json` with every family's Arch)."""
    return spec_from_json(text, ARCHES)
