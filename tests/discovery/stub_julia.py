"""Run in a process of its own: PySR's reading of a hall of fame, with a stub for `juliacall`.

`python stub_julia.py FOLDER NAMES BINARY UNARY` prints as JSON what PySR's `from_file` makes of
FOLDER/hall_of_fame.csv. The stub accepts any call: it shows nothing of PySR's search.
"""

import inspect
import json
import sys
import types
from unittest.mock import MagicMock


def main(folder, names, binary, unary):
    stub = types.ModuleType("juliacall")
    stub.Main, stub.convert = MagicMock(), MagicMock()
    stub.Main.VERSION.major, stub.Main.VERSION.minor, stub.Main.VERSION.patch = 1, 11, 2
    for name in ("AnyValue", "VectorValue", "JuliaError"):
        setattr(stub, name, type(name, (Exception,), {}))
    sys.modules["juliacall"] = stub
    import numpy as np
    import pysr
    from pysr.deprecated import DEPRECATED_KWARGS

    model = pysr.PySRRegressor.from_file(
        run_directory=folder,
        binary_operators=binary,
        unary_operators=unary,
        n_features_in=len(names),
        feature_names_in=names,
        precision=64,
    )
    points = np.random.default_rng(0).normal(size=(20, len(names)))
    table = model.equations_
    print(
        json.dumps(
            {
                "records": table[["complexity", "loss", "equation"]].to_dict("records"),
                "sympy": [str(model.sympy(i)) for i in range(len(table))],
                "values": [model.predict(points, i).tolist() for i in range(len(table))],
                "parameters": list(inspect.signature(pysr.PySRRegressor.__init__).parameters),
                "deprecated": list(DEPRECATED_KWARGS),
            }
        )
    )


if __name__ == "__main__":
    folder, *lists = sys.argv[1:]
    main(folder, *(text.split(",") for text in lists))
