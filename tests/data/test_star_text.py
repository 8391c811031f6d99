"""STAR files as text: token for token there and back; rows chosen, columns updated."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.data.star.text import StarText, encode_star, parse_star, read_star_text, star_block
from latentlaw.errors import DataError

TEXT = """
# version 50001

data_general

_rlnTomoSubTomosAre2DStacks    1

data_optics

loop_
_rlnOpticsGroup #1
_rlnImagePixelSize #2
  1   1.350

# version 50001
data_particles

loop_
_rlnTomoName #1
_rlnCoordinateX #2
_rlnNote #3
TS_01\t 1.0e+01  'a b'
TS_02   2.500  "it's"  # a comment
TS_03   007  x#y

"""


def star(text: str = TEXT) -> StarText:
    return parse_star(text.encode(), "a.star")


def test_blocks_and_tokens() -> None:
    file = star()
    assert [block.name for block in file.blocks] == ["general", "optics", "particles"]
    assert file.optics is not None
    assert file.optics.table(["rlnImagePixelSize"]).iloc[0, 0] == "1.350"
    table = file.particles.table(["rlnNote", "rlnCoordinateX"])
    assert table["rlnNote"].tolist() == ["a b", "it's", "x#y"]
    assert table["rlnCoordinateX"].tolist() == ["1.0e+01", "2.500", "007"]


def test_rows_are_chosen_and_columns_updated_and_nothing_else_changes() -> None:
    file = star()
    block = file.particles.select(np.array([2, 1])).with_columns(
        {"latentlawClass": ["rod", None], "rlnCoordinateX": [1.5, 2]}
    )
    text = encode_star(file.with_particles(block)).decode()
    head, _ = TEXT.split("TS_01")
    label = "_rlnNote #3\n"
    rows = 'TS_03   1.500000  x#y\trod\nTS_02   2  "it\'s"\t<NA>  # a comment\n\n'
    assert text == head.replace(label, f"{label}_latentlawClass #4\n") + rows


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_stay(end: str) -> None:
    text = TEXT.replace("\n", end)
    file = star(text)
    assert encode_star(file) == text.encode()
    assert file.particles.table(["rlnNote"])["rlnNote"].tolist()[0] == "a b"
    block = file.particles.with_columns({"latentlawA": [1, 2, 3]})
    changed = encode_star(file.with_particles(block)).decode()
    assert changed.count(end) == text.count(end) + 1
    assert changed.count("\n") == changed.count(end)


def test_bytes_that_are_no_utf_8_stay() -> None:
    content = TEXT.replace("TS_01", "T\xe9").encode("latin-1")
    assert encode_star(parse_star(content, "a.star")) == content


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'a b'", "a b", "row 0: found 4 values, expected 3"),
        ("x#y", "", "row 2: found 2 values, expected 3"),
        ("_rlnNote #3", "_rlnTomoName #3", "found column rlnTomoName twice"),
        ("data_particles", "text", "a.star"),
    ],
)
def test_broken_files_are_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        star(TEXT.replace(old, new, 1)).particles.table(["rlnTomoName"])


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")), max_size=12
).filter(lambda text: not {"'", '"'} <= set(text) and text not in ("<NA>",))


@given(st.lists(st.tuples(TEXTS, st.integers(), st.floats(-1e6, 1e6)), min_size=1, max_size=5))
def test_any_table_reads_back(rows: list[tuple[str, int, float]]) -> None:
    table = pd.DataFrame(rows, columns=["rlnA", "rlnB", "rlnC"], dtype=object)
    text = StarText("a.star", (star_block("particles", table),))
    back = parse_star(encode_star(text), "a.star").particles.table(["rlnC", "rlnA", "rlnB"])
    assert back["rlnA"].tolist() == table["rlnA"].tolist()
    assert back["rlnB"].tolist() == [str(value) for value in table["rlnB"]]
    np.testing.assert_allclose(back["rlnC"].astype(float), table["rlnC"].astype(float), atol=1e-6)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), st.data())
def test_an_update_changes_its_column_only(
    rows: list[tuple[str, str]], data: st.DataObject
) -> None:
    table = pd.DataFrame(rows, columns=["a", "b"], dtype=object)
    values = data.draw(st.lists(TEXTS, min_size=len(rows), max_size=len(rows)))
    block = star_block("particles", table).with_columns({"a": values, "c": values})
    back = block.table(["a", "b", "c"])
    assert back["a"].tolist() == back["c"].tolist() == values
    assert back["b"].tolist() == table["b"].tolist()


def test_text_that_no_quotes_hold_is_refused() -> None:
    with pytest.raises(DataError, match="both kinds of quote"):
        star_block("particles", pd.DataFrame({"a": ["\"' "]}))


def test_the_fields_own_reader_reads_what_is_written(tmp_path: Path) -> None:
    table = pd.DataFrame({"rlnTomoName": ["a b", "c"], "rlnCoordinateX": [1.25, -3.0]})
    text = StarText("a.star", (star_block("particles", table),))
    (tmp_path / "a.star").write_bytes(encode_star(text))
    back = starfile.read(tmp_path / "a.star")
    assert back["rlnTomoName"].tolist() == ["a b", "c"]
    assert back["rlnCoordinateX"].tolist() == [1.25, -3.0]


def test_real_files_come_back_byte_for_byte(shared_data: Path) -> None:
    files = sorted((shared_data / "star").glob("*.star"))
    assert len(files) == 6
    for path in files:
        assert encode_star(read_star_text(path)) == path.read_bytes()
