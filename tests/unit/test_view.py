"""The page of recorded trajectories: the command, and the page in a real browser.

The records are those of two systems, made by the real command from pages of which one tries to
break out of wherever it is shown.
"""

import json
import re
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from mem1 import evaluate, view
from mem1.agent.settings import EvaluationRun
from mem1.analysis import seen
from mem1.config import Agent
from mem1.config_retrieval import Retrieval
from mem1.errors import InputError
from mem1.provenance import write_json
from mem1.records import Passage, Question, Task, Trajectory, read_jsonl, write_jsonl
from mem1.retrieval import bm25
from mem1.tasks.compose import save_panel
from tests.browser import Browser, found

ATTACK = "</script><img src=x onerror=\"document.title='taken'\"><!-- <script>"
GOLD = "<img src=y>"
NAMES = ["Ada", "Bo", "Cy", "Di", "Ed", "Fay"]
SYSTEMS = {"memory": "mem1", "history": "full"}

needs_browser = pytest.mark.skipif(
    found() is None,
    reason="no Chromium on this machine (chromium, chromium-browser, google-chrome)",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Results of two systems on two panels, in the layout of the workflow."""
    place = tmp_path_factory.mktemp("results") / "tiny"
    tokenizer = Tokenizer(
        models.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, [])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    (place / "tokenizer").mkdir(parents=True)
    tokenizer.save(str(place / "tokenizer" / "tokenizer.json"))
    write_json(place / "tokenizer" / "tokenizer_config.json", {})
    pages = [Passage(id=f"p-{n}", title=n, text=f"{n} lives in {n}ville. {ATTACK}") for n in NAMES]
    write_jsonl(place / "passages.jsonl", pages)
    bm25.build(pages, Retrieval(k=2, k1=1.5, b=0.75), place / "index")
    questions = [
        # The reader answers with the gold if it was retrieved: the last one's never is.
        Question(id=n, text=f"Where does {n} live? {ATTACK}", golds=[gold, GOLD], source="t")
        for n, gold in [(n, f"{n}ville") for n in NAMES[:5]] + [("Fay", "Nowhere")]
    ]
    panels = {1: [questions[:1], questions[5:]], 3: [questions[:3], questions[3:]]}
    limits = Agent(max_context=9000, max_new_tokens=600, max_info=900, truncate_budget=400)
    for horizon, rows in panels.items():
        tasks = [
            Task(id=f"test-{horizon}-{i}", split="test", questions=row, max_turns=6)
            for i, row in enumerate(rows)
        ]
        panel = place / "tasks" / f"test-{horizon}.jsonl"
        save_panel(panel, tasks, {})
        for system, policy in SYSTEMS.items():
            run = EvaluationRun(
                **{"engine": "oracle-reader", "policy": policy, "prompt": policy},
                **{"agent": limits, "k": 2, "temperature": 0.0, "batch": 2, "seed": 0},
            )
            write_json(place / f"{system}.json", run.model_dump(mode="json"))
            evaluate.main(
                f"--config {place}/{system}.json --system {system} --tasks {panel} "
                f"--passages {place}/passages.jsonl --index {place}/index "
                f"--tokenizer {place}/tokenizer "
                f"--output {place}/eval/{system}/{horizon}.jsonl".split()
            )
    return place


@pytest.fixture(scope="module")
def records(home) -> list[str]:
    return [str(home / "eval" / system / f"{h}.jsonl") for system in SYSTEMS for h in (1, 3)]


def data_of(page: Path) -> dict:
    """What the page holds as JSON."""
    return json.loads(re.search(r'id="data">([^<]*)</script>', page.read_text())[1])


def copied(home: Path, folder: Path) -> Path:
    """A record file without the layout around it."""
    return Path(write(folder / "lone.jsonl", (home / "eval/memory/3.jsonl").read_text()))


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_layout_gives_tokenizer_and_panels(records, tmp_path, capsys):
    view.main([*records, "--output", str(tmp_path / "page.html")])
    data = data_of(tmp_path / "page.html")
    assert len(data["trajectories"]) == 8
    assert set(data["tasks"]) == {f"test-{h}-{i}" for h in (1, 3) for i in (0, 1)}
    assert all("Where does" in each["prompt"] for each in data["trajectories"])
    assert capsys.readouterr().out.startswith(f"{tmp_path}/page.html: 8 trajectories of 4 tasks")


def test_records_alone_are_shown_without_prompts(home, tmp_path, capsys):
    view.main([str(copied(home, tmp_path)), "--output", str(tmp_path / "page.html")])
    data = data_of(tmp_path / "page.html")
    assert [each["prompt"] for each in data["trajectories"]] == [None, None]
    assert data["tasks"] == {}
    assert "2 without the text of their prompt, see --tokenizer" in capsys.readouterr().out


def test_a_limit_keeps_the_same_tasks_of_all_systems_and_counts_the_rest(records, tmp_path, capsys):
    view.main([*records, "--limit", "1", "--output", str(tmp_path / "page.html")])
    data = data_of(tmp_path / "page.html")
    shown = [(each["task"], each["system"]) for each in data["trajectories"]]
    assert shown == [(f"test-{h}-0", system) for h in (1, 3) for system in SYSTEMS]
    assert data["leftOut"] == 4
    assert "4 left out" in capsys.readouterr().out


def test_a_panel_of_other_tasks_is_refused(home, records, tmp_path):
    other = [
        Task(id=task.id, split="test", questions=task.questions[::-1], max_turns=9)
        for task in read_jsonl(home / "tasks/test-3.jsonl", Task)
    ]
    save_panel(tmp_path / "test-3.jsonl", other, {})
    arguments = [records[1], "--tasks", str(tmp_path / "test-3.jsonl")]
    with pytest.raises(InputError, match=r"3\.jsonl was evaluated on another test-3\.jsonl"):
        view.main([*arguments, "--output", str(tmp_path / "page.html")])
    assert not (tmp_path / "page.html").exists()


def test_a_panel_of_other_sizes_is_refused_without_a_manifest(home, tmp_path):
    task = read_jsonl(home / "tasks/test-3.jsonl", Task)[0]
    save_panel(
        tmp_path / "p.jsonl", [task.model_copy(update={"questions": task.questions[:2]})], {}
    )
    lone = str(copied(home, tmp_path))
    with pytest.raises(InputError, match=r"test-3-0 has 3 objectives, in the panel 2"):
        view.main([lone, "--tasks", str(tmp_path / "p.jsonl"), "-o", str(tmp_path / "page.html")])


@pytest.mark.parametrize(
    ("cut", "limit", "message"),
    [
        (-200, "0", r"lone\.jsonl, line 2: no valid Trajectory"),
        (0, "0", r"lone\.jsonl holds no trajectory"),
        (None, "-1", r"--limit is -1"),
    ],
)
def test_bad_input_is_one_sentence(home, tmp_path, cut, limit, message):
    lone = copied(home, tmp_path)
    write(lone, lone.read_text()[:cut])
    with pytest.raises(InputError, match=message):
        view.main([str(lone), "--limit", limit, "--output", str(tmp_path / "page.html")])
    assert not (tmp_path / "page.html").exists()


@pytest.fixture(scope="module")
def page(records, tmp_path_factory) -> str:
    """The address of the page of all records."""
    place = tmp_path_factory.mktemp("page") / "page.html"
    view.main([*records, "--output", str(place)])
    return place.as_uri()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def browser(chromium, page) -> Browser:
    """The page, freshly opened."""
    chromium.events.clear()
    chromium.open("about:blank")
    chromium.open(page)
    return chromium


def texts(browser: Browser, selector: str) -> list[str]:
    return browser.run(f"[...document.querySelectorAll({selector!r})].map((e) => e.innerText)")


def show(browser: Browser, system: str, task: str) -> None:
    """Choose a trajectory in the list, as a click does."""
    entry = f"""[...document.querySelectorAll("#list .entry")].find((e) =>
        e.innerText.includes("{task}") && e.innerText.includes("{system}"))"""
    browser.run(f"{entry}.click()")
    assert texts(browser, "#title") == [f"{task}, {system}"]


def set_filter(browser: Browser, name: str, value: str) -> None:
    browser.run(
        f"""(() => {{ const field = document.forms[0].elements[{name!r}]; field.value = {value!r};
        field.dispatchEvent(new Event("input", {{ bubbles: true }})); }})()"""
    )


@needs_browser
def test_it_opens_without_complaints_and_without_requests(browser, page):
    assert texts(browser, "#turn-title") == ["Turn 1 of 2: search"]
    assert len(texts(browser, "#list .entry")) == 8
    assert browser.complaints() == []
    assert [address for address in browser.requests() if address != "about:blank"] == [page]


@needs_browser
def test_retrieved_markup_stays_text(browser):
    browser.press("ArrowRight")
    assert any(ATTACK in text for text in texts(browser, ".quote"))
    assert any(ATTACK in text for text in texts(browser, ".questions td"))
    assert browser.run("document.title") == "Trajectories"
    assert browser.run("document.querySelectorAll('img, script:not(body > script)').length") == 0


@needs_browser
@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("system", "history", ["test-1-0", "test-1-1", "test-3-0", "test-3-1"]),
        ("horizon", "3", ["test-3-0", "test-3-0", "test-3-1", "test-3-1"]),
        ("score", "none right", ["test-1-1", "test-1-1"]),
        ("score", "some right", ["test-3-1", "test-3-1"]),
        ("end", "answered", [f"test-{h}-{i}" for h in (1, 3) for i in (0, 0, 1, 1)]),
        ("text", "WHERE DOES BO LIVE", ["test-3-0", "test-3-0"]),
        ("text", "no such words", []),
    ],
)
def test_filters_narrow_the_list(browser, name, value, shown):
    set_filter(browser, name, value)
    assert texts(browser, "#list .name") == shown
    if shown and len(shown) < 8:
        assert texts(browser, "#count") == [f"{len(shown)} of 8 trajectories"]
        assert texts(browser, "#title")[0].startswith(shown[0])


@needs_browser
def test_clearing_brings_all_back(browser):
    set_filter(browser, "system", "memory")
    set_filter(browser, "text", "ada")
    browser.run("document.querySelector('form [type=reset]').click()")
    browser.run("new Promise((done) => setTimeout(done))")
    assert texts(browser, "#count") == ["8 trajectories"]


@needs_browser
def test_arrow_keys_step_through_the_turns_and_stop_at_the_ends(browser):
    show(browser, "memory", "test-3-0")
    titles = []
    for key in ["ArrowLeft", *["ArrowRight"] * 4, "ArrowLeft"]:
        browser.press(key)
        titles += texts(browser, "#turn-title")
    assert [title.split(" ")[1] for title in titles] == ["1", "2", "3", "4", "4", "3"]
    assert texts(browser, ".step[aria-current]") == ["3"]
    assert browser.complaints() == []


@needs_browser
def test_arrow_keys_in_a_field_move_its_cursor_only(browser):
    show(browser, "memory", "test-3-0")
    browser.run("document.forms[0].elements.text.focus()")
    browser.write("where does ada live")
    browser.press("ArrowRight")
    assert texts(browser, "#turn-title") == ["Turn 1 of 4: search"]
    assert len(texts(browser, "#list .entry")) == 4


@needs_browser
def test_a_turn_shows_what_was_seen_and_what_was_dropped(browser):
    show(browser, "memory", "test-3-0")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    column = "#turn .columns > div:first-child"
    assert texts(browser, f"{column} > .piece .name") == [
        "Task prompt",
        "Output of turn 2",
        "Info of turn 2",
    ]
    assert texts(browser, ".dropped .name") == ["Output of turn 1", "Info of turn 1"]
    show(browser, "history", "test-3-0")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    assert texts(browser, ".dropped .name") == []
    assert "Output of turn 1" in texts(browser, f"{column} .piece .name")


@needs_browser
def test_added_words_of_the_state_are_marked(browser):
    show(browser, "memory", "test-3-0")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    assert texts(browser, ".state") == ["Answers: Adaville ; Boville"]
    assert texts(browser, ".state ins") == ["; Boville"]
    show(browser, "memory", "test-3-1")  # of which the state is about something else
    assert texts(browser, ".state ins") == []


@needs_browser
def test_the_sizes_are_those_of_the_records(home, browser):
    show(browser, "memory", "test-3-0")
    browser.run("document.querySelector('#chart details').open = true")
    trajectory = read_jsonl(home / "eval/memory/3.jsonl", Trajectory)[0]
    rows = browser.run(
        "[...document.querySelectorAll('#chart tbody tr')].map((row) => "
        "[...row.cells].slice(2, 6).map((cell) => Number(cell.innerText)))"
    )
    assert rows == [
        [len(turn.context), len(turn.output), len(turn.info), full]
        for turn, full in zip(trajectory.turns, seen.full_history(trajectory), strict=True)
    ]
    assert len(texts(browser, "#chart .bar")) == len(rows)


@needs_browser
def test_one_goes_from_system_to_system_on_the_same_task(browser):
    show(browser, "memory", "test-3-1")
    assert [cells.split("\t")[0] for cells in texts(browser, ".peers tbody tr")] == [
        "memory",
        "history",
    ]
    browser.run("document.querySelector('.peers .link').click()")
    assert texts(browser, "#title") == ["test-3-1, history"]
    assert texts(browser, ".entry[aria-current] .more")[0].startswith("history")


@needs_browser
def test_answers_stand_beside_the_accepted_ones(browser):
    show(browser, "memory", "test-3-1")
    rows = [row.split("\t") for row in texts(browser, ".questions tbody tr")]
    assert [row[-1] for row in rows] == ["✓ right", "✓ right", "✗ wrong"]
    assert rows[0][2:4] == ["Diville | <img src=y>", "Diville"]


@needs_browser
def test_an_address_leads_to_a_turn(browser, page):
    browser.open("about:blank")
    browser.open(f"{page}#trajectory=5&turn=3")
    assert texts(browser, "#turn-title") == ["Turn 3 of 4: search"]
    assert browser.run("location.hash") == "#trajectory=5&turn=3"


CONTRAST = """(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    throw new Error("no background");
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !node.checkVisibility() || node.disabled || node.closest("svg, option")) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${node.tagName} ${node.className} ${ratio.toFixed(2)}`);
  }
  return poor;
})()"""


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser, page, scheme):
    browser.open("about:blank")
    browser.open(f"{page}#trajectory=5&turn=3", scheme)
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    assert browser.run(CONTRAST) == []


@needs_browser
def test_every_control_has_a_name(browser):
    names = browser.run(
        "[...document.querySelectorAll('input, select, button')].map((node) => "
        "(node.labels?.[0] ?? node).innerText.trim() || node.getAttribute('aria-label'))"
    )
    assert len(names) > 10
    assert all(names)


@needs_browser
@pytest.mark.parametrize("width", [1366, 480])
def test_nothing_sticks_out_at_the_side(browser, width):
    browser.resize(width, 768)
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
