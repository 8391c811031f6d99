"""Batches of particles: every one once an epoch, the same again from the same seed."""

import copy
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.data.particles.chunks import ImageChunks
from latentlaw.data.particles.loading import (
    ArrayImages,
    LabelledImages,
    Particles,
    in_order,
    one_ahead,
    read_ahead,
)
from latentlaw.data.particles.shuffling import ShuffledBatches, shuffled_places
from latentlaw.data.particles.stack import open_stack
from latentlaw.data.particles.writer import new_stack
from latentlaw.errors import ConfigError, DataError
from latentlaw.losses.affinity import UNLABELLED
from torch.utils.data import DataLoader

N = 1200  # five chunks of 256


@pytest.fixture(scope="module")
def chunks(tmp_path_factory: pytest.TempPathFactory) -> ImageChunks:
    """A stack whose images hold their row."""
    path = tmp_path_factory.mktemp("loading") / "s.particles.zarr"
    values = np.arange(N, dtype=np.float32).reshape(N, 1, 1, 1) * np.ones((1, 1, 2, 2), np.float32)
    with new_stack(path, item_shape=(1, 2, 2)) as writer:
        writer.append(values, pd.DataFrame(index=range(N)))
    return open_stack(path).images


def particles(chunks: ImageChunks, rows: np.ndarray | None = None) -> Particles:
    rows = np.arange(N) if rows is None else rows
    return Particles(chunks, rows, torch.from_numpy(rows % 7))


def seen(batches: Iterable[LabelledImages]) -> list[list[int]]:
    return [[int(image[0, 0, 0]) for image in batch.images] for batch in batches]


def flat(batches: list[list[int]]) -> list[int]:
    return [row for batch in batches for row in batch]


