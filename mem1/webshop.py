"""Shop in the terminal: read pages, type actions, see what the purchase was worth.

Inputs: for protocol mini nothing; otherwise the folder of a catalogue (the original's
items_shuffle_1000.json and items_ins_v2_1000.json, or products.jsonl and attributes.json; for
protocol human also items_human_ins.json), and a panel of goals, if there is one. Actions come
from the terminal, one a line: search[words], or click[...] with what the page offers.
Outputs: pages on the terminal; with --record the episode as a trajectory that mem1.view shows;
with --write-panel the protocol's goals, and no episode.

Without --panel, prices and price caps are those of --seed: the same on every machine.

Example:
    python -m mem1.webshop --protocol mini --goal 7
    python -m mem1.webshop --protocol official-1k-synthetic --catalogue webshop --mode text
"""

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from mem1 import cli

if TYPE_CHECKING:
    from mem1.envs.webshop.pages import Mode
    from mem1.envs.webshop.shop import Episode, Shop
    from mem1.records import Turn


def main(argv: Sequence[str]) -> None:
    """Play one episode.

    Raises:
        InputError: bad files, or no such protocol, split or goal.
    """
    from mem1.envs.webshop import pages, panel, protocols
    from mem1.errors import InputError

    parser = cli.parser(__doc__)
    parser.add_argument("--protocol", default="mini", help=", ".join(protocols.PROTOCOLS))
    parser.add_argument("--catalogue", type=Path, help="folder with the files of a catalogue")
    parser.add_argument("--panel", type=Path, help="goals, written by --write-panel (JSON)")
    parser.add_argument("--split", default="test", choices=("test", "validation", "train"))
    parser.add_argument("--goal", type=int, help="its index (default: the first of the split)")
    parser.add_argument("--seed", type=int, default=0, help="of prices and of mini (default 0)")
    parser.add_argument("--mode", default="text_rich", choices=pages.MODES)
    parser.add_argument("--nouns", default="auto", choices=("auto", "spacy", "words"))
    parser.add_argument("--record", type=Path, help="trajectory to write (JSONL)")
    parser.add_argument("--write-panel", type=Path, help="goals to write (JSON); nothing is played")
    args = parser.parse_args(argv)

    protocol = protocols.named(args.protocol)
    catalogue = protocols.load(protocol, args.catalogue, args.split, args.seed)
    for note in catalogue.dropped:
        print(f"left out: {note}")
    goals = panel.read(args.panel, catalogue) if args.panel else None
    shop = protocols.shop(protocol, catalogue, goals, seed=args.seed, kind=args.nouns)
    indices = protocol.indices(args.split, shop.panel)
    if args.write_panel:
        panel.write(args.write_panel, shop.panel)
        print(f"{args.write_panel}: {len(shop.goals)} goals, digest {shop.panel.digest}")
        return
    goal = indices[0] if args.goal is None else args.goal
    if goal not in indices:
        raise InputError(
            f"Goal {goal} is not in {args.split}: take one from {indices[0]} to {indices[-1]}."
        )
    episode, turns = _play(shop, goal, args.mode)
    if args.record:
        _record(args.record, shop, episode, turns)
        print(f"{args.record}: {len(turns)} turns")


def _play(shop: "Shop", goal: int, mode: "Mode") -> "tuple[Episode, list[Turn]]":
    """Show pages and do what is typed, until something is bought or the input ends."""
    from mem1.records import Turn

    if isinstance(sys.stdin, TextIOWrapper):  # bytes that are no text are no mistake of the shop
        sys.stdin.reconfigure(errors="replace")
    episode, turns = shop.reset(goal), []
    print(f"goal {goal} of {len(shop.goals)}: {shop.goals[goal].instruction}")
    while not episode.done:
        print(f"\n{shop.text(episode, mode)}\n")
        print("actions: " + " | ".join(shop.actions(episode)))
        try:
            action = input("> ")
        except (EOFError, KeyboardInterrupt):
            print("\nThe input ended before anything was bought.")
            break
        step = shop.step(episode, action)
        if not step.valid:
            print("Nothing happened: type one of the actions, with what is in its brackets.")
        episode = step.episode
        turns.append(
            Turn(
                context=[],
                output=[],
                logprobs=[],
                text=action,
                action="act" if step.valid else "malformed",
                argument=action,
                info_text=shop.text(episode, mode),
            )
        )
    if episode.reward:
        print(f"\nreward {episode.reward.value:.4f}")
        for name, value in episode.reward.details.items():
            print(f"  {name} {value if isinstance(value, bool) else round(value, 4)}")
    print("".join(f"\n{name} {value}" for name, value in shop.record.items()))
    return episode, turns


def _record(path: Path, shop: "Shop", episode: "Episode", turns: "list[Turn]") -> None:
    from mem1.records import Trajectory, write_jsonl

    bought = [shop.catalogue.products[episode.product].asin] if episode.done else []
    trajectory = Trajectory(
        task_id=f"{shop.panel.protocol}-{episode.goal:04d}",
        horizon=1,
        system="person",
        policy="full",
        prompt=[],
        turns=turns,
        end="bought" if episode.done else "turns",
        answers=bought,
    )
    write_jsonl(path, [trajectory])


if __name__ == "__main__":
    cli.run(main)
