"""Weights files: which kind one is, the spec inside it, and where the ones in the wheel lie. Nothing here needs torch."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from sightline import zoo
from sightline.errors import BadSpec, WeightsMismatch, WeightsMissing
from sightline.spec import Spec

__all__ = [
    "BUILTIN",
    "INT8_KEY",
    "OBJECTS_KEY",
    "SPEC_KEY",
    "Kind",
    "builtin_names",
    "cache_folder",
    "find",
    "how_to_get",
    "init_path",
    "int8_in",
    "int8_path",
    "kind_of",
    "limit_of",
    "part_beside",
    "remove_parts",
    "sha256_of",
    "spec_in",
    "spec_text",
    "write_whole",
]

SPEC_KEY = "sightline.spec"
INT8_KEY = "sightline.int8"  # how a quantised file was made, and what it was checked on
OBJECTS_KEY = "objects"  # in that: how many different ones its check showed
ENOUGH_OBJECTS = 5  # those of a folder of ten sequences
BUILTIN = Path(__file__).parent / "builtin"

ONNX_FIELDS = b"\x12\x1a\x22\x28\x32\x3a\x42"  # tags that may follow: producer, its version, domain, model version, doc, graph, opset

METADATA = 14  # number of the field of an ONNX model whose entries are a key (1) and a value (2)
LONGEST_NOTE = 2**20  # bytes; a graph is longer, or has no use here
FIXED = {1: 8, 5: 4}  # kinds of fields that have always the same length

Kind: TypeAlias = Literal["onnx", "safetensors", "torch", "torchscript"]


def builtin_names() -> list[str]:
    """Names of the trackers in the wheel."""
    return sorted(path.stem for path in BUILTIN.glob("*.onnx") if not path.stem.endswith(".init"))


def cache_folder() -> Path:
    """Where fetched weights are kept: $SIGHTLINE_CACHE, or `sightline` in the user's cache folder. It need not exist.

    Raises:
        WeightsMissing: neither is told, and the user has no home, as in a container that runs under a number of its own.
    """
    given = os.environ.get("SIGHTLINE_CACHE")
    if given:
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sightline"
    except RuntimeError as error:
        raise WeightsMissing("this user has no home to keep files in: set SIGHTLINE_CACHE to a folder that can be written.") from error


def find(name_or_path: str | Path, *, as_trained: bool = False) -> Path:
    """The weights file of a path, of a built-in tracker's name, or of one that `sightline download` has prepared.

    Args:
        name_or_path: of the tracker.
        as_trained: of what `sightline download` has prepared, the file that was exported rather than the graph that came out.

    Raises:
        UnknownTracker: neither a file nor a known name.
        WeightsMissing: a known tracker whose weights are not here, or a path without a file.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    name = str(name_or_path)
    if name in builtin_names():
        return BUILTIN / f"{name}.onnx"
    if path.suffix or path.parent != Path():
        raise WeightsMissing(f"no weights file at {path}; give a path that exists, or a name from `sightline zoo`.")
    spec = zoo.find(name)
    suffixes = (".safetensors", ".onnx") if as_trained else (".onnx", ".safetensors")
    for kept in (cache_folder() / f"{name}{suffix}" for suffix in suffixes):
        if kept.is_file():
            return kept
    raise WeightsMissing(how_to_get(spec))


def how_to_get(spec: Spec) -> str:
    """One line on how a tracker that is not in the package is had."""
    name = spec.name
    if spec.origin.url and spec.origin.sha256:
        return f"the weights of {name} are not in the package: run `sightline download {name}` once."
    where = spec.origin.weights or f"no public weights are known; code: {spec.origin.code or 'not published'}"
    return (
        f"the weights of {name} are not in the package and lie at no public address ({where}): get the authors' file, "
        f"run `sightline convert AUTHORS_FILE --tracker {name} --output {name}.safetensors` and give that file."
    )


def init_path(path: Path) -> Path:
    """Where the graph that reads a template lies: `name.init.onnx` beside `name.onnx`."""
    return path.with_name(f"{path.stem}.init.onnx")


def int8_path(path: Path, engine: str) -> Path:
    """Where the quantised form of an ONNX file for an engine lies: beside it, or in the cache folder for those in the wheel."""
    folder = cache_folder() if path.parent == BUILTIN else path.parent
    return folder / f"{path.stem}.int8-{engine}.onnx"


