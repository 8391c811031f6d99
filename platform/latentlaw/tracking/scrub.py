"""What logs, tags and artifacts must not tell others: secrets, and whose home a path lies in."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|(^|_)KEY(_|$)", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(\w[\w+.-]*://[^/\s:@]*):[^/\s@]+@")
_SHORTEST = 6  # a shorter value of a secret's variable is a word that texts hold anyway
_HIDDEN = "***"


def without_secrets(tracking_uri: str) -> str:
    """Return the URI without the user name and password that it may hold."""
    return re.sub(r"//[^/@]*@", "//", tracking_uri)


def scrub(text: str) -> str:
    """Return text without passwords in URLs, values of secret variables, and the home's path.

    A variable of the environment is secret if its name says so (`AWS_SECRET_ACCESS_KEY`,
    `MLFLOW_TRACKING_PASSWORD`, …). The home becomes `~`, which parameters of entries may hold.
    """
    text = _URL_PASSWORD.sub(rf"\1:{_HIDDEN}@", text)
    secrets = {
        value
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST and not os.path.exists(value)
    }
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    home = str(Path.home())
    if home == os.path.sep:
        return text
    return re.sub(rf"(?<![\w.~/-]){re.escape(home)}(?=[/\s'\":;,)\]]|$)", "~", text)


def scrub_all(content: Any) -> Any:
    """Return nested lists and mappings with every text scrubbed."""
    if isinstance(content, str):
        return scrub(content)
    if isinstance(content, Mapping):
        return {key: scrub_all(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [scrub_all(value) for value in content]
    return content
