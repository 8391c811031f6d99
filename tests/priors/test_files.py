"""Affinity files: what is read is what was written, and a bad cell is named."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentlaw.errors import DataError
from latentlaw.priors.files import read_affinity, write_affinity
from latentlaw.priors.table import AffinityTable


def write(folder: Path, text: str) -> Path:
    path = folder / "affinity.csv"
    path.write_text(text)
    return path


@given(st.permutations(["1s3x", "0", "née, 70S", "b "]))
def test_rows_in_any_order_are_aligned_by_name(
    tmp_path_factory: pytest.TempPathFactory, order: list[str]
) -> None:
    names = ["1s3x", "0", "née, 70S", "b "]
    values = np.array([[1, 0.1, 0.2, 0.3], [0.1, 1, 0, 0], [0.2, 0, 1, -0.4], [0.3, 0, -0.4, 1]])
    lines = ["name," + ",".join(f'"{name}"' for name in names)]
    for name in order:
        row = ",".join(map(str, values[names.index(name)]))
        lines.append(f'"{name}",{row}')
    table = read_affinity(write(tmp_path_factory.mktemp("t"), "\n".join(lines)))
    assert list(table.class_names) == names
    np.testing.assert_allclose(table.values, values)


def test_written_table_reads_back(tmp_path: Path) -> None:
    table = AffinityTable(("a", "1"), np.array([[1, 0.25], [0.25, 1]]))
    write_affinity(tmp_path / "t.csv", table)
    again = read_affinity(tmp_path / "t.csv")
    assert again.class_names == table.class_names
    np.testing.assert_array_equal(again.values, table.values)


@pytest.mark.parametrize(
    "text",
    ["a, b\r\n1, 0.5\r\n0.5, 1\r\n", "\ufeffa,b\n1,.5\n.5,1", ",a,b\nb,0.5,1\na,1,0.5\n"],
)
def test_dialects(tmp_path: Path, text: str) -> None:
    path = tmp_path / "affinity.csv"
    path.write_bytes(text.encode())
    table = read_affinity(path)
    assert table.class_names == ("a", "b")
    np.testing.assert_allclose(table.values, [[1, 0.5], [0.5, 1]])


def test_classes_may_be_named_by_numbers(tmp_path: Path) -> None:
    for text in ("0,1\n1,1\n1,1\n", "digit,0,1\n1,1,1\n0,1,1\n"):
        table = read_affinity(write(tmp_path, text))
        assert table.class_names == ("0", "1")
        np.testing.assert_allclose(table.values, 1)


def test_array_with_names_beside_it(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.array([[1, 0.5], [0.5, 1]]))
    with pytest.raises(DataError, match=r"t\.npy: .* class names, one per line, in t\.txt"):
        read_affinity(tmp_path / "t.npy")
    (tmp_path / "t.txt").write_text("b\na\n")
    assert read_affinity(tmp_path / "t.npy").class_names == ("b", "a")
    (tmp_path / "t.txt").write_text("b\n")
    with pytest.raises(DataError, match=r"found shape \(2, 2\) for 1 classes"):
        read_affinity(tmp_path / "t.npy")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as an affinity CSV"),
        (b"\xff\xfe\x00", "cannot be read as an affinity CSV"),
        (b"a,b\n1,0,0\n", "cannot be read as an affinity CSV"),
        (b"a,a\n1,0\n0,1\n", "header: found class 'a' twice"),
        (b"a,,c\n1,0,0\n0,1,0\n0,0,1\n", "without a name"),
        (b"a,b\n", r"found shape \(0, 2\) for 2 classes; row 'a' is missing"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_affinity(path)
    assert str(caught.value).startswith(str(path))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.csv: cannot be read as an affinity CSV"):
        read_affinity(tmp_path / "absent.csv")
