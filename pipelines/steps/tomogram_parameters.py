"""Parameters that several entries of tomograms take."""

from typing import Annotated

from latentlaw.data.extraction.placement import EdgePolicy, MissingPolicy
from latentlaw.data.tomograms.contrast import Contrast
from pydantic import Field

Edge = Annotated[EdgePolicy, Field(description="what to do with boxes that cross a face")]
Missing = Annotated[
    MissingPolicy,
    Field(description="what to do with particles of tomograms that have no store"),
]
OfProtein = Annotated[
    Contrast, Field(description="protein in the tomograms; dark: boxes change their sign")
]
PixelSize = Annotated[
    float | None,
    Field(gt=0, description="pixel of the coordinates, angstrom; none: as the file says"),
]
Scheduler = Annotated[
    str,
    Field(
        description="where tasks run: threads; local: worker processes here; or a Dask "
        "address tcp://…"
    ),
]
