"""Discover laws on the latents of a trained model."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from latentlaw.data.particles.splits import TEST
from latentlaw.data.particles.stack import open_stack
from latentlaw.discovery.discover import Discovery, discover_laws
from latentlaw.discovery.latents import check_latents
from latentlaw.discovery.search.engines.engine import SearchSpec
from latentlaw.discovery.search.engines.selection import select_engine
from latentlaw.evaluation.meanings.image_features import image_features
from latentlaw.evaluation.meanings.latent_meanings import Meaning
from latentlaw.evaluation.strips import traversal_strip
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.log import example_images, load_logged_bundle, log_bundle
from latentlaw.tracking.names import EQUATIONS, FRONTIER, LATENTS
from latentlaw.tracking.reading.origins import training_run
from latentlaw.tracking.recording.runs import (
    configure_tracking,
    log_data,
    log_image,
    log_json,
    log_metrics,
    stage_run,
    tag_run,
)
from latentlaw.tracking.say import say

from pipelines.cli.command import ProgressBar, command, use_threads
from pipelines.discovery.cross_validation import BLACK_BOX, EQUATION
from pipelines.discovery.latents import latent_data, name_latents, told_apart
from pipelines.discovery.parameters import Discover as Discover
from pipelines.discovery.robustness import probe
from pipelines.discovery.rungs import (
    black_box_rung,
    feature_rungs,
    rungs_by_family,
    train_black_box,
)

if TYPE_CHECKING:
    from latentlaw.discovery.frontier import Rung
    from latentlaw.training.classifier import BlackBox


@dataclass(frozen=True)
class Discovered:
    """A run and what it found."""

    run_id: str
    discovery: Discovery
    meanings: tuple[Meaning, ...]

    @property
    def laws(self) -> str:
        """The equations chosen, and what the latents in them mean."""
        found = [f"{each.class_name}: {each.expression}" for each in self.discovery.equations]
        used = {name for each in self.discovery.equations for name in each.latents}
        said = [f"{m.latent}: {m.text}" for m in self.meanings if m.latent in used and m.text]
        return "; ".join(found) + (f" ({', '.join(said)})" if said else "")

    def records(self) -> list[dict[str, Any]]:
        """Return one record per model: the networks, the black box and the equations chosen."""
        found = self.discovery
        chosen: list[tuple[str, Rung | None]] = [
            (rung.name, rung) for rung in found.rungs if rung.family != "equation"
        ]
        chosen += [(BLACK_BOX, found.black_box), (EQUATION, found.equation)]
        largest = found.metrics["discovery/equation_complexity_largest"]
        return [
            {
                "model": name,
                **{k: v for k, v in asdict(rung).items() if k != "expressions"},
                "nodes": largest if rung.family == "equation" else np.nan,
                "laws": self.laws if rung.family == "equation" else "",
            }
            for name, rung in chosen
            if rung is not None
        ]


def run(parameters: Discover) -> str:
    """Discover, log the model of equations, and return the run's id."""
    return discovered(parameters).run_id


def discovered(p: Discover) -> Discovered:
    """Discover, log the model of equations, and return what was found."""
    select_engine(p.engine)  # what cannot be searched is said before networks are trained
    SearchSpec(operators=p.operators)
    with stage_run("discover", p.model_dump()) as active:
        threads = use_threads()
        bundle, stack = load_logged_bundle(p.model), open_stack(p.data)
        trained_by = training_run(p.model).info.run_id
        tag_run(family=bundle.model.config.family, trained_by=trained_by)
        log_data(p.data, stack.digest, stack.table, "discovery")
        data, codes, head = told_apart(p, bundle, stack)
        latents = latent_data(data, codes, pd.factorize(stack.table["group"])[0])
        _, constant = check_latents(latents)  # before the black boxes, which take long
        if constant:
            say(f"discover: {', '.join(constant)} the same for every particle, left out")
        features = image_features(data.images)
        progress = ProgressBar()
        boxes: dict[str, BlackBox] = {
            kind: train_black_box(
                kind, data, bundle.model, epochs=p.epochs, seed=p.seed, progress=progress
            )
            for kind in p.black_boxes
        }
        rungs = [black_box_rung(kind, data, box, bundle.model) for kind, box in boxes.items()]
        found = discover_laws(
            latents,
            engine=p.engine,
            budget_s=p.budget_s,
            max_complexity=p.max_complexity,
            targets=p.targets,
            operators=p.operators,
            sparse_method=p.sparse_method,
            seed=p.seed,
            threads=threads,
            extra_rungs=(*rungs, *feature_rungs(data, latents, features, p.seed)),
            progress=lambda step, share: progress(round(100 * share), 100, f"discover {step}"),
        )
        say(f"discover: {found.engine} ({found.engine_reason})")
        meanings = name_latents(data, codes, features, bundle.model)
        collapsed = sum(meaning.collapsed for meaning in meanings)
        log_metrics(found.metrics | {"discovery/collapsed_latents": collapsed})
        say_laws(found)
        if p.attacked != 0:
            probe(p, data, bundle.model, rungs_by_family(bundle.model, boxes, found), progress)
        log_json(FRONTIER, found.frontier_records())
        log_json(LATENTS, [meaning.to_dict() for meaning in meanings])
        log_json(EQUATIONS, found.equation_records({m.latent: m.text for m in meanings}))
        for dimension in range(codes.mu.shape[1]):
            strip = traversal_strip(bundle.model, codes.mu, codes.pose, dimension)
            log_image(f"traversals/z{dimension}.png", strip)
        example = example_images(data.particles(data.rows(TEST)))
        log_bundle(Bundle(bundle.model, head, found.model), example)
        return Discovered(str(active.info.run_id), found, tuple(meanings))


def say_laws(found: Discovery) -> None:
    """Say how right the equations are beside the best black box, and what they are."""
    right = [f"equations {found.equation.accuracy:.3f}"]
    if found.black_box is not None:
        right.append(f"{found.black_box.name} {found.black_box.accuracy:.3f}")
    say(f"discover: test accuracy: {', '.join(right)}")
    for each in found.equations:
        say(f"discover: {each.class_name}: {each.expression}")


if __name__ == "__main__":
    configure_tracking()
    command(Discover, run)
