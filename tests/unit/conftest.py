"""What tests of several folders share, because it takes long to make."""

import json
from collections.abc import Iterator

import pytest

from mem1 import track_init
from tests.unit.agent.engines import openai_server


@pytest.fixture(scope="session")
def uri(tmp_path_factory):
    """A real sqlite tracker; its own rule makes it."""
    folder = tmp_path_factory.mktemp("tracker")
    address = f"sqlite:///{folder / 'mlflow.db'}"
    track_init.main(["--tracking-uri", address, "--output", str(folder / "receipt.json")])
    assert json.loads((folder / "receipt.json").read_text())["tracker"] == "sqlite:///mlflow.db"
    return address


@pytest.fixture(scope="session")
def base_server() -> Iterator[openai_server.Served]:
    """The committed base model behind OpenAI's API; the server knows it as ``base``."""
    with openai_server.served(openai_server.BASE) as server:
        yield server
