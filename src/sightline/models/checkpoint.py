"""Weights files in and out: authors' checkpoints (read without running their pickles) and ours (safetensors with the spec).

On disk every tensor keeps its author's name; inside a network it has ours. `KEYS` of a family pairs the two.
"""

from __future__ import annotations

import pickle
import re
import tarfile
import types
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from sightline import models, zoo
from sightline.errors import WeightsMismatch, WeightsMissing, first_line
from sightline.spec import Spec, spec_to_json
from sightline.weights import SPEC_KEY, kind_of, spec_in, write_whole

__all__ = ["convert", "fill", "fits", "load", "read_tensors", "rename", "save_weights", "state_for_authors"]

WRAPPERS = ("net", "state_dict", "model", "network", "model_state_dict")  # where authors put the tensors


def rename(key: str, pairs: Iterable[tuple[str, str]]) -> str:
    """The name of a tensor on the other side of a table.

    A pair holds the beginnings of two names, whole words between dots; `{}` stands for a number which both share.
    The first pair that fits decides; a name that none fits stays.
    """
    for source, target in pairs:
        match = re.match(re.escape(source).replace(r"\{\}", r"(\d+)") + r"(?=\.|$)", key)
        if match:
            return target.format(*match.groups()) + key[match.end() :]
    return key


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file under the names that they have in it.

    Reads safetensors, PyTorch files old and new (whatever objects lie beside the tensors are replaced by inert
    placeholders: nothing in the file is executed) and the published ONNX graphs of VitTrack and FEAR-XS.

    Raises:
        WeightsMissing: no such file, or a file of another kind (named in the message).
        WeightsMismatch: the file holds no tensors.
    """
    kind = kind_of(path)
    if kind == "safetensors":
        return _read_safetensors(path)
    if kind == "onnx":
        from sightline.models import published_fear, published_onnx  # import onnx, which few files need

        return published_fear.read_fear_onnx(path) if published_fear.is_fear(path) else published_onnx.read_vittrack_onnx(path)
    if kind == "torchscript":
        raise WeightsMismatch(
            f"{path} is a TorchScript program, not a checkpoint; give the file of weights that the authors published beside it."
        )
    if tarfile.is_tarfile(path):  # torch would unpack it to disk
        raise WeightsMissing(f"{path} is a tar archive; give a checkpoint that torch.save wrote (its suffix may be .tar all the same).")
    try:
        content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=_inert_pickle())
    except Exception as error:  # a broken pickle can raise whatever Python can
        raise WeightsMissing(f"{path} is not a readable PyTorch file ({first_line(error)}); download it again.") from error
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)} if isinstance(content, Mapping) else {}
    if not tensors:
        raise WeightsMismatch(f"{path} holds no tensors at the top or under {', '.join(WRAPPERS)}; give the authors' checkpoint.")
    return {key.removeprefix("module."): value for key, value in tensors.items()}


def fits(tensors: Mapping[str, Tensor]) -> list[Spec]:
    """The specs whose network has exactly these tensors (the file cannot tell those apart)."""
    alike: dict[tuple[str, object], bool] = {}  # many trackers are one network with other settings
    for spec in zoo.SPECS.values():
        if (spec.family, spec.arch) not in alike:
            alike[spec.family, spec.arch] = not _differences(_skeleton(spec), _ours(tensors, spec.family))
    return [spec for spec in zoo.SPECS.values() if alike[spec.family, spec.arch]]


def fill(network: nn.Module, tensors: Mapping[str, Tensor], spec: Spec, name: str = "the file") -> None:
    """Copy tensors under their authors' names into a network of `spec`, all of them or none.

    Raises:
        WeightsMismatch: missing or unknown tensors or other shapes, grouped, and which spec would fit.
    """
    ours = _ours(tensors, spec.family)
    differences = _differences(network, ours)
    if differences:
        close = [other.name for other in fits(tensors)]
        hint = (
            f" It looks like {' or '.join(close)}: name that tracker instead." if close else " No known tracker has exactly these tensors."
        )
        details = tuple(f"{kind}: {key}{more}" for kind, keys in differences.items() for key, more in sorted(keys.items()))
        raise WeightsMismatch(f"{name} is not {spec.name}: {_in_words(differences)}.{hint}", details)
    network.load_state_dict(ours, strict=False)  # strict was checked above; counters of batches may be absent


def state_for_authors(network: nn.Module, spec: Spec) -> dict[str, Tensor]:
    """A network's tensors under the names that its authors use."""
    pairs = [(ours, theirs) for theirs, ours in models.FAMILIES[spec.family].KEYS]
    return {rename(key, pairs): value.detach().contiguous() for key, value in network.state_dict().items()}


def packed_weights(network: nn.Module, spec: Spec) -> bytes:
    """A safetensors file that carries its spec."""
    tensors = {
        key: value.clone() for key, value in state_for_authors(network, spec).items()
    }  # a parameter with two names is two in the file
    content: bytes = save(tensors, metadata={SPEC_KEY: spec_to_json(spec)})
    return content


