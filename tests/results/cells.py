"""Measurements of novelty, of laws of real cells, and of what makes models of them err."""

from collections.abc import Iterator, Mapping

from tests.results.main_job import FALSE, LIMIT, PROMISED, frontier, probes
from tests.results.records import ROOT, Row, over_seeds
from tests.results.scratch import Scratch


def collected(scratch: Scratch, **parameters: object) -> str:
    """Return a new stack of the Jurkat cells."""
    stack = scratch.folder / "jurkat.particles.zarr"
    source = scratch.data("jurkat/jurkat_dna.npz")
    scratch.entry("collect", source=source, out=stack, **parameters)
    return str(stack)


def novelty(scratch: Scratch, data: str, seeds: int, **training: object) -> Iterator[Row]:
    """Train without some classes, and see which particles are called new."""
    every = []
    for seed in range(seeds):
        model = scratch.entry("train", data=data, **training, seed=seed).info.run_id
        every.append(scratch.entry("evaluate", model=model, data=data).data.metrics)
    yield over_seeds("known particles called new", [m[FALSE] for m in every], at_most=PROMISED,
                     beside=f"limit by chance of a run {every[0][LIMIT]:.3f}")  # fmt: skip
    names = {"of the unseen classes, called new": "detection_rate", "AUROC": "auroc"}
    for name, metric in names.items():
        yield over_seeds(name, [m[f"novelty/{metric}"] for m in every])


def novelty_cells(scratch: Scratch) -> Iterator[Row]:
    """Jurkat cells of three phases that training never saw."""
    stack = collected(scratch)
    unseen = "Metaphase,Anaphase,Telophase"
    yield from novelty(scratch, stack, 5, model="tc-vae", epochs=40, hold_out=unseen)


def novelty_phantoms(scratch: Scratch) -> Iterator[Row]:
    """Phantoms of ten tomograms, two shapes of which training never saw."""
    stack, prior = _phantoms(scratch, tomograms=10)
    yield from novelty(
        scratch, stack, 3, decoder="splat", affinity=prior, epochs=20, hold_out="shell,antibody"
    )


def _phantoms(scratch: Scratch, tomograms: int) -> tuple[str, str]:
    """Make a stack of phantoms, 100 a tomogram, and their affinity."""
    here = scratch.folder
    scratch.entry("simulate", out=here / "simulated", tomograms=tomograms, particles=100)
    scratch.entry("ingest", source=here / "simulated/tomograms", out=here / "tomograms")
    stack, prior = here / "s.particles.zarr", here / "affinity.csv"
    coordinates = here / "simulated/particles.star"
    tomogram_stores = here / "tomograms"
    scratch.entry(
        "extract", tomograms=tomogram_stores, coordinates=coordinates, out=stack, edge="pad"
    )
    scratch.entry("affinity", templates=here / "simulated/templates", out=prior)
    return str(stack), str(prior)


def robust(scratch: Scratch, merge: str | None, hold_out: str | None) -> Iterator[Row]:
    """See what attacks and shifts leave of models of real cells."""
    stack = collected(scratch, **({} if merge is None else {"merge": merge}))
    kept = {} if hold_out is None else {"hold_out": hold_out}
    model = scratch.entry("train", data=stack, model="tc-vae", epochs=30, **kept).info.run_id
    found = scratch.entry("discover", model=model, data=stack, budget_s=30)
    yield from probes(found)
    yield from frontier(scratch, found)


def laws(
    scratch: Scratch, tasks: Mapping[str, tuple[str, float]], nodes: int, budget_s: int
) -> Iterator[Row]:
    """Cross-validate the ladder of models on real cells.

    Parameters
    ----------
    tasks
        By name, the classes to tell apart and what is asked of the black box.
    """
    stack = collected(scratch)
    run = scratch.entry(
        "ladder",
        data=stack,
        tasks=";".join(classes for classes, _ in tasks.values()),
        epochs=40,
        black_box_epochs=20,
        max_complexity=nodes,
        budget_s=budget_s,
    )
    lines = scratch.csv(run, "ladder.csv")
    for name, (classes, asked) in tasks.items():
        of_task = [line for line in lines if line["task"] == classes]
        # What is asked of sparse networks holds from 0.1 % of the largest black box down.
        thousandth = 1e-3 * max(float(line["complexity"]) for line in of_task)
        for line in of_task:
            model = line["model"]
            small = line["family"] == "sparse" and float(line["complexity"]) <= thousandth
            low, high = (float(line[f"balanced_accuracy_{end}"]) for end in ("low", "high"))
            yield Row(model, float(line["balanced_accuracy"]), column=name,
                      beside=f"[{low:.3f}, {high:.3f}]", table="balanced accuracy",
                      at_least=asked if model == "black box" else None)  # fmt: skip
            low, high = (float(line[f"ratio_{end}"]) for end in ("low", "high"))
            yield Row(model, float(line["ratio"]), column=name,
                      beside=f"[{low:.3f}, {high:.3f}]", table="that of the black box, times",
                      at_least=0.98 if model == "equations" or small else None)  # fmt: skip
            yield Row(model, float(line["complexity"]), column=name, table="complexity")
            if model == "equations":
                yield Row("most nodes of an expression", float(line["nodes"]), column=name,
                          at_most=nodes, table="complexity")  # fmt: skip


def sparse_methods(scratch: Scratch) -> Iterator[Row]:
    """Prune networks on latents of real cells by two methods."""
    from tests.benchmarks.sparse_methods import measure

    stack = collected(scratch)
    model = scratch.entry("train", data=stack, model="tc-vae", latent_dims=10, epochs=40)
    scratch.track()
    yield from measure(model.info.run_id, str(ROOT / stack))
