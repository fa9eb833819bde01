"""Settings that become paths: they stay inside the project, unless they are absolute."""

import os
from typing import Annotated

from pydantic import AfterValidator, Field


def _inside(path: str) -> str:
    if not os.path.isabs(path) and os.path.normpath(path).split(os.sep)[0] == os.pardir:
        raise ValueError(
            f"{path} leads out of the project: name a path inside it, or an absolute one"
        )
    return path


Inside = Annotated[str, AfterValidator(_inside)]
# Names of runs and systems are those of folders and rules, so there is no slash in them.
Name = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9_.@-]*$")]
