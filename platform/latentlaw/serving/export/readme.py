"""What lies beside exported files: how each is used, with its shapes, axes and units."""

from latentlaw.discovery.equations.law import Law
from latentlaw.models.config import ModelConfig
from latentlaw.serving.export.encoder import TOLERANCE, RawEncoder


def readme(encoder: RawEncoder, config: ModelConfig, law: Law | None, *, onnx_error: float) -> str:
    """Return Markdown that says how the files of an export are used."""
    parts = [_ENCODER.format(**_facts(encoder, config, onnx_error)), _pose(config), _HEAD]
    parts.append(_NO_LAW if law is None else _LAW.format(**_law_facts(law)))
    return "\n".join(part for part in parts if part)


def _facts(encoder: RawEncoder, config: ModelConfig, onnx_error: float) -> dict[str, str]:
    channels, sizes = config.image_shape[0], config.image_shape[1:]
    axes = zip("zyx"[-len(sizes) :], sizes, strict=True)
    widths = {"mu": config.latent_dims, "logvar": config.latent_dims, "pose": config.pose_dims}
    outputs = [f"`{name}` `(n, {widths[name]})`" for name in encoder.outputs]
    done = [f"normalisation ({config.normalisation.kind})"]
    if config.normalisation.smoothing:
        done.insert(0, f"smoothing by {config.normalisation.smoothing:g} voxels")
    if config.normalisation.alignment != "none":
        done.append(f"alignment ({config.normalisation.alignment})")
    return {
        "family": config.family,
        "shape": ", ".join(["n", *map(str, config.image_shape)]),
        "ones": ", ".join(map(str, config.image_shape)),
        "axes": " x ".join(f"{axis} {size}" for axis, size in axes),
        "channels": f"{channels} channel{'s' if channels > 1 else ''}",
        "outputs": ", ".join(outputs),
        "names": ", ".join(encoder.outputs),
        "inside": ", ".join(done),
        "error": f"{onnx_error:.1g}",
        "tolerance": f"{TOLERANCE:g}",
    }


def _law_facts(law: Law) -> dict[str, str]:
    two = len(law.class_names) == 2
    return {
        "latents": ", ".join(law.latents_used) or "none",
        "n": str(len(law.latent_names)),
        "classes": ", ".join(f"`{name}`" for name in law.class_names),
        "meaning": "the log-odds of the second class is `f`, and logits are `-f/2` and `f/2`"
        if two
        else "a class's expression is its logit",
    }


def _pose(config: ModelConfig) -> str:
    if config.explicit_pose:
        three = config.dims == 3
        return _POSE.format(
            numbers="a unit quaternion w, x, y, z that turns the model's frame into the particle's"
            if three
            else "cosine and sine of the turn from x towards y",
            ones=", ".join(map(str, config.image_shape)),
        )
    if config.pose_dims:
        return "`pose` are free numbers that take up orientation; they are no angles.\n"
    return ""


_ENCODER = """# An exported model

A model of family {family}, exported by latentlaw. `digests.json` has the SHA-256 of each file.

## The encoder: `encoder.pt2`, `encoder.onnx`

Input `images`, float32 `({shape})`: any number n of particles, {channels} of {axes} voxels of the
size that the model was trained at. Grey levels are raw, as they are in the file; done inside:
{inside}. NaN gives NaN.

Outputs, float32: {outputs}; mean and log variance of the latents, which have no unit.

Both files were read back and compared with the model on its example images, in batches of 1 and 5;
the largest difference of the ONNX file was {error} of the largest value of an output (allowed:
{tolerance}). Neither holds a pickle.

```python
import torch  # the version that wrote it, or a later one

encoder = torch.export.load("encoder.pt2").module()
{names} = encoder(torch.zeros(1, {ones}))
```

```python
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("encoder.onnx", providers=["CPUExecutionProvider"])
{names} = session.run(None, {{"images": np.zeros((1, {ones}), np.float32)}})
```
"""
_POSE = """## The pose: `pose.pt2`

**`pose` of the encoder is a guess**, {numbers}. The model itself starts from it and searches all
rotations for the one under which its Gaussians show the image best. `pose.pt2` does that search
too, from the same input to `pose` as the model answers it; there is no ONNX file of it.

```python
import torch

(pose,) = torch.export.load("pose.pt2").module()(torch.zeros(1, {ones}))
```
"""
_HEAD = """## Class and novelty by numbers: `head.json`

Logistic regression on latents: `softmax((mu - mean) / scale @ weights.T + bias)` in the order of
`class_names`. Novelty: with `u = mu / |mu|`, the surprise
`min_k ((u - centres[k]) @ precisions[k] @ (u - centres[k]) + log_volumes[k]) / 2` is ranked among
those of known particles: `#(calibration < surprise) / (len(calibration) + 1)`. Above 0.95 it is
wrong for at most 5 % of known particles, in the mean.
"""
_LAW = """## The law: `law.py`, `law.c`, `law.h`, `law.tex`

From latents (`mu`, in order, {n} of them; used: {latents}) to classes {classes}:
{meaning}. A value that is undefined counts as 0, one beyond +-1e6 as that.

```python
import law  # no library

law.classify(mu[0].tolist()), law.probabilities(mu[0].tolist()), law.logits(mu[0].tolist())
```

```c
#include "law.h"  /* cc -std=c99 yours.c law.c -lm; not with -ffast-math */

double probabilities[LAW_CLASSES];
law_probabilities(z, probabilities);
const char *name = law_class_names[law_classify(z)];
```

`law.tex` is a fragment to `\\input` into a document that uses `amsmath`.
"""
_NO_LAW = """## No law

The model has no equations, so there are no files `law.*`: run `discover` on it and export that
run.
"""
