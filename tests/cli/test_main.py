from __future__ import annotations

import inspect
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sightline
from sightline.cli import COMMANDS, main
from sightline.errors import BadData

HEAVY = {"av", "cv2", "numpy", "onnx", "onnxruntime", "openvino", "ray", "torch"}


def test_help_is_instant_because_nothing_heavy_is_imported() -> None:
    code = "import json, sys; from sightline.cli import main; main(['--help']); print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    loaded = set(json.loads(printed.splitlines()[-1]))
    assert "tyro" in loaded
    assert not loaded & HEAVY


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sightline {sightline.__version__}\n"


def test_help_lists_every_command_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, command in COMMANDS.items():
        assert command.__doc__ is not None
        assert f"• {name} {command.__doc__.splitlines()[0]}" in printed


def test_without_words_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    asked = capsys.readouterr().out
    assert main([]) == 0
    assert capsys.readouterr().out == asked


def test_help_breaks_its_lines_where_they_are_full(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["track", "--help"]) == 0
    lines = [line.strip("│| \n") for line in capsys.readouterr().out.splitlines() if re.match(r".? {8}", line)]
    assert len(lines) > 20
    pairs = [(line, after) for line, after in itertools.pairwise(lines) if line and after and line[-1] not in ".)"]
    assert not [line for line, after in pairs if len(line) + 1 + len(after.split()[0]) < 50]  # where the docstring has a new line


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    printed = capsys.readouterr().out
    documentation = COMMANDS[name].__doc__ or ""
    for parameter in inspect.signature(COMMANDS[name]).parameters.values():
        option = "--" + parameter.name.removeprefix("as_").removesuffix("_").replace("_", "-")
        assert parameter.kind is parameter.POSITIONAL_ONLY or option in printed
        assert re.search(rf"^\s+{parameter.name}: \S", documentation, re.MULTILINE), f"{name}: {parameter.name} has no description"


@pytest.mark.parametrize(
    "arguments,told",
    [
        (["trak", "clip.mp4"], "there is no command 'trak': perhaps you meant track or trax."),
        (["clip.mp4"], "there is no command 'clip.mp4': expected one of track, batch, zoo,"),
        (["--verbose"], "Unrecognized options: --verbose. Available subcommands: track, batch, zoo,"),
        (["track"], "Missing from sightline track: SOURCE"),
        (["track", "clip.mp4", "--bax", "1,2,3,4"], "Perhaps you meant: --box"),
        (["track", "clip.mp4", "--box", "1", "2", "3", "4"], "2, 3, 4. Numbers that belong together have commas"),
        (["track", "clip.mp4", "--threads", "many"], "--threads cannot be 'many'"),
        (["track", "clip.mp4", "--callers", "soon"], "--callers cannot be 'soon'"),
        (["track", "clip.mp4", "--box"], "Missing value for argument '--box'"),
        (["convert", "weights.pth"], "--output"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_arguments_are_answered_by_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("sightline: error: ")
    assert printed.err.count("\n") == 1
    assert told in printed.err
    assert "--help`" in printed.err


def test_a_message_of_several_lines_becomes_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        """Break."""
        raise BadData("first\n  second")

    monkeypatch.setitem(COMMANDS, "broken", broken)
    assert main(["broken"]) == 2
    assert capsys.readouterr().err == "sightline: error: first second\n"


def test_an_interrupt_gives_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        """Be interrupted."""
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "interrupted", interrupted)
    assert main(["interrupted"]) == 130
    assert capsys.readouterr().err == "sightline: interrupted.\n"


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> None:
        """Be wrong."""
        raise ZeroDivisionError

    monkeypatch.setitem(COMMANDS, "wrong", wrong)
    with pytest.raises(ZeroDivisionError):
        main(["wrong"])


def test_the_exit_code_reaches_the_shell() -> None:
    ended = subprocess.run([sys.executable, "-m", "sightline", "trak"], check=False, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("sightline: error: ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no shell for this")
@pytest.mark.parametrize(
    "words,closed,code,told",
    [
        ("zoo", ">&-", 0, ""),
        ("zoo", ">&- 2>&- <&-", 0, ""),
        ("trak", ">&-", 2, "sightline: error: there is no command 'trak'"),
        ("trak", "2>&-", 2, ""),
    ],
)
def test_who_has_no_output_hears_nothing_and_gets_the_exit_code(words: str, closed: str, code: int, told: str) -> None:
    ended = subprocess.run(
        ["sh", "-c", f'exec "$1" -m sightline {words} {closed}', "sh", sys.executable], check=False, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.startswith(told)
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_an_output_that_finds_no_room_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([sys.executable, "-m", "sightline", "zoo"], check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("sightline: error: nothing more can be written (No space left on device)")
    assert ended.stderr.count("\n") == 1


def test_what_the_output_has_no_sign_for_is_escaped() -> None:
    code = "import sys; from sightline import cli, __main__; cli.main = lambda: print('b\\u00e4r \\udcff'); sys.exit(__main__.main())"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environment)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "b\\xe4r \\udcff\n", "")


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(options: list[str]) -> None:
    process = subprocess.Popen([sys.executable, "-m", "sightline", "zoo", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()
