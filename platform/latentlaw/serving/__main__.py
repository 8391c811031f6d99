"""Serve the bundle in a folder: `python -m latentlaw.serving FOLDER --port 5001`."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from latentlaw.errors import LatentlawError
from latentlaw.serving.app import Limits, Servable, serve


def main() -> None:
    """Parse, load and serve; exit with 2 and one line if the bundle is not whole."""
    parser = argparse.ArgumentParser(prog="python -m latentlaw.serving", description=__doc__)
    parser.add_argument("folder", type=Path, help="bundle: artifacts/bundle of a logged model")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind")
    parser.add_argument("--port", type=int, default=5001)
    parser.add_argument("--latents", action="store_true", help="answer latents, by the law alone")
    for limit in fields(Limits):
        flag = f"--{limit.name.replace('_', '-')}"
        if limit.name == "hosts":
            parser.add_argument(flag, nargs="+", default=limit.default)
        else:
            parser.add_argument(flag, type=type(limit.default), default=limit.default)
    chosen = parser.parse_args()
    limits = Limits(**{limit.name: getattr(chosen, limit.name) for limit in fields(Limits)})
    try:
        model = _load(chosen.folder, law=chosen.latents)
    except LatentlawError as error:
        print(f"latentlaw: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    serve(model, chosen.host, chosen.port, limits.of_host(chosen.host))


def _load(folder: Path, *, law: bool) -> Servable:
    if law:
        from latentlaw.serving.law_bundle import load_law

        return load_law(folder)
    from latentlaw.serving.bundle import load_bundle  # imports torch, which takes seconds

    return load_bundle(folder)


if __name__ == "__main__":
    main()
