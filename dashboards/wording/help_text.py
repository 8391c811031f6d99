"""What pages, measures and words mean, for a scientist who did not write them."""

#: Page: what question it answers, and how.
PAGES = {
    "Runs": "Which runs are there, and how do they differ? Each step of the pipeline is a run: "
    "search, filter and sort them, and pick some. *Parameters* lays them side by side, those that "
    "differ first; *Losses* follows a training while it runs; *Lineage* leads from tomograms or "
    "images to the particle stack, the model, its equations and the registered version; *Steps "
    "and trials* opens a whole pipeline, a cross-validation or a study.",
    "Clusters": "Does the latent space separate the classes? Embeddings of several runs side by "
    "side: point at a particle to see its central slices, draw around a cluster to see its "
    "members, their mean, and where the other runs put them; save them as STAR or CSV. Their "
    "separation measures with the better one marked, and the learned similarities of classes "
    "beside the affinity prior that training was given.",
    "Accuracy against complexity": "What does simplicity cost? Every model of a run, from the "
    "black box on pixels to equations of a few nodes, by accuracy on unseen data and complexity. "
    "The slider names the simplest model that keeps, say, 98 % of the black box's accuracy; a "
    "click on a model shows its equations.",
    "Equations": "Which law tells the classes apart? One expression per class, of the latents z; "
    "the class with the largest value wins. Beside each variable: what changes in the image as it "
    "grows, and the image feature that goes with it. Sliders walk through the latent space: the "
    "decoded image and the class probabilities follow, and the decision boundary of any two "
    "latents is drawn.",
    "Particles": "What does the data look like? Slices of any particle or tomogram (xy, xz, yz, "
    "in ångström), with picks drawn on those within half a box; click one to see it.",
    "Tuning": "Which parameters matter? The course of a study, what its objectives depend on, and "
    "the trials that no other one beats.",
    "Models": "Which model is in use, and what does it say of my particle? Registered versions, "
    "their cards, what the gate said, and a model that you can try.",
}

#: Measure: its range, what is better, and what it says.
MEASURES = {
    "Accuracy": (
        "0 to 1, higher",
        "Share of particles whose class is right. On data of groups (tomograms, source images) "
        "that the model never saw, as are all measures here.",
    ),
    "Balanced accuracy": (
        "0 to 1, higher",
        "Mean of the classes' accuracies, so that a frequent class does not hide a rare one.",
    ),
    "Macro F1": (
        "0 to 1, higher",
        "Mean over classes of the harmonic mean of precision and recall.",
    ),
    "Silhouette (cosine distance)": (
        "-1 to 1, higher",
        "How much closer a particle lies to its own class than to the next one, by the angle "
        "between latents. 0: classes overlap.",
    ),
    "Davies-Bouldin index": (
        "from 0, lower",
        "Spread of classes over the distance between them, for each class's worst neighbour.",
    ),
    "Calinski-Harabasz index": (
        "from 0, higher",
        "Variance between classes over variance within; grows with the number of particles, so "
        "compare it on one data set only.",
    ),
    "Rank correlation with the affinity (Spearman)": (
        "-1 to 1, higher",
        "Whether classes that the prior says are alike lie close in the latent space.",
    ),
    "Latent cosine under rotation": (
        "-1 to 1, higher",
        "Cosine between the latents of a particle and of the same particle turned. 1: the latent "
        "space does not see orientation, which is then in the pose.",
    ),
    "Median pose error (degrees)": (
        "0 to 180, lower",
        "Angle between the estimated and the true orientation, up to one common turn and the "
        "particle's symmetry.",
    ),
    "Novelty AUROC": (
        "0 to 1, higher",
        "Chance that a particle of a class that was kept from training scores as newer than one "
        "of a known class. 0.5: no better than a coin.",
    ),
    "Complexity": (
        "from 1, lower",
        "Of an equation the nodes of its expression tree; of a network its weights that are not "
        "zero; of trees their nodes.",
    ),
    "Share of the black box": (
        "from 0, higher",
        "Accuracy of the equations over that of the best network on pixels.",
    ),
    "KL divergence (nats)": (
        "from 0",
        "What the latents tell of an image beyond a standard normal distribution. A latent of "
        "nearly 0 nats has collapsed: it tells nothing.",
    ),
}

#: Word: what it means here.
WORDS = {
    "Latent, z": "A number that the encoder finds for a particle; a model has a handful. Pages "
    "use the mean of its distribution.",
    "Pose": "Orientation, kept apart from the latents: a unit quaternion (w, x, y, z) in three "
    "dimensions, which turns the reference into the particle; an angle in two.",
    "Affinity, prior": "Known similarity of classes, from -1 to 1, which training is asked to "
    "reproduce as the cosine between latents. Weighted by gamma.",
    "beta": "Weight of the KL divergence in the loss: larger gives simpler latents and blurrier "
    "images.",
    "TC, total correlation": "What latents tell of each other, in nats. A β-TCVAE weighs it down, "
    "so that each latent means one thing.",
    "Traversal": "Images of one latent going from its 2nd to its 98th percentile, the others at "
    "their mean.",
    "Group": "What a split keeps together, on one side: the particles of a tomogram, the images "
    "of one source.",
    "Contrast": "Whether protein is bright or dark in a tomogram; raw ones have it dark.",
    "Law, equations": "Short expressions of latents, one per class or one for two classes, whose "
    "values say which class a particle has.",
    "Nodes": "Variables, constants and operators of an expression, counted.",
    "Ladder, rung": "The models that `discover` makes of one latent space, from the black box to "
    "equations; each is a rung. The entry `ladder` makes them anew in five folds.",
    "Black box": "The best network on pixels, with which simpler models are compared.",
    "Pareto front, frontier": "Models that none beats in accuracy without being more complex.",
    "Novelty": "How unlike the known particles a particle is, from 0 to 1: one minus a conformal "
    "p-value. Above 0.95 counts as new, which is wrong for 5 % of known particles at most, if new "
    "data are like those it was calibrated on.",
    "Held out, unseen": "Of groups that took no part in training or in choosing the model.",
    "Champion, candidate": "The registered version in use, and the newest. A candidate becomes "
    "champion by a gate: it must not be worse on the same held-out particles.",
    "Preempted": "Told to stop by the scheduler, and able to go on: `train … resume=…`.",
    "Half-written": "A run without a step: empty, or cut off as it began.",
    "Digest": "SHA-256 of data, or its beginning: equal digests mean equal data.",
}
