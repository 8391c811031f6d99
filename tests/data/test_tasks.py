import numpy as np
import pytest
from latentlaw.data.particles.tasks import task_labels
from latentlaw.errors import ConfigError

LABELS = np.array(["G1", "S", "Prophase", "", "G2", "Telophase", "G1"])


def test_classes_are_joined_and_others_are_left_out():
    told = task_labels(LABELS, "Interphase=G1+S+G2, Prophase")
    assert told.tolist() == ["Interphase"] * 2 + ["Prophase", "", "Interphase", "", "Interphase"]


def test_a_class_may_be_taken_as_it_is():
    assert task_labels(LABELS, "G2,Prophase").tolist() == ["", "", "Prophase", "", "G2", "", ""]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("Interphase=G1+S+G3,Prophase", r"no class 'G3'.*expected G1, G2, Prophase"),
        ("G1,Late=G1+S", "found 'G1' twice"),
        ("G1", "expected two classes or more"),
        ("A=G1,A=S", "expected two classes or more"),
        ("=G1,S", "expected two classes or more"),
    ],
)
def test_a_task_that_cannot_be_is_refused(task, said):
    with pytest.raises(ConfigError, match=said):
        task_labels(LABELS, task)
