"""From raw images to latents and poses, for programs without this package.

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
        self.image_shape = model.config.image_shape
        self.outputs = ("mu", "logvar", "pose") if model.config.pose_dims else ("mu", "logvar")
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
        return (encoding.mu, encoding.logvar, encoding.pose)[: len(self.outputs)]


class RawPose(nn.Module):
    """From raw images to the pose that the model answers, which it searches."""

    def __init__(self, model: AutoEncoder) -> None:
        super().__init__()
        self.image_shape, self.outputs = model.config.image_shape, ("pose",)
        self._model = model

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return poses `(n, pose_dims)` of raw images `(n, c, [z,] y, x)`, float32."""
        return (self._model.infer(self._model.config.normalisation(images)).pose,)


Module = RawEncoder | RawPose


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
            f"export: found no {', '.join(missing)}; "
            "pip install 'latentlaw[export]', or -e '.[export]' in a checkout"
        )


def trace(module: Module) -> ExportedProgram:
    """Trace a module of a model on the CPU, for a batch of any size."""
    shapes = ({0: Dim("n", min=1)},)
    program = torch.export.export(module.eval(), (_zeros(module),), dynamic_shapes=shapes)
    program.example_inputs = None  # they would be stored as a pickle
    return program


def save_pt2(program: ExportedProgram, module: Module, images: Images, path: Path) -> float:
    """Write a `.pt2` file and return its largest error on example images `(n, c, [z,] y, x)`.

    Raises
    ------
    CheckpointError
        If what is read back does not answer as the module does.
    """
    torch.export.save(program, path)
    return _checked(torch.export.load(path).module(), module, images, path)


def save_onnx(program: ExportedProgram, module: Module, images: Images, path: Path) -> float:
    """Write an ONNX file and return its largest error on example images `(n, c, [z,] y, x)`.

    Its input is `images`, raw and float32, of a batch of any size.

    Raises
    ------
    CheckpointError
        If onnxruntime does not answer as the module does.
    """
    import onnxruntime

    made = torch.onnx.export(
        program,
        (_zeros(module),),
        dynamo=True,
        external_data=False,
        input_names=["images"],
        output_names=module.outputs,
        verbose=False,
    )
    if made is None:  # what torch returns where it writes a file itself
        raise CheckpointError(
            f"{path}: torch made no ONNX model; install the versions of infra/requirements.lock"
        )
    made.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(batch: Tensor) -> Sequence[Any]:
        answers: Sequence[Any] = session.run(list(module.outputs), {"images": batch.numpy()})
        return answers

    return _checked(run, module, images, path)


def _zeros(module: Module) -> Tensor:
    return torch.zeros(2, *module.image_shape)


def _checked(run: Run, module: Module, images: Images, path: Path) -> float:
    """Compare an export with the module on batches of one and of five of the images."""
    largest = 0.0
    for size in _BATCHES:
        batch = torch.from_numpy(np.resize(images, (size, *images.shape[1:])))
        with torch.inference_mode():
            wanted = module.eval()(batch)
            found = run(batch)
        for name, ours, theirs in zip(module.outputs, wanted, found, strict=True):
            apart = (ours - torch.as_tensor(theirs)).abs().max() / ours.abs().max().clamp_min(1)
            if not apart <= TOLERANCE:
                raise CheckpointError(
                    f"{path.name}: {name} of a batch of {size} differs by {float(apart):.2g} from "
                    f"the model's, expected at most {TOLERANCE:g}; nothing was exported"
                )
            largest = max(largest, float(apart))
    return largest
