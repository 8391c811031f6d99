"""The encoder from raw images to latents, for programs without this package.

Two formats, both with a batch of any size: `torch.export` (.pt2), which holds no pickle as it is
written here, and ONNX. Each is read back and compared with the model before it is given away.
"""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from latentlaw.errors import CheckpointError, ConfigError
from latentlaw.models.vae import AutoEncoder

TOLERANCE = 1e-4  # of the largest value of an output, or of 1 where that is larger
_BATCHES = (1, 5)
_ONNX = ("onnx", "onnxscript", "onnxruntime")
Images = NDArray[np.float32]
Run = Callable[[Tensor], Sequence[Any]]


class RawEncoder(nn.Module):
    """Smoothing, normalisation, alignment and the encoder as one module."""

    def __init__(self, model: AutoEncoder) -> None:
        super().__init__()
        self._normalisation = model.config.normalisation
        self._encoder = model.encoder

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return `mu`, `logvar` and, of a model with a pose, the encoder's guess of it.

        Parameters
        ----------
        images
            Raw, float32, `(n, c, [z,] y, x)`.
        """
        encoding = self._encoder(self._normalisation(images))
        found = (encoding.mu, encoding.logvar, encoding.pose)
        return found if encoding.pose.shape[1] else found[:2]


def output_names(model: AutoEncoder) -> tuple[str, ...]:
    """Return the names of what `RawEncoder` returns."""
    return ("mu", "logvar", "pose") if model.config.pose_dims else ("mu", "logvar")


def check_onnx_packages() -> None:
    """Refuse to go on where ONNX cannot be written or checked.

    Raises
    ------
    ConfigError
        Naming the packages that lack.
    """
    missing = []
    for name in _ONNX:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        raise ConfigError(
            f"export: {', '.join(missing)} cannot be imported; "
            "pip install 'latentlaw[export]', or -e '.[export]' in a checkout"
        )


def trace(model: AutoEncoder) -> ExportedProgram:
    """Trace the encoder of a model, for a batch of any size, on the CPU."""
    encoder = RawEncoder(model.cpu()).eval()
    example = torch.zeros(2, *model.config.image_shape)
    shapes = ({0: Dim("n", min=1)},)
    program = torch.export.export(encoder, (example,), dynamic_shapes=shapes)
    program.example_inputs = None  # they would be stored as a pickle
    return program


def save_pt2(program: ExportedProgram, model: AutoEncoder, images: Images, path: Path) -> float:
    """Write a `.pt2` file and return its largest error on example images `(n, c, [z,] y, x)`.

    Raises
    ------
    CheckpointError
        If what is read back does not answer as the model does.
    """
    torch.export.save(program, path)
    return _checked(torch.export.load(path).module(), model, images, path)


def save_onnx(program: ExportedProgram, model: AutoEncoder, images: Images, path: Path) -> float:
    """Write an ONNX file, input `images`, and return its largest error on example images.

    Raises
    ------
    CheckpointError
        If onnxruntime does not answer as the model does.
    """
    import onnxruntime

    names = output_names(model)
    made = torch.onnx.export(
        program,
        (torch.zeros(2, *model.config.image_shape),),
        dynamo=True,
        external_data=False,
        input_names=["images"],
        output_names=names,
        verbose=False,
    )
    if made is None:  # what torch returns where it writes a file itself
        raise CheckpointError(f"{path}: torch made no ONNX model")
    made.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(batch: Tensor) -> Sequence[Any]:
        answers: Sequence[Any] = session.run(list(names), {"images": batch.numpy()})
        return answers

    return _checked(run, model, images, path)


def _checked(run: Run, model: AutoEncoder, images: Images, path: Path) -> float:
    """Compare an export with the model on batches of one and of five of the images."""
    encoder, largest = RawEncoder(model).eval(), 0.0
    for size in _BATCHES:
        batch = torch.from_numpy(np.resize(images, (size, *images.shape[1:])))
        with torch.inference_mode():
            wanted = encoder(batch)
            found = run(batch)
        for name, ours, theirs in zip(output_names(model), wanted, found, strict=True):
            apart = (ours - torch.as_tensor(theirs)).abs().max() / ours.abs().max().clamp_min(1)
            if not apart <= TOLERANCE:
                raise CheckpointError(
                    f"{path.name}: {name} of a batch of {size} differs by {float(apart):.2g} from "
                    f"the model's, expected at most {TOLERANCE:g}; nothing was exported"
                )
            largest = max(largest, float(apart))
    return largest
