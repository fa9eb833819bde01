"""Write down the goals of a split of WebShop, and draw the tasks from them.

In:  the frozen section webshop and, for protocols other than mini, the catalogue it names.
Out: goals.json (all goals of the shop with a digest: the same index is the same goal everywhere),
     tasks.jsonl (webshop.tasks.train_count or test_count of them) with its manifest and, last,
     manifest.json.

Departure from the original: price caps come from the seed, where it draws them at each start.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Make one split.

    Raises:
        InputError: there is no such split, its catalogue is damaged, or it has too few goals.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen section webshop")
    parser.add_argument("--seed", type=int, required=True, help="root of the random streams")
    parser.add_argument("--split", required=True, help="train, validation or test")
    parser.add_argument("--output-dir", type=Path, required=True)
    args = parser.parse_args(argv)

    from mem1 import manifest
    from mem1.envs.webshop import opening, panel
    from mem1.provenance import write_json
    from mem1.stages import ShopGoals
    from mem1.tasks import compose

    section = cli.read_section(args.config, ShopGoals)
    shop = opening.opened(section.shop, args.split, args.seed)
    asked = section.tasks
    count = asked.train_count if args.split == "train" else asked.test_count
    tasks = opening.drawn(shop, args.split, count, asked.max_turns, args.seed)
    last = args.output_dir / "manifest.json"
    last.unlink(missing_ok=True)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    panel.write(args.output_dir / "goals.json", shop.panel)
    compose.save_panel(
        args.output_dir / "tasks.jsonl", tasks, {**asked.model_dump(), "seed": args.seed}
    )
    outputs = {name: args.output_dir / name for name in ("goals.json", "tasks.jsonl")}
    read = opening.files(section.shop)
    described = manifest.describe("make_shop", args.config, read, outputs)
    write_json(last, {**described, "webshop": shop.record, "seed": args.seed, "split": args.split})
    print(f"{args.output_dir}: {len(shop.goals)} goals, {len(tasks)} tasks")


if __name__ == "__main__":
    cli.run(main)
