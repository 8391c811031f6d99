"""A model card as Markdown, and as much of it as a version's description holds."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from latentlaw.data.particles.splits import HELD_OUT, TEST, TRAIN, VAL
from latentlaw.serving.promotion.gate import counted
from latentlaw.serving.promotion.tensors import file_name
from latentlaw.tracking.markdown import escape, is_plain_latex, shorten, table
from latentlaw.tracking.names import CARD

Record = Mapping[str, Any]
_UNKNOWN = "not known"
_LONG = 2000  # characters of a sentence with names that users gave
_TASK = {"type": "image-classification", "name": "Classification of particles"}
_METRICS = {"macro_f1": "f1", "accuracy": "accuracy", "balanced_accuracy": "accuracy"}
#: Sections that a description can do without, the first to go first.
_SPARE = (
    "Other results",
    "Citation",
    "Preprocessing and tensors",
    "Training data",
    "Licence",
    "Novelty",
    "Equations",
    "How to use",
    "Limitations",
    "Evaluation",
)


def card_markdown(record: Record) -> str:
    """Write the whole card, with the front matter that Hugging Face reads."""
    front = yaml.safe_dump(_front_matter(record), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n{_written(record, _sections(record))}"


def card_description(record: Record, longest: int) -> str:
    """Write as many sections as fit, equations as text, and say where the others are."""
    sections = _sections(record, latex=False)
    left: list[str] = []
    for name in ("", *_SPARE):
        if sections.pop(name, None):
            left.append(name)
        more = f"\n{', '.join(left)}: in `{CARD}` beside the model.\n" if left else ""
        text = _written(record, sections) + more
        if len(text) <= longest:
            return text
    return shorten(text, longest)


def _written(record: Record, sections: Mapping[str, str]) -> str:
    title = f"# {escape(record['name'])} version {record['version']}\n"
    return title + "".join(f"\n## {name}\n\n{text.strip()}\n" for name, text in sections.items())


def _sections(record: Record, *, latex: bool = True) -> dict[str, str]:
    sections = {
        "Model details": _details(record),
        "Intended use": _use(record),
        "Training data": _training(record),
        "Evaluation": _evaluation(record),
        "Other results": _logged(record),
        "Novelty": _novelty(record),
        "Equations": _equations(record, latex),
        "Limitations": "".join(f"* {escape(each, _LONG)}\n" for each in record["limitations"]),
        "How to use": _how(record),
        "Preprocessing and tensors": _tensors(record),
        "Licence": _licence(record),
        "Citation": _citation(record),
    }
    return {name: text for name, text in sections.items() if text}


def _details(record: Record) -> str:
    model, gate = record["model"], record["gate"]
    shape = " x ".join(map(str, model["image_shape"]))
    pose = f"{model['pose_dims']} numbers of a pose" if model["pose_dims"] else "no pose"
    rows = [
        ("family", f"{model['family']}, {model['decoder']} decoder"),
        ("input", f"{shape} (c {' '.join(model['axes'])})"),
        ("latents", f"{model['latent_dims']}, and {pose}"),
        ("weights", f"{model['weights']:,} of encoder and decoder"),
        ("classes", ", ".join(escape(name) for name in model["classes"])),
        ("decides by", "equations" if record["equations"] else "logistic regression on latents"),
        ("source run", f"{model['run']}, {model['made'] or _UNKNOWN}"),
        ("commit", escape(model["git_commit"] or _UNKNOWN)),
        ("made with", f"latentlaw {model['latentlaw']}"),
    ]
    moved = "moved to it" if gate["promoted"] else "did not move to it"
    told = f"The alias `{gate['alias']}` {moved}: {escape(gate['reason'], _LONG)}."
    return f"{table(('', ''), rows)}\n{told}"


def _use(record: Record) -> str:
    model = record["model"]
    what = "volumes" if len(model["axes"]) == 3 else "images"
    extras = ["latents", "an orientation"] if model["orientation"] else ["latents"]
    extras += ["a novelty score"] + (["the equation that decided"] if record["equations"] else [])
    return (
        f"Tells {len(model['classes'])} classes of particles in {what} apart. Each particle also "
        f"gets {', '.join(extras[:-1])} and {extras[-1]}. It is for {what} made and sampled as "
        "the training data were."
    )


def _training(record: Record) -> str:
    data = record["training"]
    if data["stack"] is None:
        return f"The training run {data['run']} names no data."
    size, counts = data["voxel_size_a"], data["particles"]
    prior = "No" if data["prior"] is None else f"{escape(data['prior']['table'])} as"
    lines = [
        f"Run {data['run']} on {escape(data['stack'])}, SHA-256 {escape(data['digest'], 65)}, "
        f"{_UNKNOWN if size is None else f'{size:g}'} angstrom per voxel. {prior} affinity prior.",
    ]
    if counts is None:
        return f"{lines[0]} How many particles it was trained on is not known."
    there = {part for row in counts.values() for part in row}
    parts = [part for part in (TRAIN, VAL, TEST, HELD_OUT) if part in there]
    rows = [(escape(name), *(str(row.get(p, 0)) for p in parts)) for name, row in counts.items()]
    if data["groups"] is not None:
        rows.append(("*groups*", *(str(data["groups"].get(p, 0)) for p in parts)))
    return f"{lines[0]}\n\n{table(('particles', *map(escape, parts)), rows)}"


def _evaluation(record: Record) -> str:
    found = record["evaluation"]
    head = (
        f"On {counted(found['particles'], 'particle')} of {counted(found['groups'], 'group')} of "
        f"{escape(found['stack'])} that training never saw, with 95 % bootstrap intervals over "
        f"{found['drawn']}s:\n"
    )
    rows = [
        (escape(name), f"{each['value']:.3f}", f"{each['low']:.3f} to {each['high']:.3f}")
        for name, each in found["measures"].items()
    ]
    classes = [
        (
            escape(each["class"]),
            str(each["particles"]),
            *(f"{each[k]:.3f}" for k in ("precision", "recall", "f1")),
        )
        for each in found["classes"]
    ]
    text = f"{head}\n{table(('measure', 'value', 'interval'), rows)}\n"
    return text + table(("class", "particles", "precision", "recall", "F1"), classes)


def _logged(record: Record) -> str:
    parts = []
    for run, metrics in record["evaluation"]["logged"].items():
        rows = [(escape(name), _number(value)) for name, value in metrics.items()]
        parts.append(f"Logged by run {run}:\n\n{table(('metric', 'value'), rows)}")
    return "\n".join(parts)


def _novelty(record: Record) -> str:
    found = record["novelty"]
    return (
        "The novelty of a particle is one minus its conformal p-value among "
        f"{found['calibrated_on']} scores of known particles of the validation split. Above "
        f"{found['threshold']:g} it counts as new, which is stated to be wrong for at most "
        f"{_percent(found['stated'])} of known particles. Of {found['particles']} held-out ones "
        f"{_percent(found['measured'])} were called new; of particles like those of the "
        f"calibration, up to {_percent(found['limit'])} would be, in 39 of 40 draws."
    )


def _equations(record: Record, latex: bool) -> str:
    found = record["equations"]
    if found is None:
        return ""
    kind = "log-odds" if found["logit"] == "log-odds" else "a logit, of which the largest decides"
    text = f"{found['nodes']} nodes in all; each class has {kind}.\n"
    for each in found["classes"]:
        text += f"\n**{escape(each['class'])}** ({each['nodes']} nodes)\n"
        if latex and is_plain_latex(each["latex"]):
            text += f"\n$$ {each['latex']} $$\n"
        text += f"\n```\n{each['text']}\n```\n"
    if found["latents"] is None:
        return f"{text}\nWhat the latents mean was not recorded."
    named = [(z, escape(meaning)) for z, meaning in found["latents"].items() if meaning]
    others = [z for z, meaning in found["latents"].items() if not meaning]
    text += f"\n{table(('latent', 'goes with'), named)}" if named else ""
    return text + (f"\nGo with no one plain image feature: {', '.join(others)}." if others else "")


def _how(record: Record) -> str:
    uri = f"models:/{record['name']}/{record['version']}"
    return f"""```sh
mlflow models serve -m {uri} --env-manager=local -h 127.0.0.1 -p 5000
mlflow artifacts download -u {uri}/serving_input_example.json -d .
curl -H 'Content-Type: application/json' -d @serving_input_example.json \\
  http://127.0.0.1:5000/invocations
```

