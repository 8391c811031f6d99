"""Whether matter is bright or dark in a tomogram."""

from typing import Literal

Contrast = Literal["bright", "dark"]
