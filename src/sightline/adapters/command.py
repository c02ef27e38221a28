"""A program that speaks TraX on its standard input and output, as a tracker."""

from __future__ import annotations

import contextlib
import math
import queue
import shlex
import subprocess
import tempfile
import threading
import weakref
from pathlib import Path
from typing import IO

from sightline.adapters.foreign import box_of
from sightline.adapters.trax import Message, box_from_region, decode, encode, is_code, region_from_box, version_of, word_from_image
from sightline.box import Box
from sightline.errors import EngineError
from sightline.frame import Image

__all__ = ["CommandFollower"]

REGIONS_ALONE = 4  # version of the protocol from which "initialize" has no image; the first frame follows it
PATIENCE = 120.0  # seconds for any answer; loading a large network is one
GRACE = 3.0  # seconds between the request to quit and the end


class CommandFollower:
    """One process for one target: many programs end after a target, and none that does not is harmed.

    Args:
        command: as for a shell, though none is started.
        patience: seconds to wait for any answer.

    Raises:
        EngineError: it does not start, says no hello, or wants what is not spoken here.
    """

    def __init__(self, command: str, patience: float = PATIENCE) -> None:
        self._command, self._patience = command, patience
        self._folder = tempfile.TemporaryDirectory(prefix="sightline-trax-")
        self._errors = (Path(self._folder.name) / "stderr").open("w+b")
        try:
            self._process = subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except (OSError, ValueError, IndexError) as error:
            self._errors.close()
            self._folder.cleanup()
            raise EngineError(f"the command {command!r} does not start ({error}).") from error
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._words: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_listen, args=(self._process.stdout, self._lines), daemon=True).start()
        threading.Thread(target=_speak, args=(self._process.stdin, self._words), daemon=True).start()
        self._finish = weakref.finalize(self, _end, self._process, self._words, self._errors, self._folder)
        hello = self._receive("hello")
        self.name = hello.named.get("trax.name", "")
        self._images = hello.named.get("trax.image", "path")
        self._starts_apart = version_of(hello) >= REGIONS_ALONE
        if not {"path", "memory"} & set(self._images.split(";")):
            raise EngineError(f"the command {command!r} reads images as {self._images!r}; path and memory are spoken here.")

    def init(self, image: Image, box: Box) -> None:
        """Mark the target."""
        if self._starts_apart:
            self._send(Message("initialize", (region_from_box(box),)))
            self._send(Message("frame", (self._word(image),)))
        else:
            self._send(Message("initialize", (self._word(image), region_from_box(box))))
        self._receive("state")

    def update(self, image: Image) -> tuple[Box | None, float]:
        """Where it is, None where it says by a code that it does not know, and its confidence where it gives one."""
        self._send(Message("frame", (self._word(image),)))
        state = self._receive("state")
        try:
            score = float(state.named.get("confidence", "nan"))
        except ValueError:
            score = math.nan
        return None if is_code(state.words[0]) else box_of(box_from_region(state.words[0])), score

    def close(self) -> None:
        """End the program; also done when nobody holds the follower any more."""
        self._finish()

    def _word(self, image: Image) -> str:
        return word_from_image(image, self._images, Path(self._folder.name))

    def _send(self, message: Message) -> None:
        self._words.put(encode(message))

    def _receive(self, kind: str) -> Message:
        """The next message; lines between messages are the program's own."""
        while True:
            try:
                line = self._lines.get(timeout=self._patience)
            except queue.Empty:
                raise EngineError(f"the command {self._command!r} gave no {kind} within {self._patience:.0f} s.{self._said()}") from None
            if line is None:
                raise EngineError(f"the command {self._command!r} ended before its {kind}.{self._said()}")
            message = decode(line)
            if message is not None:
                if message.kind != kind:
                    raise EngineError(f"the command {self._command!r} answered {message.kind!r}; expected {kind!r}.{self._said()}")
                return message

    def _said(self) -> str:
        """The last line on its standard error."""
        text = (Path(self._folder.name) / "stderr").read_text(encoding="utf-8", errors="replace").strip()
        return f" It said: {text.splitlines()[-1]}" if text else ""


def _speak(sink: IO[str], words: queue.Queue[str | None]) -> None:
    """Write what is to be said, in a thread: a program that does not read would hold up whoever waits for it. It has ended: noticed when its answer is read."""
    with contextlib.suppress(OSError, ValueError), sink:
        for line in iter(words.get, None):
            sink.write(line)
            sink.flush()


def _listen(source: IO[str], lines: queue.Queue[str | None]) -> None:
    with contextlib.suppress(OSError, ValueError), source:
        for line in source:
            lines.put(line)
    lines.put(None)


def _end(
    process: subprocess.Popen[str], words: queue.Queue[str | None], errors: IO[bytes], folder: tempfile.TemporaryDirectory[str]
) -> None:
    words.put(encode(Message("quit")))
    words.put(None)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    errors.close()
    folder.cleanup()