```python
import mlflow, numpy as np

folder = mlflow.artifacts.download_artifacts("{uri}")
model = mlflow.pyfunc.load_model(folder)
print(model.predict(np.load(f"{{folder}}/{file_name("images")}")))
```"""


def _tensors(record: Record) -> str:
    made, size = record["preprocessing"], record["voxel_size_range_a"]
    steps = [
        f"a Gaussian of {made['smoothing_voxels']:g} voxels" if made["smoothing_voxels"] else "",
        f"normalisation `{made['normalisation']}`"
        + (f" of scale {made['scale']:.6g}" if made["scale"] else ""),
        f"alignment `{made['alignment']}`" if made["alignment"] != "none" else "",
    ]
    sampling = (
        "Their voxel size is not known."
        if size is None
        else f"Their voxels: {size[0]:g} to {size[1]:g} angstrom."
    )
    text = (
        f"Images are raw: the model does {', '.join(filter(None, steps))} itself. {sampling} What "
        f"it makes of `{file_name('images')}` is the other files to {record['test_tolerance']:g}."
    )
    described = record["bioimageio"]
    rows = [
        (
            each["id"],
            " ".join(axis.get("id", axis["type"]) for axis in each["axes"]),
            each["data"]["type"],
            f"`{each['test_tensor']['source']}`",
        )
        for each in (*described["inputs"], *described["outputs"])
    ]
    return f"{text}\n\n{table(('tensor', 'axes', 'type', 'test'), rows)}"


def _licence(record: Record) -> str:
    weights = record["licence"]
    told = f"Weights: {escape(weights, 100)}" if weights else "Weights: not stated"
    return f"{told}. Code: {escape(record['code_licence'] or _UNKNOWN)}."


def _citation(record: Record) -> str:
    return "".join(
        f"* {paper['text']} [doi:{paper['doi']}](https://doi.org/{paper['doi']})\n"
        for paper in record["bioimageio"]["cite"]
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _number(value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def _front_matter(record: Record) -> dict[str, Any]:
    model, found = record["model"], record["evaluation"]
    metrics: Sequence[dict[str, Any]] = [
        {
            "type": _METRICS[name],
            "name": name,
            "value": round(each["value"], 4),
            "interval": [round(each["low"], 4), round(each["high"], 4)],
        }
        for name, each in found["measures"].items()
        if name in _METRICS
    ]
    dataset = {"name": found["stack"], "type": "particle-stack", "revision": found["digest"]}
    tags = ["latentlaw", model["family"], f"{len(model['axes'])}d"]
    front = {
        "license": record["licence"],
        "library_name": "latentlaw",
        "pipeline_tag": _TASK["type"],
        "tags": tags + (["symbolic-regression"] if record["equations"] else []),
        "model-index": [
            {
                "name": record["name"],
                "results": [{"task": _TASK, "dataset": dataset, "metrics": list(metrics)}],
            }
        ],
    }
    return {key: value for key, value in front.items() if value is not None}
