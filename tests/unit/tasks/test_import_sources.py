"""The command that imports real text, on a made folder and on the real sample."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mem1 import build_index, cli, compose, import_sources, provenance
from mem1.records import Passage, Question, read_jsonl
from mem1.retrieval import bm25
from mem1.tasks import scoring
from mem1.tasks.compose import load_panel

SAMPLE = os.environ.get("MEM1_SAMPLE_DATA")
needs_sample = pytest.mark.skipif(
    not SAMPLE, reason="set MEM1_SAMPLE_DATA to the folder with the sample data to run this"
)


def paragraph(name: str) -> list[Any]:
    return [f"Page {name}", [f"{name} is a page.", f" It tells of fact{name}."]]


FILES = [
    {"layout": "titles", "path": "hotpotqa/train_corpus.json"},
    {"layout": "hotpotqa", "path": "hotpotqa/train.json"},
    {"layout": "hotpotqa", "path": "hotpotqa/dev.json"},
    {"layout": "wiki18", "path": "wiki18/passages.jsonl"},
    {"layout": "flashrag", "path": "wiki18/questions.jsonl"},
]
SETTINGS = {"kind": "files", "max_passages": None, "files": FILES}
SETTINGS |= {"train": [], "test": [], "corpus": None}
ATLAS = {**SETTINGS, "kind": "atlas", "files": []}


def made_folder(folder: Path) -> Path:
    """Two HotpotQA files, their corpus and wiki-18, with one bad question of each kind."""
    hub = {"title": [], "sentences": []}
    for name in "cd":
        title, sentences = paragraph(name)
        hub["title"].append(title)
        hub["sentences"].append(sentences)
    train = [
        {"_id": "1", "question": "1?", "answer": "facta", "context": [paragraph("a")]},
        {"_id": "2", "question": "2?", "answer": "yes", "context": [paragraph("b")]},
    ]
    dev = [{"question": "3?", "answer": "The factd", "context": hub}]
    wiki = [
        {"id": 0, "title": "Page e", "text": "It tells of facte."},
        {"id": 1, "title": "Page a", "text": "a is a page. It tells of facta."},
    ]
    questions = [
        {"id": "t0", "golden_answers": ["no fact", "facte"], "retrieved_passage_ids": [0]},
        {"id": "t1", "golden_answers": ["facte"], "retrieved_passage_ids": [1]},
        {"id": "t2", "golden_answers": ["facte; facta"], "retrieved_passage_ids": [0]},
    ]
    for row in questions:
        row |= {"dataset": "nq", "question": f"{row['id']} who?"}
    files: dict[str, Any] = {
        "hotpotqa/train.json": train,
        "hotpotqa/dev.json": dev,
        "hotpotqa/train_corpus.json": dict(paragraph(name) for name in "ab"),
    }
    for name, value in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    (folder / "wiki18").mkdir()
    for name, rows in {"passages": wiki, "questions": questions}.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "wiki18" / f"{name}.jsonl").write_text(text)
    return folder


def arguments(folder: Path, data: Path, limit: int | None = None) -> list[str]:
    config = folder / "sources.json"
    if not config.exists():
        config.write_text(json.dumps({**SETTINGS, "max_passages": limit}))
    return [
        *("--config", str(config), "--data-dir", str(data)),
        *("--output-dir", str(folder / "world")),
    ]


def imported(folder: Path) -> tuple[list[Passage], list[Question], dict[str, Any]]:
    world = folder / "world"
    return (
        read_jsonl(world / "passages.jsonl", Passage),
        read_jsonl(world / "questions.jsonl", Question),
        json.loads((world / "manifest.json").read_text()),
    )


def test_it_keeps_what_can_be_answered_and_counts_the_rest(tmp_path: Path) -> None:
    import_sources.main(arguments(tmp_path, made_folder(tmp_path / "data")))
    passages, questions, manifest = imported(tmp_path)
    assert [p.title for p in passages] == ["Page a", "Page b", "Page c", "Page d", "Page e"]
    assert [(q.source, q.golds[0], q.hops) for q in questions] == [
        ("hotpotqa", "facta", 2),
        ("hotpotqa", "The factd", 2),
        ("nq", "no fact", 1),
    ]
    assert manifest["passages"] == {"kept": 5, "dropped": {"repeated": 3}}
    assert manifest["questions"]["dropped"] == {
        "semicolon_in_gold": 1,
        "yes_no": 1,
        "repeated_text": 0,
        "answer_not_in_passages": 1,
    }


def test_the_manifest_proves_inputs_and_outputs(tmp_path: Path) -> None:
    data = made_folder(tmp_path / "data")
    import_sources.main(arguments(tmp_path, data))
    manifest = imported(tmp_path)[2]
    for root, recorded in ((data, "inputs"), (tmp_path / "world", "files")):
        for name, digest in manifest[recorded].items():
            assert provenance.file_digest(root / name) == digest
    assert len(manifest["inputs"]) == 5


def test_max_passages_limits_each_file_and_the_questions_with_it(tmp_path: Path) -> None:
    import_sources.main(arguments(tmp_path, made_folder(tmp_path / "data"), limit=1))
    passages, questions, _ = imported(tmp_path)
    assert [p.title for p in passages] == ["Page a", "Page c", "Page e"]
    assert [q.golds[0] for q in questions] == ["facta", "no fact"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("hotpotqa/train.json", None, "train.json does not exist"),
        ("hotpotqa/dev.json", "[{}]", "dev.json, record 1: 'question' is missing"),
        ("hotpotqa/train_corpus.json", "[]", "train_corpus.json holds a list"),
        ("wiki18/passages.jsonl", "{}\n", "passages.jsonl, line 1: 'id' is missing"),
        ("wiki18/questions.jsonl", "{\n", "questions.jsonl, line 1: no valid JSON"),
        ("../sources.json", '{"kind": "files"}', "'max_passages' is missing"),
        ("../sources.json", json.dumps(ATLAS), "kind is 'atlas'"),
        ("../sources.json", json.dumps({**SETTINGS, "files": []}), "kind files needs files"),
    ],
)
def test_bad_input_is_one_sentence_and_keeps_what_was_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
    message: str,
) -> None:
    data = made_folder(tmp_path / "data")
    import_sources.main(arguments(tmp_path, data))
    before = provenance.tree_digest(tmp_path / "world")
    capsys.readouterr()
    if content is None:
        (data / name).unlink()
    else:
        (data / name).write_text(content)
    monkeypatch.setattr(sys, "argv", ["import_sources", *arguments(tmp_path, data)])
    with pytest.raises(SystemExit) as caught:
        cli.run(import_sources.main)
    lines = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2
    assert len(lines) == 1
    assert message in lines[0]
    assert provenance.tree_digest(tmp_path / "world") == before
    assert not [p.name for p in tmp_path.iterdir() if ".tmp-" in p.name]


def test_a_missing_folder_is_named_with_its_variable(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone is no folder: set MEM1_SAMPLE_DATA"):
        import_sources.main(arguments(tmp_path, tmp_path / "gone"))


def test_an_output_folder_of_other_things_is_not_replaced(tmp_path: Path) -> None:
    data = made_folder(tmp_path / "data")
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds 'notes\.txt'"):
        import_sources.main(arguments(tmp_path, data))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real sample, imported and indexed once."""
    folder = tmp_path_factory.mktemp("sample")
    import_sources.main(arguments(folder, Path(str(SAMPLE))))
    (folder / "retrieval.json").write_text('{"k": 3, "k1": 1.5, "b": 0.75}')
    build_index.main(
        [
            *("--config", str(folder / "retrieval.json")),
            *("--passages", str(folder / "world" / "passages.jsonl")),
            *("--output-dir", str(folder / "index")),
        ]
    )
    return folder


