"""A model as a folder of plain files: weights in safetensors, JSON, a digest of each."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from latentlaw.discovery.equations.model import EquationModel
from latentlaw.errors import CheckpointError
from latentlaw.evaluation.embed import Embedding, embed
from latentlaw.evaluation.head.head import LatentHead
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder
from latentlaw.serving.answers import Array, answer
from latentlaw.serving.digests import digests_of, read_checked, read_digests, write_digests
from latentlaw.serving.requests import NotFiniteError, Request, checked_images

_WEIGHTS, _CONFIG, _HEAD = "weights.safetensors", "config.json", "head.json"
_EQUATIONS, _CODE = "equations.json", "code.json"


@dataclass(frozen=True)
class Bundle:
    """A trained model with its classifier head and, once discovered, its equations."""

    model: AutoEncoder
    head: LatentHead
    equations: EquationModel | None = None

    def save(self, folder: Path, code: Path | None = None) -> None:
        """Write the bundle to `folder`, which is made, with digests of its files.

        `code` is the package that will travel with it; digests of its modules are kept as well.
        """
        folder.mkdir(parents=True)
        weights = {k: v.cpu().contiguous() for k, v in self.model.state_dict().items()}
        save_file(weights, folder / _WEIGHTS)
        (folder / _CONFIG).write_text(self.model.config.model_dump_json(indent=1))
        (folder / _HEAD).write_text(self.head.model_dump_json(indent=1))
        if self.equations:
            (folder / _EQUATIONS).write_text(json.dumps(self.equations.to_dict(), indent=1))
        if code is not None:
            (folder / _CODE).write_text(json.dumps(digests_of(code, "*.py"), indent=1))
        write_digests(folder)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(c, [z,] y, x)` of the images that the model takes."""
        return self.model.config.image_shape

    @property
    def latent_dims(self) -> int:
        """Latents of a particle."""
        return self.model.config.latent_dims

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes in the order of `probabilities`; equations decide where there are some."""
        return self.head.class_names if self.equations is None else self.equations.class_names

    def embed(self, images: NDArray[Any]) -> Embedding:
        """Encode raw images `(n, c, [z,] y, x)` of the trained box.

        A batch without its channel, `(n, [z,] y, x)`, is taken where the model has one channel.

        Raises
        ------
        DataError
            If the shape is another, or the batch is empty.
        NotFiniteError
            If a value is not finite, or is so large that a latent is not.
        """
        codes = embed(self.model, checked_images(images, self.image_shape))
        if not (np.isfinite(codes.mu).all() and np.isfinite(codes.pose).all()):
            raise NotFiniteError(
                "inputs: grey levels are so large that the network overflows; scale the images"
            )
        return codes

    def probabilities(self, mu: Array) -> Array:
        """Return class probabilities `(n, K)` of latent means `(n, d)`."""
        if self.equations is None:
            return self.head.probabilities(mu)
        return self.equations.predict_proba(mu)

    def predict(
        self, images: NDArray[Any], *, returns: Iterable[str] | None = None
    ) -> list[dict[str, Any]]:
        """Answer for each raw image `(n, c, [z,] y, x)`, as `answers` does of latents.

        Raises
        ------
        DataError
            As `embed` does, or if a part of `returns` is unknown.
        """
        return self.answers(self.embed(images), returns=returns)

    def respond(self, request: Request) -> list[dict[str, Any]]:
        """Answer a request for images or latents.

        Raises
        ------
        DataError
            As `predict` does.
        """
        if request.kind == "images":
            return self.predict(request.values, returns=request.returns)
        return self._answer(request.values, None, request.returns)

    def answers(
        self, codes: Embedding, *, returns: Iterable[str] | None = None
    ) -> list[dict[str, Any]]:
        """Answer for each particle's latents and pose with the parts that `returns` names.

        See `latentlaw.serving.answers.PARTS`; None: all that the model has.
        """
        return self._answer(codes.mu, self._quaternions(codes.pose), returns)

    def _answer(
        self, mu: Array, quaternions: Array | None, returns: Iterable[str] | None
    ) -> list[dict[str, Any]]:
        law = None if self.equations is None else self.equations.law
        return answer(mu, quaternions, head=self.head, law=law, returns=returns)

    def decode(self, mu: Array, pose: Array | None = None) -> NDArray[np.float32]:
        """Decode latents `(n, d)` and poses `(n, pose_dims)` to images `(n, c, [z,] y, x)`.

        The images are in the grey levels of the network, normalised. Without poses, an explicit
        one is the identity and a free one is 0.
        """
        config = self.model.config
        if pose is None:
            pose = np.zeros((len(mu), config.pose_dims), dtype=np.float32)
            if config.explicit_pose:
                pose[:, 0] = 1.0
        with torch.inference_mode():
            z, turns = (torch.as_tensor(v, dtype=torch.float32) for v in (mu, pose))
            return np.asarray(self.model.decode(z, turns))

    def _quaternions(self, pose: Array) -> Array | None:
        if not (self.model.config.explicit_pose and self.model.config.dims == 3):
            return None
        norms = np.linalg.norm(pose, axis=1, keepdims=True)
        return np.asarray(pose / np.maximum(norms, 1e-12))


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle after checking the digest of every file, and of the code beside it.

    Raises
    ------
    CheckpointError
        If a file is missing, changed, or does not fit the configuration.
    """
    digests = read_digests(folder)
    files = {name: read_checked(folder, name, digests) for name in digests}
    try:
        if _CODE in files:
            _check_code(folder, json.loads(files[_CODE]))
        config = ModelConfig.model_validate_json(files[_CONFIG])
        head = LatentHead.model_validate_json(files[_HEAD])
        model = AutoEncoder(config)
        model.load_state_dict(load(files[_WEIGHTS]))
        equations = None
        if _EQUATIONS in files:
            equations = EquationModel.from_dict(json.loads(files[_EQUATIONS]))
    except (OSError, ValueError, KeyError, ValidationError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder}: not a whole model bundle ({error}); fetch the model again"
        ) from error
    except RuntimeError as error:  # load_state_dict on a different architecture
        raise CheckpointError(
            f"{folder}: weights do not fit {_CONFIG} ({error}); fetch the model again"
        ) from error
    model.eval()
    return Bundle(model, head, equations)


def _check_code(folder: Path, digests: dict[str, str]) -> None:
    """Check the package beside a bundle, where MLflow keeps a model's code."""
    code = folder.parents[1] / "code" / "latentlaw"
    if code.is_dir():
        for name in digests:
            read_checked(code, name, digests)