def save_weights(network: nn.Module, spec: Spec, path: Path) -> None:
    """Write a safetensors file that carries its spec; whole or not at all."""
    write_whole({path: packed_weights(network, spec)})


def load(path: Path, spec: Spec | None = None) -> tuple[nn.Module, Spec]:
    """The network in a weights file, in evaluation mode, and its spec (from the file, else as given).

    Raises:
        WeightsMissing, WeightsMismatch: as `read_tensors` and `fill`; also when neither file nor caller names a spec.
    """
    spec = spec or spec_in(path)
    if spec is None:
        raise WeightsMismatch(f"{path} carries no spec; run `sightline convert {path} --tracker NAME --output W.safetensors` first.")
    network = models.build(spec)
    fill(network, read_tensors(path), spec, path.name)
    return network, spec


def convert(checkpoint: Path, tracker: str | None, output: Path) -> Spec:
    """An authors' file to a safetensors file with spec.

    Args:
        checkpoint: what `read_tensors` reads.
        tracker: name of the spec; None where the tensors themselves tell.
        output: file to write, suffix .safetensors.

    Raises:
        WeightsMissing, WeightsMismatch: the file cannot be read, is another network, or fits several trackers.
    """
    tensors = read_tensors(checkpoint)
    if tracker is None:
        candidates = fits(tensors)
        if len(candidates) != 1:
            found = f"fits {', '.join(spec.name for spec in candidates)}" if candidates else "fits no known tracker"
            raise WeightsMismatch(f"{checkpoint.name} {found}; say which with --tracker NAME (`sightline zoo` lists them).")
        tracker = candidates[0].name
    spec = zoo.find(tracker)
    network = models.build(spec)
    fill(network, tensors, spec, checkpoint.name)
    save_weights(network, spec, output)
    return spec


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise WeightsMissing(f"{path} is a broken safetensors file ({error}); download or convert it again.") from error
    return tensors


def _skeleton(spec: Spec) -> nn.Module:
    """A network of a spec without memory for its weights."""
    with torch.device("meta"):
        return models.build(spec)


def _ours(tensors: Mapping[str, Tensor], family: str) -> dict[str, Tensor]:
    """Tensors under our names, without those that the family declares as unused."""
    module = models.FAMILIES[family]
    used = {key: value for key, value in tensors.items() if not any(fnmatchcase(key, pattern) for pattern in module.UNUSED)}
    return {rename(key, module.KEYS): value for key, value in used.items()}


def _differences(network: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, dict[str, str]]:
    """What keeps `tensors` from filling `network`: kind of fault -> names, each with what more there is to say; empty where nothing does."""
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    given = {key: tuple(value.shape) for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    found = {
        "missing": dict.fromkeys(expected.keys() - given.keys(), ""),
        "unknown": dict.fromkeys(given.keys() - expected.keys(), ""),
        "of another shape": {
            key: f" {given[key]} instead of {expected[key]}" for key in expected.keys() & given.keys() if expected[key] != given[key]
        },
    }
    return {kind: keys for kind, keys in found.items() if keys}


def _in_words(differences: Mapping[str, Mapping[str, str]]) -> str:
    """The same in one line: how many of each kind, and where most of them are, or what the first of them is."""
    told = []
    for kind, keys in differences.items():
        first = min(keys)
        told.append(f"{len(keys)} {kind} ({f'{first}:{keys[first]}' if keys[first] else _grouped(sorted(keys))})")
    return ", ".join(told)


def _grouped(keys: list[str]) -> str:
    """`head.score: 18, norm: 2, ...` for a list of tensor names."""
    groups = Counter(".".join(key.split(".")[:2]) for key in keys)
    return ", ".join(f"{prefix}: {count}" for prefix, count in groups.most_common(4)) + (", ..." if len(groups) > 4 else "")


def _inert_pickle() -> types.ModuleType:
    """A pickle module for `torch.load` which knows tensors and containers, and makes placeholders of all else."""
    allowed = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch", "Size"): torch.Size,
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    }

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return allowed.get((module, name)) or _Placeholder

    def load(file: Any, **options: Any) -> Any:
        return Unpickler(file, **options).load()

    made = types.ModuleType("inert_pickle")
    made.__dict__.update(Unpickler=Unpickler, load=load)
    return made


class _Placeholder:
    """Stands for any object of an authors' package: accepts everything, does nothing."""

    def __init__(self, *_: object, **__: object) -> None: ...
    def __setstate__(self, state: object) -> None: ...
    def __setitem__(self, key: object, value: object) -> None: ...
    def append(self, item: object) -> None:
        """Accept an item of a pickled list."""

    def extend(self, items: object) -> None:
        """Accept items of a pickled list."""
