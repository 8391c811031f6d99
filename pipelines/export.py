"""Export a model as files that other programs read."""

from pathlib import Path

from latentlaw.data.storage.output import check_new, new_output
from latentlaw.serving.export.encoder import check_onnx_packages
from latentlaw.serving.export.files import Exported, export_bundle
from latentlaw.serving.log import load_example, load_logged_bundle
from latentlaw.tracking.names import LATENTS
from latentlaw.tracking.reading.logged import load_json, source_run
from latentlaw.tracking.recording.runs import configure_tracking, log_metrics, stage_run, tag_run
from latentlaw.tracking.say import say
from pydantic import Field

from pipelines.cli.command import command, use_threads
from pipelines.cli.parameters import Entry


class Export(Entry):
    """Write a model's encoder as torch.export and ONNX, and its law as Python, C and LaTeX."""

    model: str = Field(
        description="run id of a train or discover run, or runs:/ or models:/ URI of a model"
    )
    out: str = Field("exported", description="folder to make")
    overwrite: bool = Field(False, description="replace what is at `out`")


def run(parameters: Export) -> Exported:
    """Export, check against the model, and say what was written."""
    p = parameters
    check_new(Path(p.out), overwrite=p.overwrite)
    check_onnx_packages()
    with stage_run("export", p.model_dump()):
        use_threads()
        bundle = load_logged_bundle(p.model)
        tag_run(family=bundle.model.config.family)
        named = load_json(source_run(p.model), LATENTS) or []
        meanings = {each["latent"]: each["meaning"] for each in named}
        with new_output(p.out, overwrite=p.overwrite) as folder:
            exported = export_bundle(bundle, load_example(p.model), folder, meanings=meanings)
        log_metrics(
            {"export/pt2_error": exported.pt2_error, "export/onnx_error": exported.onnx_error}
        )
    if bundle.equations is None:
        say("export: the model has no equations, so law.* are left out; export a `discover` run")
    say(f"export: {p.out}: {', '.join(exported.files)}")
    return exported


if __name__ == "__main__":
    configure_tracking()
    command(Export, run)
