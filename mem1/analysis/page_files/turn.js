// A trajectory's summary, and one turn: what the model wrote and what came back.
const WORD = /[^ \t\r\n]+[ \t\r\n]*|^[ \t\r\n]+/g;
const wordsOf = (text) => text.match(WORD) ?? [];

// The state of a turn with the words added and removed since the turn before.
function drawState(trajectory, place) {
  const { parts, changes } = trajectory.turns[place];
  if (!parts[1] && !changes?.length) return el("p", { class: "note" }, "None in this output.");
  if (!changes) return quote(parts[1], "state");
  const now = wordsOf(parts[1]);
  const old = wordsOf(trajectory.turns[place - 1].parts[1]);
  let [i, j] = [0, 0];
  const runs = changes.map(([sign, n], at) => {
    const text = (sign === "-" ? old.slice(i, i + n) : now.slice(j, j + n)).join("");
    if (sign !== "+") i += n;
    if (sign !== "-") j += n;
    const body = text.trimEnd(); // the marks end with the word
    const space = text.slice(body.length) || (at < changes.length - 1 ? " " : "");
    return [sign === "=" ? body : el(sign === "+" ? "ins" : "del", {}, body), space];
  });
  return quote(runs.flat(), "state");
}

const VERBS = { search: "Query", answer: "Answer", malformed: "Malformed" };

function drawOutput(trajectory, place) {
  const turn = trajectory.turns[place];
  const marked = place > 0 && turn.changes.some(([sign]) => sign !== "=");
  return [
    el("h3", {}, "What it wrote", el("span", { class: "size" }, count(turn.tokens.output, "token"))),
    el(
      "h4",
      {},
      "Internal state",
      marked
        ? el("span", { class: "size" }, el("ins", {}, "added"), " ", el("del", {}, "removed"), ` since turn ${place}`)
        : null,
    ),
    drawState(trajectory, place),
    el("h4", {}, VERBS[turn.action] ?? turn.action),
    quote(turn.argument, `action ${turn.action}`),
    el("details", {}, el("summary", {}, "The output as it is"), quote(turn.parts.join(""))),
    ...turn.calls.map((call) =>
      el(
        "details",
        { class: "piece call" },
        el(
          "summary",
          {},
          el("span", { class: "name" }, `Call beside the turn: ${call.purpose}${call.malformed ? ", malformed" : ""}`),
          el("span", { class: "size" }, `${call.tokens[0]} + ${count(call.tokens[1], "token")}`),
        ),
        quote(call.text),
      ),
    ),
  ];
}

function drawInfo(turn, last) {
  const shown = turn.info
    ? [
        quote(turn.info, "info"),
        turn.passages.length
          ? el(
              "p",
              { class: "passages" },
              "Retrieved: ",
              turn.passages.map((id) => el("code", { dir: "auto" }, id)),
            )
          : null,
      ]
    : [el("p", { class: "note" }, last ? "Nothing: the trajectory ends here." : "Nothing.")];
  const seconds = turn.retrievalSeconds ? `, ${number(turn.retrievalSeconds)} s in the environment` : "";
  return [
    el("h3", {}, "What came back", el("span", { class: "size" }, count(turn.tokens.info, "token"))),
    ...shown,
    el("p", { class: "note" }, `The turn took ${number(turn.seconds)} s${seconds}.`),
  ];
}

function drawTurn(trajectory, place) {
  const turn = trajectory.turns[place];
  const last = place === trajectory.turns.length - 1;
  byId("turn").replaceChildren(
    el("h2", { id: "turn-title", "aria-live": "polite" }, `Turn ${place + 1} of ${trajectory.turns.length}: ${turn.action}`),
    el(
      "div",
      { class: "columns" },
      el("div", {}, drawContext(trajectory, place)),
      el("div", {}, drawOutput(trajectory, place), drawInfo(turn, last)),
    ),
  );
}

function questionTable(trajectory) {
  const { score, answers } = trajectory;
  const { questions, instruction } = DATA.tasks[trajectory.task] ?? {};
  if (instruction) return el("p", { dir: "auto" }, instruction);
  if (shopped(score)) return null;
  const rows = Math.max(questions?.length ?? 0, answers.length, score?.question_em.length ?? 0);
  if (!rows) return null;
  const head = ["", ...(questions ? ["Question", "Accepted"] : []), "Answer", "Result"];
  const row = (place) => {
    const right = score?.question_em[place];
    const known = questions?.[place];
    return el(
      "tr",
      {},
      el("td", {}, String(place + 1)),
      questions ? [el("td", { dir: "auto" }, known?.text ?? "no such question"), el("td", { dir: "auto" }, known?.golds.join(" | ") ?? "")] : [],
      el("td", { dir: "auto" }, answers[place] ?? "none"),
      el("td", {}, right === undefined ? "not scored" : right >= 1 ? "✓ right" : right > 0 ? `◐ ${number(right)}` : "✗ wrong"),
    );
  };
  return el(
    "table",
    { class: "questions" },
    el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, Array.from({ length: rows }, (_, place) => row(place))),
  );
}

function peers(trajectory, choose) {
  const same = DATA.trajectories.filter((each) => each.task === trajectory.task);
  if (same.length < 2) return null;
  const head = ["Same task", "Score", "Turns", "Peak tokens", "Ended"];
  const row = (each) => {
    const name = each.system + (each.sample ? `, sample ${each.sample}` : "");
    const link =
      each === trajectory
        ? el("strong", {}, name)
        : el("button", { type: "button", class: "link", onclick: () => choose(each) }, name);
    const cells = [scoreText(each), each.turns.length, peak(each).toLocaleString("en"), ENDS[each.end] ?? each.end];
    return el("tr", {}, el("td", {}, link), cells.map((cell) => el("td", {}, String(cell))));
  };
  return el(
    "table",
    { class: "peers numbers" },
    el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, same.map(row)),
  );
}

const ZEROS = { format: "no answer, so 0", count: "wrong number of answers, so 0" };
const zero = (score) => (shopped(score) ? "nothing bought, so 0" : ZEROS[score.zero]);

function drawSummary(trajectory, choose) {
  const { score } = trajectory;
  const facts = [
    `policy ${trajectory.policy}`,
    count(trajectory.horizon, "objective"),
    `ended ${ENDS[trajectory.end] ?? trajectory.end}`,
    `score ${scoreText(trajectory)}`,
    score && score.zero !== "none" ? zero(score) : null,
    score && !shopped(score) ? `F1 ${number(score.f1)}` : null,
    `peak ${count(peak(trajectory), "token")}`,
    `${number(trajectory.seconds)} s`,
  ];
  byId("summary").replaceChildren(
    ...[
      el("h2", { id: "title" }, `${trajectory.task}, ${trajectory.system}`, trajectory.sample ? `, sample ${trajectory.sample}` : ""),
      el("p", { class: "facts" }, facts.filter((fact) => fact !== null).map((fact) => el("span", {}, fact))),
      el(
        "div",
        { class: "overview" },
        el("figure", { id: "chart" }),
        el("div", { class: "tables" }, peers(trajectory, choose), questionTable(trajectory)),
      ),
    ],
  );
}
