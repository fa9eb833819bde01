// Which trajectory and which turn are shown, and how to get to others.
const form = byId("filters");
let shown = DATA.trajectories;
let limit = PAGE;
let chosen = null;
let place = 0;

function drawSteps() {
  const turns = chosen.turns;
  const beside = (text, label, target) =>
    el("button", { type: "button", "aria-label": label, disabled: !turns[target], onclick: () => step(target) }, text);
  byId("steps").replaceChildren(
    beside("←", "Turn before", place - 1),
    ...turns.map((turn, at) =>
      el(
        "button",
        {
          type: "button",
          class: `step ${turn.action}`,
          "aria-label": `Turn ${at + 1}, ${turn.action}`,
          "aria-current": at === place ? "step" : null,
          title: turn.action,
          onclick: () => step(at),
        },
        String(at + 1),
      ),
    ),
    beside("→", "Next turn", place + 1),
  );
}

function drawChart() {
  const open = byId("chart").querySelector("details")?.open ?? false;
  byId("chart").replaceChildren(legend(chosen), chart(chosen, place, step), sizeTable(chosen, open));
}

function note() {
  const at = DATA.trajectories.indexOf(chosen);
  history.replaceState(null, "", `#trajectory=${at + 1}&turn=${place + 1}`);
}

// Shows turn `target` of the chosen trajectory, if there is one.
function step(target) {
  if (!chosen?.turns[target]) return;
  const focused = document.activeElement?.getAttribute("aria-label");
  place = target;
  drawChart();
  drawSteps();
  drawTurn(chosen, place);
  // The strip is new: keep the keyboard where it was.
  if (focused) [...byId("steps").querySelectorAll("button")].find((b) => b.getAttribute("aria-label") === focused)?.focus();
  note();
}

function choose(trajectory, turn = 0) {
  chosen = trajectory;
  markChosen(shown, chosen);
  drawSummary(chosen, choose);
  byId("steps").replaceChildren();
  byId("turn").replaceChildren();
  if (chosen.turns.length) step(Math.min(turn, chosen.turns.length - 1));
  else byId("turn").replaceChildren(el("p", { class: "note" }, "It has no turn."));
}

function filter() {
  shown = matching(form);
  limit = PAGE;
  drawList(shown, limit, choose);
  if (shown.length && !shown.includes(chosen)) choose(shown[0]);
  else markChosen(shown, chosen);
}

function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const trajectory = DATA.trajectories[Number(wanted.get("trajectory")) - 1];
  if (trajectory) choose(trajectory, Math.max(0, (Number(wanted.get("turn")) || 1) - 1));
  return Boolean(trajectory);
}

function about() {
  const read = DATA.sources.reduce((sum, source) => sum + source.trajectories, 0);
  const left = DATA.leftOut ? ` ${DATA.leftOut} of ${read} left out (--limit).` : "";
  const names = DATA.sources.map((source) => `${source.name} (sha256 ${source.digest.slice(0, 12)})`);
  byId("about").append(
    el("details", {}, el("summary", {}, `From ${count(DATA.sources.length, "file")}.${left}`), names.join(", ")),
  );
}

form.addEventListener("input", filter);
form.addEventListener("reset", () => setTimeout(filter));
form.addEventListener("submit", (event) => event.preventDefault());
byId("more").addEventListener("click", () => {
  limit += PAGE;
  drawList(shown, limit, choose);
  markChosen(shown, chosen);
});
window.addEventListener("hashchange", fromAddress);
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (typing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) {
    event.preventDefault();
    step(place + by);
  }
});

about();
fillFilters(form);
drawList(shown, limit, choose);
if (!fromAddress() && shown.length) choose(shown[0]);
