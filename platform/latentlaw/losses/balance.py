"""One rule for classes of unequal size: in the loss of a classifier, each weighs the same."""

import torch
from torch import Tensor


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """Return the weight of each class, `w_k = n / (K n_k)`, so that the mean over `labels` is 1.

    As scikit-learn's `class_weight="balanced"` (King and Zeng 2001). A class without a label
    weighs as one that has a single label.

    Parameters
    ----------
    labels
        Class indices `(n,)`.
    classes
        How many there are, K.

    Returns
    -------
    Tensor
        `(classes,)` float32.

    Examples
    --------
    >>> balanced_weights(torch.tensor([0, 0, 0, 1]), classes=2)
    tensor([0.6667, 2.0000])
    """
    counts = torch.bincount(labels, minlength=classes).float()
    return len(labels) / counts.clamp_min(1) / classes
