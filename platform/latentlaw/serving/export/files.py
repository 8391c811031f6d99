"""A bundle as files that other programs read: its encoder, its pose search and its law."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from latentlaw.discovery.equations.law import Law
from latentlaw.discovery.export.c import to_c
from latentlaw.discovery.export.latex import to_latex_fragment
from latentlaw.discovery.export.python import to_python
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.digests import write_digests
from latentlaw.serving.export.encoder import (
    Images,
    RawEncoder,
    RawPose,
    save_onnx,
    save_pt2,
    trace,
)
from latentlaw.serving.export.readme import readme


@dataclass(frozen=True)
class Exported:
    """Largest differences from the model on its example images, and the files' names."""

    pt2_error: float
    onnx_error: float
    files: tuple[str, ...]


def export_bundle(
    bundle: Bundle, example: Images, folder: Path, *, meanings: Mapping[str, str]
) -> Exported:
    """Write encoder, pose search, head and law of a bundle to `folder`, which is made.

    Parameters
    ----------
    bundle
        The model, its head and, if it has one, its law.
    example
        Raw images `(n, c, [z,] y, x)` that the encoders are compared with the model on.
    folder
        Must not exist.
    meanings
        What latents were found to mean, by name.

    Raises
    ------
    CheckpointError
        If an exported encoder does not answer as the model does.
    """
    folder.mkdir(parents=True)
    encoder = RawEncoder(bundle.model)
    program = trace(encoder)
    pt2_error = save_pt2(program, encoder, example, folder / "encoder.pt2")
    onnx_error = save_onnx(program, encoder, example, folder / "encoder.onnx")
    if bundle.model.config.explicit_pose:
        # Not as ONNX: where two poses are as good, rounding chooses, and wedges need an FFT.
        search = RawPose(bundle.model)
        pose_error = save_pt2(trace(search), search, example, folder / "pose.pt2")
        pt2_error = max(pt2_error, pose_error)
    (folder / "head.json").write_text(bundle.head.model_dump_json(indent=1))
    law = None if bundle.equations is None else bundle.equations.law
    if law is not None:
        for name, text in _law_files(law, meanings).items():
            (folder / name).write_text(text, encoding="utf-8")
    text = readme(encoder, bundle.model.config, law, onnx_error=onnx_error)
    (folder / "README.md").write_text(text, encoding="utf-8")
    write_digests(folder)
    return Exported(pt2_error, onnx_error, tuple(sorted(each.name for each in folder.iterdir())))


def _law_files(law: Law, meanings: Mapping[str, str]) -> dict[str, str]:
    source, header = to_c(law)
    return {
        "law.py": to_python(law),
        "law.c": source,
        "law.h": header,
        "law.tex": to_latex_fragment(law, meanings),
    }
