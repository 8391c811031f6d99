"""What a training logs as its configuration trains the same again."""

from pipelines.training.parameters import Train


def test_a_configuration_keeps_the_seed_and_forgets_where_checkpoints_went():
    told = Train(data="a", model="tc-vae", seed=3, resume="elsewhere")
    begun = told.begun()
    assert begun["seed"] == 3
    assert begun["resume"] is None
    assert Train(**begun).seed == 3
