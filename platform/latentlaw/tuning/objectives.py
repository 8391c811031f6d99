"""What a study optimises: measures by name, each with the direction that is better."""

from typing import Literal

from latentlaw.errors import ConfigError, nearest_hint

Direction = Literal["maximize", "minimize"]
MAXIMIZE: Direction = "maximize"
MINIMIZE: Direction = "minimize"

#: Measured once a trial has trained, and after each epoch where trials are pruned.
LATENT_MEASURES: dict[str, Direction] = {
    "classification/accuracy": MAXIMIZE,
    "classification/macro_f1": MAXIMIZE,
    "separation/silhouette": MAXIMIZE,
    "separation/davies_bouldin": MINIMIZE,
    "separation/calinski_harabasz": MAXIMIZE,
    "separation/affinity_spearman": MAXIMIZE,
    "affinity/residual": MINIMIZE,
    "rotation/latent_cosine": MAXIMIZE,
}
#: Of the epoch whose weights are kept.
LOSSES: dict[str, Direction] = {"val/loss": MINIMIZE, "val/reconstruction": MINIMIZE}
#: Of a search for equations on the latents of a trained model.
LAWS: dict[str, Direction] = {
    "discovery/equation_accuracy": MAXIMIZE,
    "discovery/equation_macro_f1": MAXIMIZE,
    "discovery/equation_balanced_accuracy": MAXIMIZE,
    "discovery/equation_log_loss": MINIMIZE,
    "discovery/equation_complexity": MINIMIZE,
    "discovery/equation_complexity_largest": MINIMIZE,
}
DIRECTIONS = LATENT_MEASURES | LOSSES | LAWS
SHORTHANDS = {"pareto": ("discovery/equation_accuracy", "discovery/equation_complexity")}

#: Parameters that change what a loss means, so that trials which differ in them do not compare.
SCALES = {
    "val/loss": {"beta", "gamma", "tc", "tc_estimator", "model", "reconstruction"},
    "val/reconstruction": {"reconstruction"},
}
_OF_IMAGES = {"normalisation", "smoothing", "alignment"}


def parse_objectives(text: str) -> tuple[str, ...]:
    """Return the measures of a comma-separated list or a shorthand.

    Raises
    ------
    ConfigError
        If one is not known, or is there twice.
    """
    names = SHORTHANDS.get(text.strip(), tuple(name.strip() for name in text.split(",")))
    for name in names:
        if name not in DIRECTIONS:
            known = (*DIRECTIONS, *SHORTHANDS)
            hint = nearest_hint(name, known) or f"; known: {', '.join(known)}"
            raise ConfigError(f"objective: found no measure {name!r} of validation data{hint}")
        if names.count(name) > 1:
            raise ConfigError(f"objective: found {name!r} twice, expected once")
    return names


def check_comparable(objectives: tuple[str, ...], varied: set[str]) -> None:
    """Refuse a loss that the searched parameters rescale.

    Raises
    ------
    ConfigError
        Naming the loss and the parameters.
    """
    for name in set(objectives) & set(SCALES):
        if rescaling := sorted(varied & (SCALES[name] | _OF_IMAGES)):
            raise ConfigError(
                f"objective: found {name} and a space of {', '.join(rescaling)}, which rescale "
                "it; take them out of the space, or use a measure such "
                "as classification/macro_f1"
            )
