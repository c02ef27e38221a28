"""Batches for a run, made ahead by processes that read; how long they are waited for, and what becomes of a process that dies."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
from torch.utils.data import DataLoader

from sightline.engines.cores import num_cores
from sightline.errors import SightlineError, first_line
from sightline.train.data import Problems
from sightline.train.log import Log
from sightline.train.parallel import World
from sightline.train.pretrain.recipe import AnyRecipe
from sightline.train.samples import Batch, Handed, SampleList

__all__ = ["Feed", "one_line_where_a_reader_dies", "one_thread_for_pictures"]


class Feed(Iterator[Batch]):
    """This process's batches, from a step on. What could not be read goes into the report.

    Args:
        samples: all that there are.
        recipe: how many at once, and by how many processes they are made.
        world: which process this is.
        first: the step that the first batch is for.
        problems: where what could not be read is kept.
        log: where it is told.
    """

    def __init__(self, samples: SampleList, recipe: AnyRecipe, world: World, first: int, problems: Problems, log: Log) -> None:
        self._problems, self._log = problems, log
        size = world.share(recipe.batch, recipe.passes)
        workers = min(recipe.workers, num_cores())  # a reader for each processor at most
        self._loader: DataLoader[Any] = DataLoader(
            Handed(samples),  # type: ignore[arg-type]  # has what a Dataset has
            batch_size=size,
            sampler=_Order(recipe, world, size, first),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            collate_fn=Handed.collate,
            worker_init_fn=_left_alone,
            pin_memory=world.device.type == "cuda",
        )
        self._waited, self._is_first, self._begins = 0.0, True, first == 0
        self._batches: Iterator[Batch] = iter(())  # workers begin with the first batch: a run that is done needs none
        self._began = self._counted = time.perf_counter()

    def __next__(self) -> Batch:
        asked = time.perf_counter()
        if self._is_first:
            gc.collect()  # pictures that PyAV has decoded are cycles, and convert by threads: a forked worker that found them would wait for these for ever
            self._batches = iter(self._loader)
        batch = next(self._batches)
        if isinstance(batch, SightlineError):
            raise batch
        self._waited += time.perf_counter() - asked
        self._log.note(batch.notes, self._problems)
        if self._is_first:
            if self._begins:
                self._log.samples(batch)
            self._is_first, self._waited, self._counted = False, 0.0, time.perf_counter()  # until now workers were starting
        return batch

    def close(self) -> None:
        """Those that read end, now and not when Python finds that nobody needs them."""
        self._batches = iter(())

    def pace(self) -> dict[str, float]:
        """Seconds since the start of this process, and the share of those since its first batch in which there was no data."""
        now = time.perf_counter()
        return {"seconds": now - self._began, "waiting": self._waited / max(now - self._counted, 1e-9)}


@dataclass(frozen=True, slots=True)
class _Order:
    """Numbers of the samples of one process: sample i belongs to step i // batch, whoever runs it and whenever it was interrupted."""

    recipe: AnyRecipe
    world: World
    size: int  # of this process's part of a pass
    first: int

    def __iter__(self) -> Iterator[int]:
        recipe, size, world = self.recipe, self.size, self.world
        for step in range(self.first, recipe.steps):
            for part in range(recipe.passes):
                start = step * recipe.batch + (part * world.size + world.rank) * size
                yield from (i % recipe.overfit if recipe.overfit else i for i in range(start, start + size))

    def __len__(self) -> int:
        return (self.recipe.steps - self.first) * self.recipe.passes * self.size


def _left_alone(_worker: int) -> None:
    """Ctrl-C reaches all processes of a terminal: the trainer decides, and those that read end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def one_line_where_a_reader_dies() -> Iterator[None]:
    """Torch tells of it by an error that comes at any moment, also while the network learns.

    Raises:
        SightlineError: a process that reads has died.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error) or "Traceback" in str(error):  # an error inside a worker is a bug, or known
            raise
        raise SightlineError(
            f"a process that reads data has died ({first_line(error)}): often memory is short, or /dev/shm in a container; try fewer --workers, or 0."
        ) from error


@contextmanager
def one_thread_for_pictures() -> Iterator[None]:
    """OpenCV's threads do not survive the fork of a worker, which would wait for them for ever; and crops are too small to share out."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
