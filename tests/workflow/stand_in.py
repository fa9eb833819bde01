"""Stands in for a command: writes the files that it would, with its arguments in them."""

import json
import sys
from itertools import pairwise
from pathlib import Path

from mem1 import manifest
from mem1.provenance import write_json

WORLD = ("passages.jsonl", "questions.jsonl", "manifest.json")
TRAINED = ("model/config.json", "model/model.safetensors", "metrics.jsonl")
TABLES = ("table1.csv", "table1.md", "table1.tex", "table1-full.md", "ratios.csv", "ratios.md")
TABLES += tuple(
    f"{name}.{kind}"
    for name in ("table2", "table3", "table4", "format-reward", "ablations")
    for kind in ("csv", "md", "tex")
)
TABLES += ("ablations-comparisons.csv",)
DRAWN = ("budget", "figure2", "figure4", "figure5", "figure6", "figure7", "training")
FIGURES = [f"{name}.{kind}" for name in DRAWN for kind in ("png", "svg", "pdf", "csv")]
FIGURES += ["figure5.md", "captions.md"]
GAPS = [f"figures/mask_gap.{kind}" for kind in ("png", "svg", "pdf", "csv")]
GAPS += ["tables/mask_gap.csv", "tables/mask_gap.md"]
FILES = {
    "make_world": WORLD,
    "import_sources": WORLD,
    "import_hub": WORLD,
    "make_tokenizer": ("tokenizer.json", "tokenizer_config.json", "../tokenizer.manifest.json"),
    "build_index": ("manifest.json",),
    "train_sft": TRAINED,
    "train_rl": TRAINED,
    "train_base": TRAINED,
    "train_shop": TRAINED,
    "make_shop": ("goals.json", "tasks.jsonl", "manifest.json"),
    "render_tables": (*TABLES, "manifest.json"),
    "render_claims": ("claims.md", "claims.json", "claims.manifest.json"),
    "render_figures": (*FIGURES, "manifest.json"),
    "retrieval_report": ("tables/retrieval.csv", "tables/retrieval.md", "retrieval.manifest.json"),
    "mask_gap": (*GAPS, "mask_gap.manifest.json"),
}
READ = ("--start", "--tokenizer", "--world", "--tasks", "--goals", "--passages", "--index")


def write(path: Path) -> None:
    """Write the command and its configuration, so that what changes them changes the file."""
    config = [Path(value) for key, value in options.items() if key == "--config"]
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [*sys.argv, *(c.read_text() for c in config)]
    manifest_like = path.name.endswith("manifest.json")  # one that is no JSON would be damaged
    text = json.dumps(lines) if manifest_like else "\n".join(lines)
    path.write_text(text, encoding="utf-8")


verb = Path(sys.argv[0]).stem
options = {name: value for name, value in pairwise(sys.argv) if name.startswith("--")}
print(f"stand-in for {verb}", file=sys.stderr)
if "--output" in options:
    output = Path(options["--output"])
    write(output)
    if verb in {"compose", "evaluate", "encode_passages"}:
        write(output.with_name(f"{output.stem}.manifest.json"))
else:
    folder = Path(options["--output-dir"])
    for name in FILES[verb]:
        write(folder / name)
    if FILES[verb] is TRAINED:
        inputs = [Path(options[name]) for name in READ if name in options]
        outputs = {name: folder / name for name in TRAINED}
        config = Path(options["--config"])
        write_json(folder / "manifest.json", manifest.describe(verb, config, inputs, outputs))
