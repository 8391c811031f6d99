import pytest
from latentlaw.discovery.equations.canonical import canonical_form, group_laws
from latentlaw.discovery.equations.expressions import parse, to_text

NAMES = ("z0", "z1", "z2")


def law(text):
    return parse(text, NAMES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2.0*z0*(z1 - 1.5)", "2.0*z0*z1 - 3.0*z0"),
        ("(z0 - 2.0*z1)**2", "(2.0*z1 - z0)*(2.0*z1 - z0)"),
        ("z0/(2.0 + 2.0*z1**2)", "0.5*z0/(1.0 + z1**2)"),
        ("1.5*tanh(0.5 - 2.0*z0)", "-1.5*tanh(2.0*z0 - 0.5)"),
        ("exp(0.5*z0 + 1.0)", "2.718281828459045*exp(0.5*z0)"),
        ("z0/z1 + 1.0", "(z0 + z1)/z1"),
        ("2.87*z0 - 1.1*z2", "2.95*z0 - 1.05*z2"),
        ("z0 + 1e-12*z1", "z0"),
        ("3.0", "3.1"),
    ],
)
def test_same_up_to_algebra_and_rounding(one, other):
    one, other = canonical_form(law(one)), canonical_form(law(other))
    assert one.matches(other)
    assert other.matches(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2.0*z0", "2.5*z0"),
        ("2.0*z0", "-2.0*z0"),
        ("2.0*z0", "2.0*z1"),
        ("2.0*z0 + 0.1*z1", "2.0*z0"),
        ("tanh(1.5*z0)", "tanh(2.5*z0)"),
        ("z0**2", "z0**3"),
        ("tanh(1.5*z0)", "sin(1.5*z0)"),
    ],
)
def test_different_laws(one, other):
    assert not canonical_form(law(one)).matches(canonical_form(law(other)))


def test_constants_of_the_form_are_in_the_order_of_its_terms():
    form = canonical_form(law("4.0*z0*tanh(0.3*z1 - 1.0) - 2.0"))
    again = canonical_form(law("-2.0 + z0*4.0*tanh(z1*0.3 - 1.0)"))
    assert form == again
    assert sorted(form.constants) == pytest.approx([-2.0, -1.0, 0.3, 1.0, 4.0])


def test_groups_count_sources_once_and_put_the_frequent_first():
    groups = group_laws(
        [
            (law("z2"), "run a"),
            (law("2.0*z0*z1 - 2.0*z1"), "run a"),
            (law("2.1*z1*(z0 - 1.0)"), "run b"),
            (law("2.05*z1*(z0 - 1.0)"), "run b"),
        ]
    )
    assert [(to_text(g.expression), g.times) for g in groups] == [
        ("2.0*z0*z1 - 2.0*z1", 2),
        ("z2", 1),
    ]
    assert groups[0].sources == ["run a", "run b", "run b"]


def test_a_large_expression_is_compared_as_it_stands():
    text = " + ".join(f"{i + 1.5}*z0**{i % 5 + 1}*tanh({i + 0.5}*z1)*z2" for i in range(60))
    assert canonical_form(law(text)).matches(canonical_form(law(text)))
