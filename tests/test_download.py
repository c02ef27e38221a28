from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sightline import zoo
from sightline.download import fetch
from sightline.errors import WeightsMissing
from sightline.spec import Spec
from sightline.weights import cache_folder, find
from tests.site import served

CONTENT = b"weights" * 50_000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a folder that holds good.pth."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "good.pth").write_bytes(CONTENT)
    with served(tmp_path / "site") as address:
        yield address


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SIGHTLINE_CACHE", str(folder))
    return folder


def spec_at(url: str, content: bytes = CONTENT) -> Spec:
    spec = zoo.find("vittrack-nano")
    return replace(spec, origin=replace(spec.origin, url=url, sha256=hashlib.sha256(content).hexdigest()))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_fetched_once_and_then_comes_from_the_cache(site: str, cache: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    path = fetch(spec_at(f"{site}/good.pth"), told=lambda done, total: told.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert files(cache) == [path]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    (tmp_path / "site" / "good.pth").unlink()
    assert fetch(spec_at(f"{site}/good.pth"), offline=True) == path


def test_another_file_than_the_expected_one_is_refused_and_not_kept(site: str, cache: Path) -> None:
    with pytest.raises(WeightsMissing, match="not the expected file"):
        fetch(spec_at(f"{site}/good.pth", b"other"))
    assert not files(cache)


def test_a_damaged_file_in_the_cache_is_fetched_again(site: str) -> None:
    path = fetch(spec_at(f"{site}/good.pth"))
    path.write_bytes(CONTENT[:-1])
    assert fetch(spec_at(f"{site}/good.pth")).read_bytes() == CONTENT


def test_what_cannot_be_fetched_leaves_nothing_and_says_why(site: str, cache: Path) -> None:
    for url, reason in ((f"{site}/absent.pth", "404"), ("http://127.0.0.1:9/x.pth", "refused")):
        with pytest.raises(WeightsMissing, match=reason):
            fetch(spec_at(url))
    assert not files(cache)


def test_offline_takes_the_cache_or_nothing(site: str) -> None:
    with pytest.raises(WeightsMissing, match="--offline"):
        fetch(spec_at(f"{site}/good.pth"), offline=True)


def test_a_folder_that_cannot_be_written_is_said(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsMissing, match="SIGHTLINE_CACHE"):
        fetch(spec_at(f"{site}/good.pth"))


def test_weights_at_no_public_address_are_explained_with_the_command_to_run() -> None:
    with pytest.raises(WeightsMissing, match=r"Google Drive.*sightline convert AUTHORS_FILE --tracker ostrack-b256"):
        fetch(zoo.find("ostrack-b256"))


def test_a_name_is_found_in_the_cache_once_its_weights_are_ready() -> None:
    with pytest.raises(WeightsMissing, match="sightline download nanotrack-v2"):
        find("nanotrack-v2")
    cache_folder().mkdir()
    for suffix in (".safetensors", ".onnx"):
        path = cache_folder() / f"nanotrack-v2{suffix}"
        path.write_bytes(b"")
        assert find("nanotrack-v2") == path


def test_every_address_in_the_zoo_has_the_sum_of_its_file() -> None:
    with_address = [spec for spec in zoo.SPECS.values() if spec.origin.url]
    assert with_address
    for spec in with_address:
        assert spec.origin.url.startswith("https://"), spec.name
        assert len(spec.origin.sha256) == 64, spec.name


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")  # as pathlib says of a user whom the system does not know

    for name in ("SIGHTLINE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(WeightsMissing, match="set SIGHTLINE_CACHE to a folder"):
        find("vittrack-nano")
