"""Parameters that several entries of tomograms take."""

from typing import Annotated

from latentlaw.data.extraction.placement import EdgePolicy, MissingPolicy
from latentlaw.data.tomograms.contrast import Contrast
from pydantic import Field

Box = Annotated[int, Field(ge=4, le=512, description="edge of a box, voxels, even")]
Edge = Annotated[EdgePolicy, Field(description="what to do with boxes that cross a face")]
Label = Annotated[
    str | None,
    Field(
        description="column of the class; none: of a STAR file latentlawClass, else "
        "rlnClassNumber; of a CSV label"
    ),
]
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
