"""What a model cannot do, or is not known to do, by what its card says of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from latentlaw.data.particles.splits import HELD_OUT

Record = Mapping[str, Any]


def limitations(record: Record) -> list[str]:
    """Return the limits that follow from a card's record, a sentence each; plain text."""
    return [*_of_input(record), *_of_classes(record), *_of_evidence(record), *_of_pose(record)]


def _of_input(record: Record) -> Iterator[str]:
    model, made = record["model"], record["preprocessing"]
    box = " x ".join(map(str, model["image_shape"][1:]))
    yield f"Images of any other box than {box} {model['axes']} are refused."
    size = record["voxel_size_range_a"]
    if size is None:
        yield "The voxel or pixel size of the training images is not known."
    else:
        yield (
            f"It saw one sampling, {size[0]:g} angstrom per voxel; given images alone, "
            "it does not notice another."
        )
    if made["alignment"] == "rotate-flip":
        yield "An image and its mirror image are the same to it."
    if model["axes"] == "zyx" and made["tilt_range_deg"] is None:
        yield "It does not know of a missing wedge."


def _of_classes(record: Record) -> Iterator[str]:
    yield (
        "Every particle gets one of the classes above, also one of none of them: look at the "
        "novelty, too."
    )
    counts = record["training"]["particles"] or {}
    if kept := [name for name, parts in counts.items() if HELD_OUT in parts]:
        yield f"Classes that were kept from training: {', '.join(kept)}."
    measured = [each for each in record["evaluation"]["classes"] if each["particles"]]
    worst = min(measured, key=lambda each: each["f1"])
    if worst["f1"] < 1:
        yield f"Told apart least well: {worst['class']} (F1 {worst['f1']:.3f})."
    if absent := [e["class"] for e in record["evaluation"]["classes"] if not e["particles"]]:
        yield f"Never measured, for want of a held-out particle: {', '.join(absent)}."
    if record["equations"] is not None:
        yield "The equations are of the latents of this network and of no other."


def _of_evidence(record: Record) -> Iterator[str]:
    found = record["evaluation"]
    if found["drawn"] == "particle":
        yield (
            f"Held-out particles come from few groups ({found['groups']}), so the intervals say "
            "how results vary from particle to particle, not from tomogram to tomogram or from "
            "source image to source image."
        )
    novelty = record["novelty"]
    if novelty["measured"] > novelty["limit"]:
        yield (
            "Known particles are called new more often than stated: "
            f"{100 * novelty['measured']:.3g} % of {novelty['particles']} held-out ones."
        )
    if novelty["limit"] == 0:
        yield (
            f"It calls nothing new at the stated rate: {novelty['calibrated_on']} calibration "
            "particles are too few."
        )
    if found["saw"] == "another":
        yield "It was measured on another stack than it was trained on."


def _of_pose(record: Record) -> Iterator[str]:
    model = record["model"]
    if model["orientation"]:
        yield "Each class has an upright of its own: poses are right up to one rotation per class."
    elif model["pose_dims"]:
        yield "The numbers of the pose are no orientation: only the decoder knows what they mean."
