"""A network on pixels, trained with labels, that latents are compared with."""

import numpy as np
import torch
from latentlaw.data.particles.loading import Particles
from latentlaw.data.particles.splits import TEST, TRAIN, VAL
from latentlaw.data.particles.stack import open_stack
from latentlaw.evaluation.scores.classification import classification_scores
from latentlaw.models.classifier import Classifier
from latentlaw.tracking.recording.runs import log_metrics, stage_run, tag_run
from latentlaw.training.batches import held_out_batches
from latentlaw.training.classifier import fit_classifier, predict_logits
from latentlaw.training.devices import pick_device
from latentlaw.training.prepare import prepare
from latentlaw.training.seeds import seeded_initialisation

from pipelines.evaluation.evaluated import Evaluated
from pipelines.training.choices import check_box, model_config, train_config
from pipelines.training.parameters import Train

CNN = "cnn"


def supervised(p: Train, test_data: str | None = None) -> Evaluated:
    """Train a classifier on pixels with the same encoder body, split and augmentation.

    Parameters
    ----------
    test_data
        Stack to test on; None: the test split of the one it is trained on.
    """
    with stage_run("train", p.model_dump()) as active:
        tag_run(family=CNN)
        trained = open_stack(p.data)
        check_box(p, trained.images.shape[1:])
        data = prepare(trained, seed=p.seed, hold_out=p.hold_out or ())
        config = model_config(p, data)
        device = pick_device(p.device)
        with seeded_initialisation(p.seed):
            model = Classifier(config, len(data.class_names)).to(device)
        fit_classifier(
            model,
            data.particles(data.rows(TRAIN, labelled=True)),
            data.particles(data.rows(VAL, labelled=True)),
            train_config(p, data.images.shape[1:]),
            normalisation=config.normalisation,
        )
        images, labels, rows = data.images, data.labels, data.rows(TEST)
        if test_data is not None:
            tested = open_stack(test_data)
            images, labels = tested.images, tested.table["label"].fillna("").to_numpy(dtype=str)
            rows = np.arange(len(tested))
        rows = rows[np.isin(labels[rows], data.class_names)]
        particles = Particles.unlabelled(images, rows)
        batches = held_out_batches(particles, config.normalisation, device)
        places = torch.argmax(predict_logits(model, batches), dim=1).cpu().numpy()
        scores = classification_scores(labels[rows], np.array(data.class_names)[places])
        log_metrics(scores)
        return Evaluated(active.info.run_id, scores, {})
