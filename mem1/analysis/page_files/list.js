// The list of trajectories and its filters.
const PAGE = 200; // entries shown at once
const ENDS = {
  answered: "with an answer",
  bought: "with a purchase",
  turns: "out of turns",
  context: "out of context",
  format: "malformed",
  running: "not ended",
};

// Shopping earns a reward between 0 and 1; answers are counted.
const shopped = (score) => score?.reward !== undefined;
const earned = ({ score }) => score.reward ?? score.em;

function scoreClass(trajectory) {
  if (!trajectory.score) return "not scored";
  if (earned(trajectory) <= 0) return "none right";
  return earned(trajectory) >= trajectory.horizon ? "all right" : "some right";
}

const MARKS = { "all right": "●", "some right": "◐", "none right": "○", "not scored": "–" };

const scoreText = (trajectory) =>
  trajectory.score ? `${number(earned(trajectory))} of ${trajectory.horizon}` : "not scored";

const peak = (trajectory) =>
  trajectory.turns.reduce(
    (most, turn) => Math.max(most, turn.tokens.context + turn.tokens.output),
    trajectory.promptTokens,
  );

const FIELDS = {
  system: (trajectory) => trajectory.system,
  horizon: (trajectory) => String(trajectory.horizon),
  score: scoreClass,
  end: (trajectory) => trajectory.end,
};

// All that can be searched, made once for each trajectory when first asked for.
const texts = new Map();
function searchable(trajectory) {
  if (!texts.has(trajectory)) {
    const { questions = [], instruction } = DATA.tasks[trajectory.task] ?? {};
    const parts = [trajectory.task, trajectory.system, trajectory.prompt ?? "", instruction ?? ""];
    for (const question of questions) parts.push(question.text, ...question.golds);
    for (const turn of trajectory.turns) parts.push(...turn.parts, turn.info, ...turn.passages);
    texts.set(trajectory, parts.join("\n").toLowerCase());
  }
  return texts.get(trajectory);
}

function fillFilters(form) {
  const orders = { score: Object.keys(MARKS), end: Object.keys(ENDS) };
  for (const [name, value] of Object.entries(FIELDS)) {
    const there = [...new Set(DATA.trajectories.map(value))];
    const values = orders[name] ? orders[name].filter((each) => there.includes(each)) : there;
    const options = values.map((each) =>
      el("option", { value: each }, name === "end" ? (ENDS[each] ?? each) : each),
    );
    form.elements[name].replaceChildren(el("option", { value: "" }, "all"), ...options);
  }
}

function matching(form) {
  const wanted = form.elements.text.value.trim().toLowerCase();
  const chosen = Object.keys(FIELDS).filter((name) => form.elements[name].value);
  return DATA.trajectories.filter(
    (trajectory) =>
      chosen.every((name) => FIELDS[name](trajectory) === form.elements[name].value) &&
      (!wanted || searchable(trajectory).includes(wanted)),
  );
}

function entry(trajectory, choose) {
  const kind = scoreClass(trajectory);
  const sample = trajectory.sample ? ` · sample ${trajectory.sample}` : "";
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: "entry", onclick: () => choose(trajectory) },
      el("span", { class: "mark", "aria-hidden": "true" }, MARKS[kind]),
      el("span", { class: "name" }, trajectory.task),
      el("span", { class: "score" }, scoreText(trajectory)),
      el(
        "span",
        { class: "more" },
        `${trajectory.system}${sample} · ${count(trajectory.turns.length, "turn")}`,
      ),
    ),
  );
}

// Draws the list of `shown`; entries beyond the first `limit` wait behind a button.
function drawList(shown, limit, choose) {
  byId("list").replaceChildren(...shown.slice(0, limit).map((each) => entry(each, choose)));
  const all = DATA.trajectories.length;
  byId("count").textContent =
    shown.length === all
      ? count(all, "trajectory", "trajectories")
      : `${shown.length} of ${all} trajectories`;
  byId("more").hidden = shown.length <= limit;
}

function markChosen(shown, chosen) {
  [...byId("list").children].forEach((item, place) => {
    const button = item.firstElementChild;
    if (shown[place] !== chosen) button.removeAttribute("aria-current");
    else {
      button.setAttribute("aria-current", "true");
      const { top, bottom } = item.getBoundingClientRect();
      const frame = byId("list").getBoundingClientRect();
      if (top < frame.top || bottom > frame.bottom) byId("list").scrollTop += top - frame.top;
    }
  });
}