def sha256_of(path: Path) -> str:
    """Of a file's content, in hexadecimal digits.

    Raises:
        WeightsMissing: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsMissing(f"cannot read the weights file {path} ({error.strerror}).") from error


def int8_in(path: Path) -> dict[str, Any] | None:
    """How a quantised ONNX file was made: `engine`, `source_sha256`, `calibration`, `agreement`, `objects`; None for any other file.

    Raises:
        WeightsMissing, WeightsMismatch: the file cannot be read.
    """
    if kind_of(path) != "onnx":
        return None
    text = _onnx_metadata(path).get(INT8_KEY)
    try:
        found: dict[str, Any] | None = None if text is None else dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise WeightsMismatch(f"{path} says under {INT8_KEY} what cannot be read ({error}); quantise it again.") from error
    return found


def limit_of(path: Path) -> str | None:
    """What has to be said of a file in int8 whose check saw few objects; None where it saw enough.

    Raises:
        WeightsMissing, WeightsMismatch: the file cannot be read.
    """
    note = int8_in(path) or {}
    objects = note.get(OBJECTS_KEY, 0)
    if objects >= ENOUGH_OBJECTS:
        return None
    told = note.get("calibration", {}).get("from", "nothing that it names")
    return (
        f"the boxes of {path.name} were compared with those of f32 for {objects} real object{'' if objects == 1 else 's'} ({told}): "
        "nothing is known of others. `sightline quantize --calibrate` with ten sequences or more tells."
    )


def kind_of(path: Path) -> Kind:
    """What a weights file is, by its first bytes and not by its suffix.

    Raises:
        WeightsMissing: no such file, or none of the kinds; the message says what it looks like.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
        size = path.stat().st_size
    except OSError as error:
        raise WeightsMissing(f"cannot read the weights file {path} ({error.strerror}).") from error
    if head[:4] == b"PK\x03\x04":
        return "torchscript" if any(name.endswith("/constants.pkl") for name in _names_in_zip(path)) else "torch"
    if len(head) > 9 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= size:
        return "safetensors"
    if head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04"):
        return "torch"
    # a message whose first field is a small version number, and whose second is one that a model has
    if len(head) > 2 and head[0] == 0x08 and head[1] < 0x80 and head[2] in ONNX_FIELDS:
        return "onnx"
    raise WeightsMissing(
        f"{path} is not a weights file: it {_looks_like(head, size)}; expected ONNX, safetensors or a PyTorch checkpoint. Download it again."
    )


def spec_in(path: Path) -> Spec | None:
    """The spec that a safetensors or ONNX file carries; None where it carries none.

    Raises:
        WeightsMissing, WeightsMismatch: the file cannot be read.
        BadSpec: the spec inside it cannot.
    """
    text = spec_text(path)
    try:
        return None if text is None else zoo.read_spec(text)
    except BadSpec as error:
        raise BadSpec(f"{path.name}: {error}") from error


def spec_text(path: Path) -> str | None:
    """The same as it stands in the file, unread.

    Raises:
        WeightsMissing, WeightsMismatch: the file cannot be read.
    """
    kind = kind_of(path)
    if kind == "safetensors":
        return _safetensors_metadata(path).get(SPEC_KEY)
    if kind == "onnx":
        return _onnx_metadata(path).get(SPEC_KEY)
    return None


def part_beside(path: Path) -> Path:
    """Where a file grows, beside the place that it takes when it is whole; nobody else has the same: another machine may write to the folder, too."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def write_whole(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together, each under a temporary name first: all of them appear, or none.

    Raises:
        WeightsMissing: a folder or file cannot be written; nothing is left behind.
    """
    parts = {path: part_beside(path) for path in files}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[path].write_bytes(content)
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        meant = {str(part): path for path, part in parts.items()}.get(str(error.filename), error.filename or next(iter(files)))
        raise WeightsMissing(f"cannot write {meant} ({error.strerror}); choose another place.") from error
    finally:
        for part in parts.values():
            if part.exists():
                part.unlink()


def remove_parts(folder: Path) -> None:
    """Take away what killed processes left half-written in a folder (`write_whole`); for its owner, while nobody else writes there."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


def _names_in_zip(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise WeightsMissing(f"{path} is a broken or truncated archive ({error}); download it again.") from error


def _safetensors_metadata(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except ValueError as error:
        raise WeightsMismatch(f"{path} begins like a safetensors file but its header is broken; download or convert it again.") from error
    metadata = header.get("__metadata__", {})
    return {str(key): str(value) for key, value in metadata.items()}


def _onnx_metadata(path: Path) -> dict[str, str]:
    """What stands beside the graph, found without reading it: a message is fields, each with its length in front (protobuf's wire format)."""
    try:
        with path.open("rb") as file:
            entries = [
                _fields(io.BytesIO(content), len(content)) for number, content in _fields(file, path.stat().st_size) if number == METADATA
            ]
        pairs = [{number: content.decode() for number, content in entry} for entry in entries]
    except (ValueError, EOFError) as error:
        raise WeightsMismatch(f"{path} begins like an ONNX file but cannot be read ({error}); export or download it again.") from error
    return {pair.get(1, ""): pair.get(2, "") for pair in pairs}


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Number and content of the fields of a message which have a length; empty content for those that are longer than any note."""
    while file.tell() < size:
        tag = _varint(file)
        kind = tag & 7
        if kind == 0:
            _varint(file)
        elif kind == 2:
            length = _varint(file)
            if file.tell() + length > size:
                raise EOFError(f"it ends at byte {size}, within a field of {length} bytes")
            if length > LONGEST_NOTE:
                file.seek(length, os.SEEK_CUR)
            yield tag >> 3, b"" if length > LONGEST_NOTE else file.read(length)
        elif kind in FIXED:
            file.seek(FIXED[kind], os.SEEK_CUR)
        else:
            raise ValueError(f"byte {file.tell()} is no field")


def _varint(file: BinaryIO) -> int:
    """A number in groups of seven bits, the lowest first."""
    value = shift = 0
    while byte := file.read(1):
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    raise EOFError("it ends within a number")


def _looks_like(head: bytes, size: int) -> str:
    if size == 0:
        return "is empty"
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return f"is a web page ({size:,} bytes)"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return f"is a text file ({size:,} bytes)"
    return f"begins with {head[:8].hex(' ')}"
