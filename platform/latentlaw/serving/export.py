"""A bundle as files that other programs read: its encoder and its law."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from latentlaw.discovery.export_c import to_c
from latentlaw.discovery.export_latex import to_latex_fragment
from latentlaw.discovery.export_python import to_python
from latentlaw.discovery.law import Law
from latentlaw.serving.bundle import Bundle
from latentlaw.serving.digests import write_digests
from latentlaw.serving.export_encoder import Images, save_onnx, save_pt2, trace
from latentlaw.serving.export_readme import readme


@dataclass(frozen=True)
class Exported:
    """Largest differences from the model on its example images, and the files' names."""

    pt2_error: float
    onnx_error: float
    files: tuple[str, ...]


def export_bundle(
    bundle: Bundle, example: Images, folder: Path, *, meanings: Mapping[str, str]
) -> Exported:
    """Write the encoder, the head and the law of a bundle to `folder`, which is made.

    Parameters
    ----------
    example
        Raw images `(n, c, [z,] y, x)` that the encoders are compared with the model on.
    meanings
        What latents were found to mean, by name.

    Raises
    ------
    CheckpointError
        If an exported encoder does not answer as the model does.
    """
    folder.mkdir(parents=True)
    program = trace(bundle.model)
    pt2_error = save_pt2(program, bundle.model, example, folder / "encoder.pt2")
    onnx_error = save_onnx(program, bundle.model, example, folder / "encoder.onnx")
    (folder / "head.json").write_text(bundle.head.model_dump_json(indent=1))
    law = None if bundle.equations is None else bundle.equations.law
    if law is not None:
        for name, text in _law_files(law, meanings).items():
            (folder / name).write_text(text, encoding="utf-8")
    text = readme(bundle.model, law, onnx_error=onnx_error)
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
