"""Composition: panels that repeat nothing, depend on the seed only, and prove their content."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem1 import config, config_files
from mem1.errors import InputError
from mem1.records import Question, Task
from mem1.tasks import catalogue
from mem1.tasks.compose import compose, consecutive_rows, load_panel, manifest_path, save_panel
from mem1.tasks.selection import select_all

CONFIG = Path(__file__).parents[3] / "config"


def tasks_section(consecutive: bool = False) -> config.Tasks:
    return config.Tasks(
        train_horizon=2,
        train_count=1,
        test_horizons=[1],
        test_count=1,
        consecutive=consecutive,
        max_turns={4: 6, 16: 20},
    )


def question(i: int, text: str | None = None, gold: str | None = None) -> Question:
    return Question(
        id=f"q{i}", text=text or f"Question {i}?", golds=[gold or f"gold {i}"], source="made"
    )


def ids(tasks: list[Task]) -> list[list[str]]:
    return [[q.id for q in task.questions] for task in tasks]


@settings(max_examples=60, deadline=None)
@given(
    golds=st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=40),
    horizon=st.integers(1, 8),
    consecutive=st.booleans(),
    data=st.data(),
)
def test_a_panel_has_the_asked_shape_and_repeats_no_question(
    golds: list[str], horizon: int, consecutive: bool, data: st.DataObject
) -> None:
    questions = [question(i, gold=gold) for i, gold in enumerate(golds)]
    most = len(questions) // horizon
    if most == 0:
        with pytest.raises(InputError, match=f"needs {horizon} questions"):
            compose(questions, horizon, 1, "test", tasks_section(consecutive), 0)
        return
    count = data.draw(st.integers(1, most))
    tasks = compose(questions, horizon, count, "test", tasks_section(consecutive), 0)
    used = [name for row in ids(tasks) for name in row]
    assert len(tasks) == count
    assert {task.horizon for task in tasks} == {horizon}
    assert len(set(used)) == len(used) == horizon * count


def test_ids_budget_and_split() -> None:
    tasks = compose([question(i) for i in range(40)], 16, 2, "test", tasks_section(), 0)
    assert [task.id for task in tasks] == ["test-16-0000", "test-16-0001"]
    assert [(task.split, task.max_turns) for task in tasks] == [("test", 20)] * 2


def test_few_objectives_have_the_small_budget() -> None:
    assert compose([question(0)], 1, 1, "train", tasks_section(), 0)[0].max_turns == 6


def test_the_same_seed_gives_the_same_panel() -> None:
    questions = [question(i) for i in range(30)]
    first = compose(questions, 3, 5, "test", tasks_section(), 7)
    assert compose(questions, 3, 5, "test", tasks_section(), 7) == first
    assert ids(compose(questions, 3, 5, "test", tasks_section(), 8)) != ids(first)


def test_the_panel_of_a_seed_is_pinned() -> None:
    tasks = compose([question(i) for i in range(9)], 3, 2, "test", tasks_section(), 1)
    assert ids(tasks) == [["q7", "q5", "q0"], ["q1", "q3", "q6"]]


def test_one_task_has_different_first_golds_where_the_set_allows() -> None:
    questions = [question(i, gold=gold) for i, gold in enumerate(["Yes", "yes.", "b", "c"] * 6)]
    for task in compose(questions, 2, 8, "test", tasks_section(), 3):
        first, second = (q.golds[0].lower().strip(".") for q in task.questions)
        assert first != second


def test_one_task_has_different_texts_where_the_set_allows() -> None:
    questions = [question(i, text="Who is it?" if i % 2 else None) for i in range(20)]
    for task in compose(questions, 2, 5, "test", tasks_section(), 0):
        assert len({q.text for q in task.questions}) == 2


def test_equal_golds_are_used_where_nothing_else_is_left() -> None:
    questions = [question(i, gold="same") for i in range(4)]
    assert len(compose(questions, 4, 1, "test", tasks_section(), 0)[0].questions) == 4


def test_consecutive_rows_keep_their_order_and_drop_the_remainder() -> None:
    questions = [question(i, gold="same") for i in range(7)]
    tasks = compose(questions, 3, 2, "test", tasks_section(consecutive=True), 0)
    assert ids(tasks) == [["q0", "q1", "q2"], ["q3", "q4", "q5"]]


def test_consecutive_rows_are_drawn_in_order_when_there_are_more() -> None:
    questions = [question(i) for i in range(100)]
    rows = ids(compose(questions, 2, 10, "test", tasks_section(consecutive=True), 0))
    starts = [int(row[0][1:]) for row in rows]
    assert starts == sorted(starts)
    assert all(
        start % 2 == 0 and row[1] == f"q{start + 1}"
        for start, row in zip(starts, rows, strict=True)
    )


def test_too_many_tasks_says_the_numbers_and_the_fix() -> None:
    with pytest.raises(
        InputError, match=r"need 24 questions, and the set has 10.* tasks.test_count to 1 or less"
    ):
        compose([question(i) for i in range(10)], 8, 3, "test", tasks_section(), 0)


@pytest.mark.parametrize(("horizon", "count"), [(0, 1), (1, 0), (-1, 1)])
def test_nothing_to_compose_is_refused(horizon: int, count: int) -> None:
    with pytest.raises(InputError, match="at least one of each"):
        compose([question(0)], horizon, count, "test", tasks_section(), 0)


def test_a_horizon_without_a_budget_is_refused() -> None:
    with pytest.raises(InputError, match=r"tasks\.max_turns has no budget for 17"):
        compose([question(i) for i in range(17)], 17, 1, "test", tasks_section(), 0)


@pytest.mark.parametrize("consecutive", [True, False])
def test_a_semicolon_in_any_gold_is_refused(consecutive: bool) -> None:
    bad = Question(id="bad", text="Which two?", golds=["one", "one; two"], source="made")
    with pytest.raises(InputError, match=r"'bad'.*'one; two'"):
        compose([question(0), bad], 1, 1, "test", tasks_section(consecutive), 0)


def test_a_question_id_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'q0' occurs twice"):
        compose([question(0), question(0)], 1, 1, "test", tasks_section(), 0)


def test_a_question_without_golds_is_refused() -> None:
    with pytest.raises(InputError, match="'q' has no gold"):
        compose(
            [Question(id="q", text="?", golds=[], source="made")], 1, 1, "t", tasks_section(), 0
        )


def saved(folder: Path) -> tuple[Path, list[Task]]:
    tasks = compose([question(i) for i in range(6)], 2, 3, "test", tasks_section(), 0)
    path = folder / "test-2.jsonl"
    save_panel(path, tasks, {"seed": 0})
    return path, tasks


def test_a_saved_panel_is_loaded_as_it_was(tmp_path: Path) -> None:
    path, tasks = saved(tmp_path)
    assert load_panel(path) == tasks
    assert sorted(p.name for p in tmp_path.iterdir()) == ["test-2.jsonl", "test-2.manifest.json"]


def test_a_changed_panel_is_refused_by_name(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    path.write_text(path.read_text().replace("gold 1", "gold 9"))
    with pytest.raises(InputError, match=r"test-2\.jsonl has changed"):
        load_panel(path)


def test_a_missing_panel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"test-2\.jsonl does not exist"):
        load_panel(tmp_path / "test-2.jsonl")


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    manifest_path(path).unlink()
    with pytest.raises(InputError, match=r"test-2\.manifest\.json does not exist"):
        load_panel(path)


@pytest.mark.parametrize("text", ["{}", "[]", '{"panel": 3}'])
def test_a_manifest_without_a_digest_is_refused(tmp_path: Path, text: str) -> None:
    path, _ = saved(tmp_path)
    manifest_path(path).write_text(text)
    with pytest.raises(InputError, match=r"test-2\.manifest\.json records no digest"):
        load_panel(path)


# Questions of each set, as in config/datasets.tsv, and the tasks that the official code makes.
TRAIN = {"nq": 79_168, "hotpotqa": 90_447}
TEST = {
    "nq": 3_610,
    "triviaqa": 11_313,
    "popqa": 14_267,
    "hotpotqa": 7_405,
    "2wikimultihopqa": 12_576,
    "musique": 2_417,
    "bamboogle": 125,
}


@pytest.mark.parametrize(
    ("sets", "horizon", "tasks"),
    [
        (TRAIN, 2, 84_807),
        (TEST, 2, 25_854),
        (TEST, 3, 17_235),
        (TEST, 4, 12_926),
        (TEST, 6, 8_615),
        (TEST, 8, 6_462),
        (TEST, 16, 3_229),
    ],
)
def test_consecutive_rows_give_the_task_counts_of_the_paper(
    sets: dict[str, int], horizon: int, tasks: int
) -> None:
    questions = [
        Question.model_construct(id=f"{name}-{i}", source=name)
        for name, count in sets.items()
        for i in range(count)
    ]
    assert len(consecutive_rows(questions, horizon)) == tasks


def test_the_counts_are_those_of_the_table_of_data_sets() -> None:
    table = catalogue.read()
    paper = config_files.load(CONFIG / "config.yaml", CONFIG / "paper.yaml")
    for names, counts in ((paper.sources.train, TRAIN), (paper.sources.test, TEST)):
        assert {table[name].source: table[name].count for name in names} == counts


def test_consecutive_rows_do_not_mix_sets() -> None:
    questions = [
        Question(id=f"{name}{i}", text=f"{name}{i}?", golds=[name], source=name)
        for name in "ab"
        for i in range(5)
    ]
    tasks = compose(questions, 2, 4, "test", tasks_section(consecutive=True), 0)
    assert ids(tasks) == [["a0", "a1"], ["a2", "a3"], ["b0", "b1"], ["b2", "b3"]]
    with pytest.raises(InputError, match=r"tasks.test_count to 4 or less"):
        compose(questions, 2, 5, "test", tasks_section(consecutive=True), 0)
    with pytest.raises(InputError, match=r"one set: lower tasks\.test_horizons"):
        compose(questions, 6, 1, "test", tasks_section(consecutive=True), 0)


SETS = st.dictionaries(st.sampled_from(sorted(TEST)), st.integers(1, 30), min_size=1)


@settings(max_examples=40, deadline=None)
@given(sets=SETS, horizon=st.integers(1, 6), consecutive=st.booleans(), seed=st.integers(0, 3))
def test_whole_sets_compose_without_repeats_and_by_seed(
    sets: dict[str, int], horizon: int, consecutive: bool, seed: int
) -> None:
    raw = [
        Question(
            id=f"{name}-{i}",
            text=f"{name} {i // 2}?",  # each text twice
            golds=[f"{name} {i}", "a; b"] if i % 5 == 0 else [f"{name} {i}"],
            source=name,
        )
        for name, count in sets.items()
        for i in range(count)
    ]
    questions, dropped = select_all(raw)
    assert len(questions) + sum(dropped.values()) == len(raw)
    most = len(consecutive_rows(questions, horizon))
    if most == 0:
        return
    section = tasks_section(consecutive)
    tasks = compose(questions, horizon, most, "test", section, seed)
    used = [question for task in tasks for question in task.questions]
    assert len({q.text for q in used}) == len({q.id for q in used}) == len(used) == most * horizon
    assert not any(";" in gold for question in used for gold in question.golds)
    assert compose(questions, horizon, most, "test", section, seed) == tasks
