"""The particle table: one row per particle, wherever particles are listed, cut or kept."""

import pandas as pd

from latentlaw.errors import DataError

#: Columns of the table: position in angstrom (null where there is none), orientation as the unit
#: quaternion that turns the reference into the particle, `group` = what a split keeps together.
COLUMNS: dict[str, str] = {
    "particle_id": "string",
    "label": "string",
    "tomogram": "string",
    "z": "float64",
    "y": "float64",
    "x": "float64",
    "qw": "float64",
    "qx": "float64",
    "qy": "float64",
    "qz": "float64",
    "group": "string",
    "source": "string",
}


def particle_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `rows` with exactly `COLUMNS`: missing ones null, ids and groups filled in.

    Raises
    ------
    DataError
        If particle ids are not unique.
    """
    table = pd.DataFrame(
        {
            name: rows.get(name, pd.Series(None, index=rows.index, dtype=dtype))
            for name, dtype in COLUMNS.items()
        }
    )
    numbered = pd.Series([f"p{i:07d}" for i in range(len(table))], index=table.index)
    table["particle_id"] = table["particle_id"].fillna(numbered)
    table["group"] = table["group"].fillna(table["tomogram"]).fillna(table["particle_id"])
    table = table.astype(COLUMNS)
    if table["particle_id"].duplicated().any():
        twice = table.loc[table["particle_id"].duplicated(), "particle_id"].iloc[0]
        raise DataError(f"particle_id: found {twice!r} twice, expected unique ids; rename one")
    return table
