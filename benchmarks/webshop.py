"""Steps per second and memory of many WebShop episodes on one shared catalogue.

    python -m benchmarks.webshop [--catalogue FOLDER] [--output FILE]

Each number of episodes runs in a process of its own, without torch, on one thread: so many
episodes take their steps in turn, and each that ends makes room for the next goal. A step is
the action, the page as text_rich, and the list of what can be done. Actions are those of the
scripted shopper, decided beforehand: a search for the title of the goal's product, its page,
a look at the description, its options, and the purchase. Without a catalogue it is a
generated one of 800 products, whose pages are shorter.

Memory is the largest the process ever had, loading included; beside it, what the episodes
added after loading.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mem1 import cli
from mem1.envs.webshop import generate, pages, panel, protocols, shopper
from mem1.envs.webshop.shop import Shop

EPISODES = (1, 64, 512)
PRODUCTS = 800  # of the generated catalogue
MODE: pages.Mode = "text_rich"


def opened(folder: Path | None) -> Shop:
    """The shop that is measured, with synthetic goals."""
    if folder:
        protocol = protocols.named("official-1k-synthetic")
        return protocols.shop(protocol, protocols.load(protocol, folder, "test", 0), kind="words")
    catalogue = generate.generate(0, "train", PRODUCTS)
    return Shop(catalogue, panel.panel(catalogue, "synthetic", "mini", 0), generate.NOUNS)


def script(shop: Shop, goal: int) -> list[str]:
    """What the shopper does for ``goal``, with one look at the description."""
    product = shop.catalogue.products[shop.catalogue.place(shop.goals[goal].asin)]
    query = product.title.replace("[", " ").replace("]", " ")
    episode, actions = shop.reset(goal), []
    while not episode.done:
        action = shopper.next_action(shop, episode, query)
        assert action is not None
        actions.append(action)
        arrived = episode.place == "results"
        episode = shop.step(episode, action).episode
        if arrived and episode.place == "item":
            actions += ["click[description]", "click[< prev]"]
    return actions


def endless(scripts: Sequence[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """``scripts``, again and again."""
    while True:
        yield from scripts


def run(shop: Shop, scripts: Sequence[tuple[int, list[str]]], episodes: int, steps: int) -> float:
    """CPU seconds for so many steps by ``episodes`` episodes, in turn."""
    waiting = endless(scripts)
    playing = []
    for _ in range(episodes):
        goal, actions = next(waiting)
        playing.append((shop.reset(goal), iter(actions)))
    start = time.process_time()
    for number in range(steps):
        place = number % episodes
        episode, coming = playing[place]
        step = shop.step(episode, next(coming))
        page = shop.page(step.episode)
        pages.render(page, MODE)
        pages.actions(page)
        assert step.valid
        if step.episode.done:
            goal, actions = next(waiting)
            playing[place] = (shop.reset(goal), iter(actions))
        else:
            playing[place] = (step.episode, coming)
    return time.process_time() - start


def memory(field: str) -> float:
    """A field of this process's status, in MB of 10^6 bytes.

    Not of getrusage: its peak includes that of the process that started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024 / 1e6


def measure(folder: Path | None, episodes: int, steps: int, repeats: int) -> dict[str, Any]:
    """What one process finds for one number of episodes."""
    assert "torch" not in sys.modules
    start = time.process_time()
    shop = opened(folder)
    loading = time.process_time() - start
    goals = range(0, len(shop.goals), max(1, len(shop.goals) // 700))
    scripts = [(goal, script(shop, goal)) for goal in goals]
    before = memory("VmRSS")
    seconds = [run(shop, scripts, episodes, steps) for _ in range(repeats)]
    return {
        "episodes": episodes,
        "steps_per_s": [steps / each for each in seconds],
        "loading_s": loading,
        "peak_mb": memory("VmHWM"),
        "added_mb": memory("VmRSS") - before,
        "products": len(shop.catalogue.products),
        "goals": len(shop.goals),
        "searches_share": sum(len([a for a in s if a[0] == "s"]) for _, s in scripts)
        / sum(len(s) for _, s in scripts),
    }


def main(argv: Sequence[str]) -> None:
    """Measure each number of episodes in a process of its own, print, write."""
    parser = cli.parser(__doc__)
    parser.add_argument("--catalogue", type=Path, help="folder (see mem1.envs.webshop.raw)")
    parser.add_argument("--episodes", type=int, nargs="+", default=list(EPISODES))
    parser.add_argument("--steps", type=int, default=20_000, help="of all episodes together")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="JSON file; benchmarks/results/ without it")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.one:
        [episodes] = arguments.episodes
        found = measure(arguments.catalogue, episodes, arguments.steps, arguments.repeats)
        print(json.dumps(found))
        return

    import torch

    from benchmarks import common  # imports torch, which the measured processes must not

    torch.set_num_threads(1)  # as the measured processes; common.machine() names it
    rows = []
    for episodes in arguments.episodes:
        command = [sys.executable, "-m", "benchmarks.webshop", "--one", "--episodes", str(episodes)]
        command += ["--steps", str(arguments.steps), "--repeats", str(arguments.repeats)]
        command += ["--catalogue", str(arguments.catalogue)] if arguments.catalogue else []
        done = subprocess.run(command, cwd=common.ROOT, stdout=subprocess.PIPE, check=True)
        row = json.loads(done.stdout)
        row |= {key: common.significant(row[key]) for key in row if isinstance(row[key], float)}
        row["steps_per_s"] = common.spread(row["steps_per_s"])
        rows.append(row)
        print(
            f"{episodes:>4} episodes  {row['steps_per_s']['median']:>8} steps/s  "
            f"peak {row['peak_mb']} MB, {row['added_mb']} MB after loading"
        )
    settings = {
        "catalogue": arguments.catalogue.name if arguments.catalogue else "generated",
        "steps": arguments.steps,
        "repeats": arguments.repeats,
        "mode": MODE,
    }
    print(common.write(arguments.output, "webshop", settings, {"rows": rows}))


if __name__ == "__main__":
    cli.run(main)
