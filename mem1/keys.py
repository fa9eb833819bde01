"""Keys: read from the environment, sent in a header, and shown nowhere.

A key is never a setting: settings are frozen to files, logged to MLflow and printed. Addresses
can hold one all the same (``https://user:password@host``, as MLflow and databases take them);
what shows an address shows it without.
"""

import os
import re

from mem1.errors import InputError

RETRIEVER_TOKEN = "MEM1_RETRIEVER_TOKEN"  # of retrieval servers that other machines can reach

_PASSWORD = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(r"(?P<address>\b[a-z][a-z0-9+.-]*://[^\s?#]+)\?[^\s'\")]*", re.IGNORECASE)


def read(variable: str) -> str | None:
    """The key in the environment ``variable``; None if it is not set.

    Raises:
        InputError: it holds characters that no key has; the message does not show them.
    """
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or (key and not key.isprintable()) or " " in key:
        raise InputError(f"{variable} holds characters that no key has: set it again.")
    return key or None


def header(variable: str | None) -> dict[str, str]:
    """The header that carries the key in the environment ``variable``; none for None.

    Raises:
        InputError: the variable is not set, or holds no key.
    """
    if variable is None:
        return {}
    key = read(variable)
    if key is None:
        raise InputError(
            f"The server wants a key: set the environment variable {variable} to it, or correct "
            f"the setting key."
        )
    return {"Authorization": f"Bearer {key}"}


def hidden(text: str) -> str:
    """``text`` with the password and the query taken out of every address in it."""
    return _QUERY.sub(r"\g<address>?...", _PASSWORD.sub("...@", text))
