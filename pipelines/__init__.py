"""One thin file per MLproject entry point: parse, one library call, log."""

import os

# Before they are imported: MLflow and ONNX Runtime tell their makers what is run, and keep an id
# for it in the home. What the environment says wins.
for _name in ("MLFLOW_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY"):
    os.environ.setdefault(_name, "true")