@given(
    rows=st.sets(st.integers(0, 500), min_size=1).map(lambda s: np.array(sorted(s))),
    rows_per_chunk=st.integers(1, 40),
    window=st.integers(1, 20),
    seed=st.integers(0, 2**32),
)
def test_places_come_once_and_in_windows_of_chunks(
    rows: np.ndarray, rows_per_chunk: int, window: int, seed: int
) -> None:
    places = shuffled_places(
        rows,
        rows_per_chunk=rows_per_chunk,
        window=window,
        generator=np.random.default_rng(seed),
    )
    assert sorted(places) == list(range(len(rows)))
    owners = (rows // rows_per_chunk)[places]
    left, begun = Counter(owners.tolist()), set()
    for owner in owners.tolist():
        begun.add(owner)
        assert len(begun) <= window  # chunks that are begun and not yet done with
        left[owner] -= 1
        if not left[owner]:
            begun.discard(owner)


def test_one_window_shuffles_the_whole() -> None:
    places = shuffled_places(
        np.arange(4000), rows_per_chunk=100, window=40, generator=np.random.default_rng(0)
    )
    # Of a uniform order, neighbours differ by a third of the length.
    assert np.abs(np.diff(places)).mean() == pytest.approx(4000 / 3, rel=0.05)


def test_an_epoch_holds_every_row_with_its_label(chunks: ImageChunks) -> None:
    rows = np.random.default_rng(0).permutation(N)[:500]
    batches = list(ShuffledBatches(particles(chunks, rows), batch_size=64, seed=3, window=2))
    assert [len(batch) for batch in batches] == [64] * 7 + [52]
    assert sorted(flat(seen(batches))) == sorted(rows.tolist())
    for batch in batches:
        torch.testing.assert_close(batch.images[:, 0, 0, 0].long() % 7, batch.labels)


def test_seed_and_epoch_fix_the_order(chunks: ImageChunks) -> None:
    one, two, other = (
        ShuffledBatches(particles(chunks), batch_size=100, seed=seed, window=2)
        for seed in (1, 1, -1)
    )
    epochs = [seen(one), seen(one)]
    assert epochs[0] != epochs[1]
    assert [seen(two), seen(two)] == epochs
    assert seen(other) != epochs[0]


@pytest.mark.parametrize("taken", [0, 1, 5, 11])
def test_resumes_in_the_middle_of_an_epoch(chunks: ImageChunks, taken: int) -> None:
    whole = ShuffledBatches(particles(chunks), batch_size=100, seed=1, window=2)
    seen(whole)
    expected = [*seen(whole), *seen(whole)]
    broken = ShuffledBatches(particles(chunks), batch_size=100, seed=1, window=2)
    seen(broken)
    running = iter(broken)
    before = [next(running) for _ in range(taken)]
    state = copy.deepcopy(broken.state_dict())
    resumed = ShuffledBatches(particles(chunks), batch_size=100, seed=1, window=2)
    resumed.load_state_dict(state)
    assert [*seen(before), *seen(resumed), *seen(resumed)] == expected
    with pytest.raises(ConfigError, match="state is of seed 1, expected 2"):
        ShuffledBatches(particles(chunks), batch_size=100, seed=2).load_state_dict(state)


@given(world_size=st.integers(1, 7), each=st.integers(1, 30))
def test_ranks_have_equal_parts_of_every_batch(world_size: int, each: int) -> None:
    data = Particles.unlabelled(ArrayImages(np.arange(200).reshape(-1, 1, 1, 1)), np.arange(200))
    size = each * world_size
    parts = [
        seen(ShuffledBatches(data, batch_size=size, seed=0, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    whole = seen(ShuffledBatches(data, batch_size=size, seed=0))
    even = [batch[: len(batch) // world_size * world_size] for batch in whole]
    assert [flat(own) for own in zip(*parts, strict=True)] == [batch for batch in even if batch]
    for own in zip(*parts, strict=True):
        assert len({len(part) for part in own}) == 1


def test_batches_that_ranks_cannot_share_are_refused(chunks: ImageChunks) -> None:
    with pytest.raises(ConfigError, match=r"found 7 and .* multiple of the 2 .*batch_size=6"):
        ShuffledBatches(particles(chunks), batch_size=7, seed=0, world_size=2)
    with pytest.raises(ConfigError, match="found 4 and 1 particles"):
        ShuffledBatches(particles(chunks, np.arange(1)), batch_size=4, seed=0, world_size=2)


def test_workers_make_the_same_batches(chunks: ImageChunks) -> None:
    alone = seen(ShuffledBatches(particles(chunks), batch_size=100, seed=5, window=2))
    shared = ShuffledBatches(particles(chunks), batch_size=100, seed=5, window=2)
    loader = DataLoader(shared, batch_size=None, num_workers=2)
    assert seen(loader) == alone
    shared.load_state_dict({"seed": 5, "epoch": 0, "taken": 3})
    assert seen(loader) == alone[3:]


def test_more_samples_than_images_are_more_passes(chunks: ImageChunks) -> None:
    nine = particles(chunks, np.arange(9))
    batches = seen(ShuffledBatches(nine, batch_size=9, seed=0, samples=18))
    assert [sorted(batch) for batch in batches] == [list(range(9))] * 2
    assert batches[0] != batches[1]
    assert len(flat(seen(ShuffledBatches(nine, batch_size=64, seed=0, samples=25)))) == 25


def test_a_last_batch_of_one_is_left_out_unless_it_is_all(chunks: ImageChunks) -> None:
    nine, one = particles(chunks, np.arange(9)), particles(chunks, np.arange(1))
    assert [len(b) for b in ShuffledBatches(nine, batch_size=4, seed=0)] == [4, 4]
    assert [len(b) for b in ShuffledBatches(one, batch_size=4, seed=0)] == [1]


def test_sizes_that_make_no_sense_are_refused(chunks: ImageChunks) -> None:
    with pytest.raises(ConfigError, match="rank 2 of 2"):
        ShuffledBatches(particles(chunks), batch_size=1, seed=0, rank=2, world_size=2)
    with pytest.raises(ConfigError, match="'particles': 0"):
        ShuffledBatches(particles(chunks, np.arange(0)), batch_size=1, seed=0)


def test_an_iteration_that_is_broken_off_goes_on(chunks: ImageChunks) -> None:
    expected = seen(ShuffledBatches(particles(chunks), batch_size=100, seed=1))
    batches = ShuffledBatches(particles(chunks), batch_size=100, seed=1)
    before = [next(iter(batches)), next(iter(batches))]
    assert [*seen(before), *seen(batches)] == expected


def test_in_order_is_in_order_and_slices_alike(chunks: ImageChunks) -> None:
    data = particles(chunks, np.arange(N)[::-1])
    batches = list(read_ahead(data, in_order(N, 500)))
    assert [len(batch) for batch in batches] == [500, 500, 200]
    np.testing.assert_array_equal(torch.cat([b.images for b in batches]), data[:])
    np.testing.assert_array_equal(data[3:5][:, 0, 0, 0], [N - 4, N - 5])


def test_no_more_is_held_than_two_windows(chunks: ImageChunks) -> None:
    fresh = copy.deepcopy(chunks)  # as a worker gets it
    fresh.window = 1
    fresh._mapped = False
    np.testing.assert_array_equal(fresh[:][:, 0, 0, 0], np.arange(N))
    assert len(fresh._held) == 2


def test_damage_that_a_thread_meets_reaches_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "s.particles.zarr"
    with new_stack(path, item_shape=(1, 2, 2)) as writer:
        writer.append(np.ones((300, 1, 2, 2)), pd.DataFrame(index=range(300)))
    data = Particles.unlabelled(open_stack(path).images, np.arange(300))
    (path / "images/c.1.0.0.0").unlink()
    with pytest.raises(DataError, match=r"c\.1\.0\.0\.0"):
        list(ShuffledBatches(data, batch_size=64, seed=0))


def test_unlabelled_is_what_the_loss_takes_for_it(chunks: ImageChunks) -> None:
    data = Particles.unlabelled(chunks, np.arange(3))
    assert data.labels.tolist() == [UNLABELLED] * 3


def test_a_reader_that_stops_early_leaves_no_thread(chunks: ImageChunks) -> None:
    batches = read_ahead(particles(chunks), in_order(N, 10))
    next(batches)
    assert any(thread.name.startswith("chunks") for thread in threading.enumerate())
    batches.close()
    assert not any(thread.name.startswith("chunks") for thread in threading.enumerate())


def test_one_is_made_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for place, event in enumerate(made):
            event.set()
            yield place

    for place in one_ahead(items()):
        assert all(event.wait(10) for event in made[: place + 2])
        assert not any(event.is_set() for event in made[place + 3 :])


def test_an_error_and_the_end_of_a_thread_that_is_ahead_reach_the_reader() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise DataError("damaged")

    read = one_ahead(items())
    assert next(read) == 0
    with pytest.raises(DataError, match="damaged"):
        next(read)
    assert list(one_ahead(iter(()))) == []


@pytest.fixture
def pinned_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """Page-locked memory, which needs a GPU, is memory as any other."""
    read = Particles.read
    monkeypatch.setattr(Particles, "read", lambda self, places, *, pin: read(self, places))


@pytest.mark.usefixtures("pinned_as_any")
def test_batches_for_a_gpu_are_the_same(chunks: ImageChunks) -> None:
    for_gpu = ShuffledBatches(particles(chunks), batch_size=100, seed=1, pin=True)
    assert seen(for_gpu) == seen(ShuffledBatches(particles(chunks), batch_size=100, seed=1))
    stopped = read_ahead(particles(chunks), in_order(N, 10), pin=True)
    next(stopped)
    stopped.close()
    ours = ("chunks", "batches")
    assert not any(thread.name.startswith(ours) for thread in threading.enumerate())
