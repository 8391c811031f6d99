import pytest
from latentlaw.discovery.equations.expressions import complexity, parse
from latentlaw.discovery.equations.model import EquationModel, negative

NAMES = ("z1", "z2", "z3", "z6")


@pytest.mark.parametrize(
    "text",
    [
        "6.37*z2 + 0.842*(z1 - 4.32)*(z6 + 2.43)",
        "6.7*z2 - 3.8*z6 + 8.7*(0.16*z1 + z3)**2 - 12.0",
        "z2*(1.3*z1 - 3.4*z6) - 3.1",
        "5.6*z2 - 2.5*z6 - 6.9",
    ],
)
def test_the_other_class_is_told_in_as_few_nodes(text):
    law = parse(text, NAMES)
    other = negative(law)
    assert (law + other).expand().simplify().subs(dict.fromkeys(law.free_symbols, 1)) == (
        pytest.approx(0, abs=1e-9)
    )
    assert complexity(other) <= complexity(law)
    model = EquationModel(("a", "b"), NAMES, (law,))
    assert model.complexity <= 2 * complexity(law)
