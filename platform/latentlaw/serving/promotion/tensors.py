"""What goes into a model and comes out, as bioimage.io describes it, with test tensors.

The descriptions are `inputs` and `outputs` of a bioimage.io model description 0.5. Whoever loads
the model somewhere else gets the test outputs from the test input, or has another model.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlaw.serving.bundle import Bundle

#: Most that a test output may be off by where the model is loaded elsewhere.
TOLERANCE = 1e-5
_INPUT, _LATENTS, _PROBABILITIES, _POSE = "images", "latents", "probabilities", "pose"


def example_tensors(bundle: Bundle, images: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """Return raw images `(n, c, [z,] y, x)` and what the model makes of them, by name.

    `latents` `(n, d)` are posterior means, `probabilities` `(n, K)` are of the classes in their
    order, `pose` `(n, p)` is there if the model has one.
    """
    codes = bundle.embed(images)
    tensors = {
        _INPUT: images,
        _LATENTS: codes.mu,
        _PROBABILITIES: bundle.probabilities(codes.mu),
        _POSE: codes.pose,
    }
    return {
        name: np.asarray(tensor, dtype=np.float32)
        for name, tensor in tensors.items()
        if tensor.shape[1]
    }


def file_name(tensor: str) -> str:
    """Return the file of a test tensor."""
    return f"test_{tensor}.npy"


def save_tensors(tensors: Mapping[str, NDArray[np.float32]], folder: Path) -> dict[str, str]:
    """Write each tensor, of any shape, as an `.npy` file, and return the SHA-256 of each."""
    digests = {}
    for name, tensor in tensors.items():
        path = folder / file_name(name)
        np.save(path, tensor, allow_pickle=False)
        digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def describe_tensors(
    bundle: Bundle, digests: Mapping[str, str], voxel_size_a: float | None
) -> dict[str, list[dict[str, Any]]]:
    """Return bioimage.io's `inputs` and `outputs`.

    Parameters
    ----------
    bundle
        The model, of whose box and answers the tensors are.
    digests
        SHA-256 of the test tensors by name.
    voxel_size_a
        Edge of a voxel or pixel in angstrom; None where it is not known, and then left out.
    """
    channels, *sizes = bundle.model.config.image_shape
    scale = {} if voxel_size_a is None else {"unit": "angstrom", "scale": voxel_size_a}
    names = "zyx"[-len(sizes) :]
    space = [
        {"type": "space", "id": name, "size": size, **scale}
        for name, size in zip(names, sizes, strict=True)
    ]
    images = _tensor(
        _INPUT,
        "raw grey levels; the model normalises them itself",
        [_channels([f"channel{i}" for i in range(channels)]), *space],
        digests,
    )
    config = bundle.model.config
    outputs = {
        _LATENTS: ("posterior means", [f"z{i}" for i in range(config.latent_dims)]),
        _PROBABILITIES: ("of the classes", list(bundle.class_names)),
        _POSE: ("numbers of the pose", [f"pose{i}" for i in range(config.pose_dims)]),
    }
    return {
        "inputs": [images | {"preprocessing": []}],
        "outputs": [
            _tensor(name, text, [_channels(columns)], digests)
            for name, (text, columns) in outputs.items()
            if columns
        ],
    }


def _channels(names: Sequence[str]) -> dict[str, Any]:
    return {"type": "channel", "channel_names": list(names)}


def _tensor(
    name: str, description: str, axes: list[dict[str, Any]], digests: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "id": name,
        "description": description,
        "axes": [{"type": "batch"}, *axes],
        "data": {"type": "float32"},
        "test_tensor": {"source": file_name(name), "sha256": digests[name]},
    }
