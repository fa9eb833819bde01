"""One of several processes of a training that share a server: ``shared URL FOLDER``."""

from pathlib import Path

from mem1 import cli
from mem1.train.placement import Served
from mem1.train.processes import Processes
from tests.vllm.conftest import MOST, SETTINGS
from tests.vllm.test_training import train


def main(url: str, folder: Path) -> None:
    processes = Processes.started("zero3")
    where = SETTINGS.model_copy(update={"url": url, "key": "KEY_OF_THE_TEST"})
    train(
        lambda codec: Served(where, codec, processes, None, MOST, folder),
        folder,
        engine="zero3",
        processes=processes,
    )


if __name__ == "__main__":
    cli.run(lambda words: main(words[0], Path(words[1])))
