"""Pinned data sets: the table, the check of a file, and the import from the Hub."""

import gzip
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mem1 import cli, config, config_files, import_hub, provenance, stages, verify_dataset
from mem1.errors import InputError
from mem1.records import Passage, Question, read_jsonl
from mem1.tasks import catalogue, hub
from mem1.tasks.catalogue import Dataset

FOLDER = Path(__file__).parents[3] / "config"
QUESTIONS = [
    {"id": "test_0", "question": "who?", "golden_answers": ["a", "b"], "metadata": {}},
    {"id": "test_1", "question": "Who?", "golden_answers": ["c"], "metadata": {"x": [1]}},
    {"id": "test_2", "question": "both?", "golden_answers": ["a; b"], "metadata": {}},
    {"id": "test_3", "question": "yes or no?", "golden_answers": ["yes"], "metadata": {}},
]
PASSAGES = [{"id": str(i), "contents": f'"Page {i}"\ntext {i}'} for i in range(3)]


class StandInDownload:
    """Stands in for the download manager of the Hub: local files by address."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files
        self.asked: list[str] = []

    def __call__(self, address: str) -> str:
        self.asked.append(address)
        return str(self.files[address])


def dataset(path: Path, name: str = "nq-test", **changes: object) -> Dataset:
    """A row that pins ``path``."""
    content = path.read_bytes()
    plain = gzip.decompress(content) if path.suffix == ".gz" else content
    values: dict[str, object] = {
        "name": name,
        "role": "passages" if name == "wiki18" else "questions",
        "hub": "someone/sets",
        "revision": "a" * 40,
        "file": f"folder/{path.name}",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "count": len(plain.splitlines()),
        "licence": "MIT",
        "hops": "single",
        "note": "made here",
    }
    return Dataset.model_validate(values | changes)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    return path


@pytest.fixture
def passages(tmp_path: Path) -> Path:
    path = tmp_path / "wiki-18.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in PASSAGES).encode()))
    return path


def run_import(folder: Path, row: Dataset, path: Path, part: str, limit: int | None = None) -> Path:
    section = {"part": part, "max_passages": limit, "sets": [row.model_dump(mode="json")]}
    (folder / "sources.json").write_text(json.dumps(section))
    output = folder / "world"
    arguments = ["--config", str(folder / "sources.json"), "--output-dir", str(output)]
    import_hub.main(arguments, StandInDownload({hub.address(row): path}))
    return output


def test_the_committed_table_pins_the_sets_of_the_paper() -> None:
    table = catalogue.read()
    paper = config_files.load(FOLDER / "config.yaml", FOLDER / "paper.yaml")
    for name in [*paper.sources.train, *paper.sources.test, str(paper.sources.corpus)]:
        assert len(catalogue.pinned(table[name]).revision) == 40
        assert table[name].note


def test_the_address_names_the_commit(questions: Path) -> None:
    expected = "hf://datasets/someone/sets@" + "a" * 40 + "/folder/test.jsonl"
    assert hub.address(dataset(questions)) == expected


@pytest.mark.parametrize("fact", ["revision", "sha256", "size", "count"])
def test_what_is_unverified_is_refused_before_any_download(questions: Path, fact: str) -> None:
    row = dataset(questions, **{fact: "unverified"})
    stand_in = StandInDownload({})
    with pytest.raises(InputError, match=f"{fact} of nq-test is unverified: download .*FILE"):
        hub.fetch(row, stand_in)
    assert stand_in.asked == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 7}, r"it has size \d+ \(table: 7\)"),
        ({"count": 9}, r"it has count 4 \(table: 9\)"),
        ({"sha256": "b" * 64}, r"it has sha256 \w{64} \(table: b{64}\)"),
    ],
)
def test_another_file_is_refused_and_says_what_differs(
    questions: Path, changes: dict[str, object], message: str
) -> None:
    row = dataset(questions, **changes)
    with pytest.raises(InputError, match=message):
        hub.fetch(row, StandInDownload({hub.address(row): questions}))


def git_digest(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


BY_REVISION = {"sha256": "by-revision", "size": "by-revision"}


@pytest.mark.parametrize("digest", [git_digest, provenance.file_digest], ids=["git", "LFS"])
def test_a_row_pinned_by_its_commit_is_compared_with_the_digest_of_the_hub(
    questions: Path, digest: Callable[[Path], str]
) -> None:
    row, recorded = dataset(questions, **BY_REVISION), digest(questions)
    files = {hub.address(row): questions}
    found = hub.fetch(row, StandInDownload(files), lambda _: recorded)
    assert found.facts.sha256 == provenance.file_digest(questions)
    questions.write_bytes(questions.read_bytes().replace(b"who", b"why"))
    with pytest.raises(InputError, match=f"its digest is .*, and the Hub's {recorded}"):
        hub.fetch(row, StandInDownload(files), lambda _: recorded)


def test_a_row_pinned_by_its_commit_still_has_a_count(questions: Path) -> None:
    row = dataset(questions, **BY_REVISION, count=9)
    with pytest.raises(InputError, match=r"it has count 4 \(table: 9\)"):
        hub.fetch(row, StandInDownload({hub.address(row): questions}), lambda _: "")


def test_a_digest_that_cannot_be_had_is_one_sentence(questions: Path) -> None:
    def offline(row: Dataset) -> str:
        raise ConnectionError("no route")

    row = dataset(questions, **BY_REVISION)
    with pytest.raises(InputError, match=r"no route.*or put .* its sha256 and size into config"):
        hub.fetch(row, StandInDownload({hub.address(row): questions}), offline)


def test_a_download_that_fails_is_one_sentence(questions: Path) -> None:
    def broken(address: str) -> str:
        raise ConnectionError("no route")

    with pytest.raises(InputError, match=r"could not be downloaded \(ConnectionError: no route\)"):
        hub.fetch(dataset(questions), broken)


def test_the_download_manager_of_datasets_gives_local_files_as_they_are(questions: Path) -> None:
    assert Path(hub.download(str(questions))).read_bytes() == questions.read_bytes()


def test_questions_keep_source_hops_and_aliases(tmp_path: Path, questions: Path) -> None:
    output = run_import(tmp_path, dataset(questions), questions, "test")
    kept = read_jsonl(output / "questions.jsonl", Question)
    assert [(q.id, q.golds, q.source, q.hops) for q in kept] == [
        ("nq-test_0", ["a", "b"], "nq", 1),
        ("nq-test_3", ["yes"], "nq", 1),
    ]
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["questions"]["dropped"] == {"semicolon_in_gold": 1, "repeated_text": 1}


@pytest.mark.parametrize(("limit", "kept"), [(None, 3), (2, 2)])
def test_the_corpus_is_read_compressed(
    tmp_path: Path, passages: Path, limit: int | None, kept: int
) -> None:
    row = dataset(passages, "wiki18")
    output = run_import(tmp_path, row, passages, "corpus", limit)
    found = read_jsonl(output / "passages.jsonl", Passage)
    assert [(p.id, p.title, p.text) for p in found] == [
        (f"wiki18-{i}", f"Page {i}", f"text {i}") for i in range(kept)
    ]
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["passages"] == {"kept": kept}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("nq-test", {}, None),
        ("nq-test", {"count": 5}, "it has count 4 (table: 5)"),
        ("nq-test", {"sha256": "unverified"}, "(table: unverified)"),
        ("nq-test", BY_REVISION, None),
        ("other", {}, "There is no data set 'other'"),
    ],
)
def test_the_command_says_in_one_sentence_what_differs(
    tmp_path: Path,
    questions: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    changes: dict[str, object],
    message: str | None,
) -> None:
    row = {key: str(value) for key, value in dataset(questions, **changes).model_dump().items()}
    table = tmp_path / "datasets.tsv"
    table.write_text("\t".join(row) + "\n" + "\t".join(row.values()) + "\n")
    monkeypatch.setattr(sys, "argv", ["v", name, str(questions), "--table", str(table)])
    if message is None:
        cli.run(verify_dataset.main)
        printed = capsys.readouterr().out
        assert f"4 questions, sha256 {provenance.file_digest(questions)}" in printed
        assert ("left to the commit" in printed) == bool(changes)
        return
    with pytest.raises(SystemExit):
        cli.run(verify_dataset.main)
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"sha256": "abc"}, "line 2: sha256"),
        ({"size": "0"}, "line 2: size"),
        ({"role": "models"}, "line 2: role"),
        ({"revision": "main"}, "line 2: revision"),
    ],
)
def test_a_bad_row_of_the_table_is_named(
    tmp_path: Path, questions: Path, row: dict[str, str], message: str
) -> None:
    values = {k: str(v) for k, v in dataset(questions).model_dump().items()} | row
    table = tmp_path / "datasets.tsv"
    table.write_text("\t".join(values) + "\n" + "\t".join(values.values()) + "\n")
    with pytest.raises(InputError, match=message):
        catalogue.read(table)


def paper(**changes: object) -> config.Config:
    loaded = config_files.load(FOLDER / "config.yaml", FOLDER / "paper.yaml")
    values = config_files.merge(loaded.model_dump(), {"sources": changes})
    return config_files.parse(values)


def test_test_sets_concern_the_import_of_test_questions_only() -> None:
    before, after = paper(), paper(test=["nq-test"])
    parts = ("train", "test", "corpus")
    frozen = [[stages.frozen(c, f"sources-{part}") for part in parts] for c in (before, after)]
    assert [a == b for a, b in zip(*frozen, strict=True)] == [True, False, True]


def test_the_limit_of_passages_concerns_the_corpus_only() -> None:
    before, after = paper(), paper(max_passages=5)
    assert stages.frozen(before, "sources-test") == stages.frozen(after, "sources-test")
    assert stages.frozen(before, "sources-corpus") != stages.frozen(after, "sources-corpus")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "atlas"}, "kind atlas does not use train, which is for kind hub"),
        ({"test": []}, "kind hub needs test and corpus"),
        ({"corpus": None}, "kind hub needs test and corpus"),
        ({"files": [{"layout": "titles", "path": "x"}]}, "does not use files"),
    ],
)
def test_settings_that_do_not_fit_their_kind_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        paper(**changes)


@pytest.mark.parametrize("changes", [{"test": ["nq-dev"]}, {"corpus": "nq-test"}])
def test_a_set_that_the_table_has_not_is_refused(changes: dict[str, object]) -> None:
    part = next(iter(changes))
    with pytest.raises(InputError, match=r"config/datasets\.tsv has no"):
        stages.frozen(paper(**changes), f"sources-{part}")
