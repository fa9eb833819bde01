"""The benchmarks at a size of seconds: what they say must be complete and true."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import common, generated_text
from benchmarks.rows import VARIANTS, Lengths, trajectory, visible
from benchmarks.updates import Case, Limits, apart, build, first_runs
from mem1.errors import InputError
from mem1.train.limits import ROW_TOKENS

PROMPT, OUTPUT, INFO = 20, 6, 9
TURNS = (1, 3, 5)


def run(name: str, output: Path, *arguments: str) -> dict[str, Any]:
    """The JSON that a benchmark wrote, run as the README says."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments, "--output", str(output)]
    done = subprocess.run(command, cwd=common.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text(encoding="utf-8"))
    assert {"cpu", "cores", "threads", "clock", "gpu"} == document["machine"].keys()
    assert {"torch", "transformers", "python"} <= document["versions"].keys()
    assert {"id", "changed"} == document["commit"].keys()
    return document


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """``update_step`` with all variants that a CPU has."""
    output = tmp_path_factory.mktemp("update_step") / "result.json"
    names = [name for name in VARIANTS if "flex" not in name]
    lengths = [f"{PROMPT}/{OUTPUT}/{INFO}/{turns}" for turns in TURNS]
    document = run(
        "update_step", output, "--cases", *lengths, "--variants", *names, "--repeats", "2"
    )
    found = document["results"]["cases"]
    assert [case["case"] for case in found] == lengths
    assert all(list(case["variants"]) == sorted(names) for case in found)
    return found


def test_row_tokens_follow_from_the_lengths(cases: list[dict[str, Any]]) -> None:
    for turns, case in zip(TURNS, cases, strict=True):
        tokens = {name: found["tokens"] for name, found in case["variants"].items()}
        infos = (turns - 1) * INFO  # nothing follows the last output
        # |q| + sum(2|g| + |i|), but the first output has its copy where the next context has
        # it, behind the prompt, and the last one is never shown again.
        copies = max(0, turns - 2) * OUTPUT
        alone = turns * (PROMPT + OUTPUT) + (turns - 1) * (OUTPUT + INFO)
        assert tokens["tree/branches"] == PROMPT + turns * OUTPUT + infos + copies
        assert tokens["tree/dense"] == tokens["causal"] == tokens["tree/branches"]
        assert tokens["stitched/dense"] == PROMPT + turns * OUTPUT + infos
        assert tokens["per-turn"] == alone
        longest = PROMPT + 2 * OUTPUT + INFO if turns > 1 else PROMPT + OUTPUT
        assert tokens["per-turn/batched"] == turns * longest


def test_exact_variants_agree_and_the_stitched_row_does_not(cases: list[dict[str, Any]]) -> None:
    for case in cases:
        reference = case["variants"]["per-turn"]
        for name, found in case["variants"].items():
            gap = abs(found["loss"] - reference["loss"])
            if VARIANTS[name].exact:
                assert gap < 1e-5, name
                assert found["gradient_norm"] == pytest.approx(reference["gradient_norm"], rel=1e-4)
    # Turns 1 and 2 of a stitched row are exact, those after it are not.
    gaps = [
        abs(case["variants"]["stitched/dense"]["loss"] - case["variants"]["per-turn"]["loss"])
        for case in cases
    ]
    assert gaps[0] < 1e-5 < gaps[2]


def test_times_memory_and_masks_are_there(cases: list[dict[str, Any]]) -> None:
    for case in cases:
        tree = case["variants"]["tree/dense"]["tokens"]
        assert case["variants"]["tree/dense"]["mask_bytes"] in (0, tree**2)
        assert case["variants"]["tree/branches"]["mask_bytes"] < 100 * case_turns(case)
        for found in case["variants"].values():
            assert found["seconds"]["least"] <= found["seconds"]["median"]
            assert found["seconds"]["runs"] == 2
            assert found["peak_bytes"] >= 0
            assert found["flops"] > 0
        assert case["variants"]["per-turn"]["speedup_over_per_turn"]["median"] == 1


def case_turns(case: dict[str, Any]) -> int:
    return int(case["case"].split("/")[-1])


def test_pairs_are_those_that_see_each_other() -> None:
    views = trajectory(Lengths(PROMPT, OUTPUT, INFO, 3), "mem1", 100, 0)
    lengths = [len(view.context) + len(view.output) for view in views]

    assert visible(VARIANTS["per-turn"].batches(views)) == sum(n * (n + 1) // 2 for n in lengths)
    chain = visible(VARIANTS["causal"].batches(views))
    assert visible(VARIANTS["tree/branches"].batches(views)) < chain
    assert visible(VARIANTS["tree/flex"].batches(views)) == visible(
        VARIANTS["tree/dense"].batches(views)
    )


def test_full_history_is_one_chain_without_duplicates() -> None:
    views = trajectory(Lengths(PROMPT, OUTPUT, INFO, 4), "full", 100, 0)
    (batch,) = VARIANTS["tree/branches"].batches(views)

    assert batch.ids.numel() == PROMPT + 4 * OUTPUT + 3 * INFO
    assert batch.ids.numel() < ROW_TOKENS


def test_what_would_not_fit_or_take_too_long_is_not_run() -> None:
    model = build("tiny", "cpu")
    cases = [Case.of(Lengths(PROMPT, OUTPUT, INFO, 3), "mem1")]

    (found,) = first_runs(model, "stitched/dense", cases, Limits(bytes=1000, seconds=60))

    row = PROMPT + 3 * OUTPUT + 2 * INFO
    needed = (1 + 4 * model.config.num_hidden_layers) * row**2
    assert found == {"not_run": f"would need {needed / 1e9:.1f} GB"}


def test_a_run_that_is_killed_is_no_result() -> None:
    def run() -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    assert apart(run) == {"not_run": "killed, probably for memory"}


@pytest.mark.parametrize("text", ["", "1/2/3", "1/2/3/0", "1/2/3/x"])
def test_a_wrong_case_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="prompt/output/info/turns"):
        Lengths.parse(text)