@needs_sample
@pytest.mark.sample
def test_the_sample_is_imported_whole(sample: Path) -> None:
    passages, questions, manifest = imported(sample)
    dropped = manifest["questions"]["dropped"]
    assert len(passages) == 994 + 991 - 1 + 9569  # one paragraph stands in both HotpotQA files
    assert len(questions) + sum(dropped.values()) == 100 + 100 + 3111
    assert len({p.id for p in passages}) == len(passages)
    assert dropped["semicolon_in_gold"] == 4


@needs_sample
@pytest.mark.sample
def test_the_sample_agrees_with_the_recorded_answers_found(sample: Path) -> None:
    questions = {q.id for q in imported(sample)[1]}
    lines = (Path(str(SAMPLE)) / "wiki18" / "questions.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    recorded = {f"{r['dataset']}-{r['id']}" for r in rows if r["answer_string_in_retrieved"]}
    ours = {name for name in questions if not name.startswith("hotpotqa-")}
    assert ours <= recorded
    assert len(recorded - ours) == 6  # four with a semicolon, one repeated, "12" within "1812"


@needs_sample
@pytest.mark.sample
def test_the_question_itself_finds_most_answers_in_the_sample(sample: Path) -> None:
    questions = imported(sample)[1]
    retriever = bm25.load(sample / "index", sample / "world" / "passages.jsonl")
    hits = retriever.search([q.text for q in questions], 3)
    found = [
        scoring.contains_answer(" ".join(hit.passage.text for hit in best), q.golds)
        for q, best in zip(questions, hits, strict=True)
    ]
    assert sum(found) / len(found) == pytest.approx(0.85, abs=0.02)


@needs_sample
@pytest.mark.sample
@pytest.mark.parametrize("horizon", [1, 16])
def test_the_sample_composes_to_all_horizons(sample: Path, horizon: int) -> None:
    settings = {
        "train_horizon": 2,
        "train_count": 0,
        "test_horizons": [1, 2, 3, 4, 6, 8, 16],
        "test_count": 64,
        "consecutive": False,
        "max_turns": {"4": 6, "16": 20},
    }
    (sample / "tasks.json").write_text(json.dumps(settings))
    output = sample / f"test-{horizon}.jsonl"
    compose.main(
        [
            *("--config", str(sample / "tasks.json"), "--seed", "0", "--split", "test"),
            *("--questions", str(sample / "world" / "questions.jsonl")),
            *("--horizon", str(horizon), "--output", str(output)),
        ]
    )
    tasks = load_panel(output)
    assert [task.horizon for task in tasks] == [horizon] * 64
    for task in tasks:
        assert len({scoring.normalize(q.golds[0]) for q in task.questions}) == horizon
