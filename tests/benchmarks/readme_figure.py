"""Draw README's picture from a demo: `python -m tests.benchmarks.readme_figure OUT.png`.

Latents of the tomogram that was never trained on, without the prior and with it, and the accuracy
of models against their complexity.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from latentlaw.tracking.names import EMBEDDINGS, FRONTIER
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.figures.evaluation import COLOURS

_SHOWN = {
    "cnn": "networks on pixels",
    "resnet": "networks on pixels",
    "dense": "network on latents",
    "sparse": "sparse networks",
    "equation": "equations",
}


def steps_of(demo: str | None) -> dict[str, list[str]]:
    """Run ids of a demo, None for the newest that is finished, by stage, oldest first."""
    runs = mlflow.search_runs(experiment_names=["latentlaw"], output_format="list")
    demos = (
        run.info.run_id
        for run in runs
        if run.data.tags.get("latentlaw.stage") == "main"
        and run.data.params.get("source") == "demo"
        and run.info.status == "FINISHED"
    )
    parent = demo or next(demos)
    found: dict[str, list[str]] = {}
    for run in reversed(runs):
        if run.data.tags.get("mlflow.parentRunId") == parent:
            found.setdefault(run.data.tags["latentlaw.stage"], []).append(run.info.run_id)
    return found


def artifact(run_id: str, name: str) -> Path:
    return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name))


def draw_latents(axes: Axes, run_id: str, title: str) -> None:
    table = pd.read_parquet(artifact(run_id, EMBEDDINGS))
    silhouette = mlflow.get_run(run_id).data.metrics["separation/silhouette"]
    for colour, (label, rows) in zip(
        COLOURS, table[table["split"] == "test"].groupby("label"), strict=False
    ):
        axes.scatter(rows["px"], rows["py"], s=22, c=colour, label=str(label), edgecolors="white")
    axes.set(title=f"{title}\nsilhouette {silhouette:.2f}", xticks=[], yticks=[])


def draw_frontier(axes: Axes, run_id: str) -> None:
    rungs: list[dict[str, Any]] = json.loads(artifact(run_id, FRONTIER).read_text())
    colours = dict(zip(dict.fromkeys(_SHOWN.values()), COLOURS, strict=False))
    for family, colour in colours.items():
        own = [rung for rung in rungs if _SHOWN.get(rung["family"]) == family]
        places = [[rung[key] for rung in own] for key in ("complexity", "accuracy")]
        axes.scatter(*places, s=36, c=colour, label=family)
    axes.set(title="Accuracy against complexity", xscale="log", xlabel="weights, or nodes")
    axes.set_ylim(0.6, 0.95)
    axes.legend(loc="lower right", fontsize=9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--demo", help="run id of a main; left out: the newest")
    told = parser.parse_args()
    runs = steps_of(told.demo)
    figure = Figure(figsize=(13, 4), layout="constrained")
    without, beside, frontier = figure.subplots(1, 3)
    with_prior, without_prior = runs["evaluate"]
    draw_latents(without, without_prior, "Six shapes, no prior")
    draw_latents(beside, with_prior, "The same network with the prior")
    beside.legend(fontsize=9)
    draw_frontier(frontier, runs["discover"][0])
    figure.savefig(told.out, dpi=90)


if __name__ == "__main__":
    main()