def test_engine_and_generate_give_the_same_greedy_tokens(tmp_path: Path) -> None:
    document = run(
        "hf_engine", tmp_path / "result.json", "--horizons", "2", "--tasks", "2", "--group", "2",
        "--turns", "2", "--new-tokens", "16", "--repeats", "1",
    )  # fmt: skip
    (found,) = document["results"]

    assert found["contexts"][0] == 4
    greedy = found["greedy"]
    assert greedy["engine"]["tokens"] == greedy["generate"]["tokens"]
    assert 0 < greedy["useful_share"]["median"] <= 1
    for mode in ("greedy", "sampled"):
        for side in ("engine", "generate"):
            assert found[mode][side]["tokens_per_s"]["median"] > 0
        assert found[mode]["ratio"]["runs"] == 1


def test_bm25_finds_what_the_formula_says(tmp_path: Path) -> None:
    document = run(
        "bm25", tmp_path / "result.json", "--passages", "400", "--queries", "40",
        "--few", "2", "--rounds", "2",
    )  # fmt: skip
    (case,) = document["results"]["cases"]

    assert case["corpus"]["passages"] == 400
    assert case["same_top_k_as_formula"] == {"queries": 40, "same": 40, "share": 1.0}
    for work in ("build", "load"):
        assert case["mem1"][work]["cpu_s"] > 0
        assert case["mem1"][work]["peak_bytes"] > 2**20
    assert case["mem1"]["queries_per_s"]["runs"] == 2
    if "not_run" in case["rank_bm25"]["build"]:
        assert case["rank_bm25"]["build"]["not_run"].startswith("rank_bm25 is not installed")
    else:
        assert case["rank_bm25"]["mem1_times_faster"]["runs"] == 2
    assert set(case["pyserini"]) == {"build"}
    assert case["pyserini"]["build"]["not_run"] in ("no Java", "--pyserini was not given")


def test_a_larger_corpus_begins_with_the_smaller_one(tmp_path: Path) -> None:
    texts = []
    for passages in (20, 50):
        folder = tmp_path / str(passages)
        folder.mkdir()
        facts = generated_text.write(folder, passages, 5, seed=0)
        texts.append((folder / "passages.jsonl").read_text(encoding="utf-8"))
        words = [word for line in texts[-1].splitlines() for word in spoken(line)]
        assert facts == {
            "passages": passages, "words": len(words), "distinct_words": len(set(words))
        }  # fmt: skip
    assert texts[1].startswith(texts[0])


def spoken(line: str) -> list[str]:
    passage = json.loads(line)
    return f"{passage['title']} {passage['text']}".split()


def test_queries_are_spans_of_the_passages(tmp_path: Path) -> None:
    generated_text.write(tmp_path, 30, 20, seed=0)
    lines = (tmp_path / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [f" {' '.join(spoken(line))} " for line in lines]
    for query in json.loads((tmp_path / "queries.json").read_text(encoding="utf-8")):
        words = query.split()
        half = len(words) // 2
        assert 5 <= len(words) <= 8
        for span in (words[:half], words[half:]):
            assert any(f" {' '.join(span)} " in text for text in texts)


def test_the_server_is_measured_for_each_number_of_clients(tmp_path: Path) -> None:
    document = run(
        "retrieval_server", tmp_path / "result.json", "--passages", "300", "--searches", "64",
        "--rounds", "1",
    )  # fmt: skip
    results = document["results"]

    assert document["machine"]["clock"] == "wall"
    assert results["http_by_clients"].keys() == {"1", "8", "32"}
    for row in (results["in_process"], *results["http_by_clients"].values()):
        assert 0 < row["p50_ms"]["median"] <= row["p99_ms"]["median"]
        assert row["searches_per_s"]["median"] > 0


@pytest.mark.slow
def test_each_of_two_processes_has_half_of_a_checkpoint(tmp_path: Path) -> None:
    arguments = ["--width", "256", "--layers", "4", "--processes", "2"]

    found = run("checkpoint_memory", tmp_path / "result.json", *arguments)["results"]

    assert [(one["processes"], one["half"]) for one in found] == [(2, False), (2, True)]
    assert all(6.0 <= one["file"] < 6.2 for one in found)  # 12 bytes a parameter, divided
