"""Weights files that lie at one public address: fetched once, held against their sha256, kept in the cache folder."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from sightline.errors import WeightsMissing
from sightline.spec import Spec
from sightline.weights import cache_folder, how_to_get, part_beside

__all__ = ["fetch"]

CHUNK = 1 << 16  # bytes
PATIENCE = 30.0  # seconds without a byte

Told = Callable[[int, "int | None"], None]  # bytes so far, and of the whole file where the server says


def fetch(spec: Spec, *, offline: bool = False, told: Told = lambda *_: None) -> Path:
    """The authors' file of a tracker, in the cache folder; from there where it is there already.

    Args:
        spec: whose file.
        offline: take it from the cache or not at all.
        told: called as bytes come in.

    Raises:
        WeightsMissing: the file lies at no public address, cannot be fetched, is not the one that was expected, or cannot be kept;
            a file that is not whole or not the expected one is never left in the cache.
    """
    if not (spec.origin.url and spec.origin.sha256):
        raise WeightsMissing(how_to_get(spec))
    path = cache_folder() / spec.origin.sha256[:16] / PurePosixPath(urllib.parse.urlsplit(spec.origin.url).path).name
    if path.is_file() and _sha256(path) == spec.origin.sha256:
        return path
    if offline:
        raise WeightsMissing(
            f"{path} is not in the cache and --offline was given: run `sightline download {spec.name}` once with a network."
        )
    part = part_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _copy(spec.origin.url, part, told)
        found = _sha256(part)
        if found != spec.origin.sha256:
            raise WeightsMissing(
                f"{spec.origin.url} is not the expected file: its sha256 is {found} instead of {spec.origin.sha256}. It was not kept; try again, or report it."
            )
        part.replace(path)
    except OSError as error:
        if isinstance(error, WeightsMissing):
            raise
        raise WeightsMissing(
            f"cannot keep {path} ({error.strerror or error}); set SIGHTLINE_CACHE to a folder that can be written."
        ) from error
    finally:
        if part.exists():
            part.unlink()
    return path


def _copy(url: str, path: Path, told: Told) -> None:
    """The bytes of an address into a file."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310  # addresses stand in the zoo, and the sum decides
            length = answer.headers.get("Content-Length")
            total = int(length) if length else None
            done = 0
            with path.open("wb") as file:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    told(done, total)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise WeightsMissing(f"cannot fetch {url} ({error}); check the network, or get the file by other means and convert it.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
