"""A model as a folder of plain files: weights in safetensors, JSON, a digest of each."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from latentlaw.discovery.equations import EquationModel
from latentlaw.discovery.expressions import to_text
from latentlaw.errors import CheckpointError, DataError
from latentlaw.evaluation.embed import Embedding, embed
from latentlaw.evaluation.head import LatentHead
from latentlaw.models.config import ModelConfig
from latentlaw.models.vae import AutoEncoder

_WEIGHTS, _CONFIG, _HEAD = "weights.safetensors", "config.json", "head.json"
_EQUATIONS, _DIGESTS = "equations.json", "digests.json"


@dataclass(frozen=True)
class Bundle:
    """A trained model with its classifier head and, once discovered, its equations."""

    model: AutoEncoder
    head: LatentHead
    equations: EquationModel | None = None

    def save(self, folder: Path) -> None:
        """Write the bundle to `folder`, which is made."""
        folder.mkdir(parents=True)
        weights = {k: v.cpu().contiguous() for k, v in self.model.state_dict().items()}
        save_file(weights, folder / _WEIGHTS)
        (folder / _CONFIG).write_text(self.model.config.model_dump_json(indent=1))
        (folder / _HEAD).write_text(self.head.model_dump_json(indent=1))
        if self.equations:
            (folder / _EQUATIONS).write_text(json.dumps(self.equations.to_dict(), indent=1))
        digests = {file.name: _sha256(file) for file in sorted(folder.iterdir())}
        (folder / _DIGESTS).write_text(json.dumps(digests, indent=1))

    def predict(self, images: NDArray[Any]) -> list[dict[str, Any]]:
        """Answer for each image: class, probability, novelty, latents, pose, deciding expression.

        Parameters
        ----------
        images
            Raw images `(n, c, [z,] y, x)` of the trained box.

        Raises
        ------
        DataError
            If the shape is another, or a value is not finite.
        """
        wanted = self.model.config.image_shape
        if images.ndim == len(wanted) and wanted[0] == 1:
            images = images[:, None]  # a batch without its single channel
        if images.ndim != len(wanted) + 1 or images.shape[1:] != wanted:
            raise DataError(f"inputs: found shape {images.shape}, expected (n, *{wanted})")
        if not len(images):
            raise DataError("inputs: the batch is empty")
        if not np.isfinite(images).all():
            raise DataError("inputs: NaN or infinite values; replace or leave out those particles")
        codes = embed(self.model, images)
        return self._records(codes)

    def _records(self, codes: Embedding) -> list[dict[str, Any]]:
        novelty = self.head.novelty(codes.mu)
        if self.equations:
            names = self.equations.class_names
            probabilities: NDArray[np.floating[Any]] = self.equations.predict_proba(codes.mu)
        else:
            names = self.head.class_names
            probabilities = self.head.probabilities(codes.mu)
        quaternion = codes.pose.shape[1] == 4 and self.model.config.decoder == "splat"
        records = []
        for i, winner in enumerate(probabilities.argmax(axis=1)):
            record: dict[str, Any] = {
                "class": names[winner],
                "probability": float(probabilities[i, winner]),
                "novelty": float(novelty[i]),
                **{f"z{j}": float(value) for j, value in enumerate(codes.mu[i])},
            }
            if quaternion:
                unit = codes.pose[i] / max(float(np.linalg.norm(codes.pose[i])), 1e-12)
                record |= dict(zip(("qw", "qx", "qy", "qz"), map(float, unit), strict=True))
            if self.equations:
                record["expression"] = to_text(self.equations.expressions[winner])
            records.append(record)
        return records


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle after checking the digest of every file.

    Raises
    ------
    CheckpointError
        If a file is missing, changed, or does not fit the configuration.
    """
    try:
        digests: dict[str, str] = json.loads((folder / _DIGESTS).read_text())
        for name, digest in digests.items():
            found = _sha256(folder / name)
            if found != digest:
                raise CheckpointError(
                    f"{folder / name}: SHA-256 {found[:12]}… where {digest[:12]}… was recorded; "
                    "the file was changed or damaged, fetch the model again"
                )
        config = ModelConfig.model_validate_json((folder / _CONFIG).read_text())
        head = LatentHead.model_validate_json((folder / _HEAD).read_text())
        model = AutoEncoder(config)
        model.load_state_dict(load_file(folder / _WEIGHTS))
        equations = None
        if _EQUATIONS in digests:
            equations = EquationModel.from_dict(json.loads((folder / _EQUATIONS).read_text()))
    except (OSError, ValueError, KeyError, ValidationError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: not a whole model bundle ({error})") from error
    except RuntimeError as error:  # load_state_dict on a different architecture
        raise CheckpointError(f"{folder}: weights do not fit {_CONFIG} ({error})") from error
    model.eval()
    return Bundle(model, head, equations)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
