"""Slices with their picks, and decision boundaries: figures without Streamlit."""

import numpy as np
import pandas as pd
from latentlaw.data.inspection.slices import PLANES, Volume

from dashboards.charts.boundary import boundary_chart, plane_of
from dashboards.charts.colouring import Scheme
from dashboards.charts.slices import ortho_chart
from dashboards.wording.laws import latents_in, latex_lines, typeset

HOSTILE = "<img src=x onerror=alert(1)> $\\frac{1}{2}$ %{x} [a](javascript:b)"


def slices_of(values: np.ndarray, picks: pd.DataFrame | None = None, reach: float = 20.0):  # type: ignore[no-untyped-def]
    volume = Volume(lambda region: values[region], values.shape, 10.0)
    place = {name: volume.place(values.shape[axis] // 2) for axis, name in enumerate("zyx")}
    planes = PLANES[:1] if len(values) == 1 else PLANES
    slabs = {
        plane: volume.slab(plane, place[name]) for plane, name in zip(planes, "zyx", strict=False)
    }
    scheme = None if picks is None else Scheme("label", tuple(sorted(picks["label"].unique())))
    return ortho_chart(volume, slabs, place, picks=picks, scheme=scheme, reach=reach)


def test_slices_are_in_angstrom_with_voxel_centres_at_their_places() -> None:
    figure = slices_of(np.random.default_rng(0).normal(size=(8, 20, 30)))
    xy = figure.data[0]
    assert (xy.x0, xy.dx, xy.y0, xy.dy) == (0, 10, 0, 10)
    assert figure.layout.xaxis.range == (-5, 295)
    assert figure.layout.yaxis.range == (195, -5)  # row 0 is at the top
    titles = [figure.layout[f"{axis}axis{n}"].title.text for n in ("", 2, 3) for axis in "xy"]
    assert titles == ["x (Å)", "y (Å)", "z (Å)", "y (Å)", "x (Å)", "z (Å)"]
    assert len(slices_of(np.ones((1, 5, 5))).data) == 1


def test_picks_are_on_the_slices_that_they_are_near_to() -> None:
    picks = pd.DataFrame(
        {
            "z": [40.0, 75.0],
            "y": [100.0, 20.0],
            "x": [290.0, 150.0],
            "label": ["a", HOSTILE],
            "particle_id": ["p", HOSTILE],
        },
        index=[7, 9],
    )
    figure = slices_of(np.random.default_rng(0).normal(size=(8, 20, 30)), picks)
    drawn = [(t.xaxis, int(t.customdata[0, 0]), t.x[0], t.y[0]) for t in figure.data if t.text]
    # The cuts are at z 40, y 100, x 150: pick 7 is near the first two, 9 near the last alone.
    assert sorted(drawn) == [("x", 7, 290, 100), ("x2", 9, 75, 20), ("x3", 7, 290, 40)]
    written = figure.to_json()
    for mark in ("<img", "\\u003cimg", "$", "%{x} "):
        assert mark not in written


def test_a_plane_varies_two_latents_and_keeps_the_others() -> None:
    ranges = np.array([[-1.0, 1.0], [-2.0, 2.0], [-3.0, 3.0]])
    x, y, latents = plane_of(np.array([0.1, 0.2, 0.3]), ranges, (2, 0), steps=5)
    assert (x[0], x[-1], y[0], y[-1]) == (-3, 3, -1, 1)
    assert set(latents[:, 1]) == {0.2}
    assert latents[1].tolist() == [-1.0, 0.2, -1.5]  # x runs fastest


def test_the_border_between_two_classes_is_where_they_are_equally_probable() -> None:
    def probabilities(latents: np.ndarray) -> np.ndarray:
        second = 1 / (1 + np.exp(-20 * (latents[:, 0] - 0.25)))
        return np.column_stack((1 - second, second))

    plane = plane_of(np.zeros(2), np.array([[-1.0, 1.0]] * 2), (0, 1), steps=41)
    particles = pd.DataFrame(
        {"z0": [0.5, 3.0], "z1": [0.0, 0.0], "label": ["b", "b"], "particle_id": ["p", "q"]}
    )
    scheme = Scheme("label", ("a", HOSTILE))
    figure = boundary_chart(probabilities, scheme, plane, ("z0", "z1"), particles, (0.5, 0.5))
    wins, sure = (np.asarray(t.z) for t in figure.data if t.type == "heatmap")
    x = plane[0]
    assert (wins[:, x < 0.24] == 0).all()
    assert (wins[:, x > 0.26] == 1).all()
    doubtful = np.abs(20 * (x - 0.25)) < np.log(9)  # logit of 90 %
    assert np.isnan(sure[:, doubtful]).all()
    np.testing.assert_array_equal(sure[:, ~doubtful], wins[:, ~doubtful])
    keys = [t for t in figure.data if t.type != "heatmap" and t.showlegend is not False]
    assert all(key.name for key in keys)
    border = next(np.asarray(t.z) for t in figure.data if t.type == "contour")
    assert (np.sign(border) == np.sign(0.25 - x)).all()
    assert "<img" not in figure.to_json()
    known = boundary_chart(
        probabilities, Scheme("label", ("a", "b")), plane, ("z0", "z1"), particles
    )
    assert [list(t.x) for t in known.data if t.type == "scatter" and t.text] == [
        [0.5]
    ]  # the other is out of view


def test_laws_are_typeset_and_written_for_a_paper() -> None:
    assert latents_in("z10 + z2*z10 + zoo") == ["z2", "z10"]
    assert typeset("2*z0 + z1**2") == "2 z_{0} + z_{1}^{2}"
    assert typeset("__import__('os')") is None
    written = latex_lines([("a_b & {c}\\", "z_{0}"), ("d", "1")])
    assert r"\text{a\_b \& \{c\}\textbackslash{}} &= z_{0} \\" in written
    assert written.startswith("\\begin{align}\n")
