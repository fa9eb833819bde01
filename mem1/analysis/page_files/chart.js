// Tokens over turns: bars of what the model read and wrote, a line of the full history.
const CHART = { width: 500, height: 190, left: 46, right: 12, top: 12, bottom: 30 };

// Round steps that give at most five lines up to `largest`.
function ticks(largest) {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(largest, 1)));
  const steps = [0.1, 0.2, 0.5, 1, 2, 5].map((factor) => Math.ceil(factor * magnitude));
  const step = steps.find((each) => largest / each <= 5);
  return Array.from({ length: Math.floor(largest / step) + 1 }, (_, i) => i * step);
}

function chart(trajectory, current, choose) {
  const { width, height, left, right, top, bottom } = CHART;
  const turns = trajectory.turns;
  const sizes = turns.map((turn) => turn.tokens);
  const largest = Math.max(1, ...sizes.map((s) => Math.max(s.full, s.context + s.output)));
  const slot = (width - left - right) / Math.max(turns.length, 1);
  const x = (place) => left + slot * place;
  const y = (tokens) => height - bottom - ((height - top - bottom) * tokens) / largest;
  const every = Math.ceil(turns.length / 20);
  const bar = Math.min(slot * 0.7, 46);
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": `Tokens of each turn: at most ${peak(trajectory)} here, ${Math.max(
      ...sizes.map((s) => s.full),
    )} with the full history. The table below has the numbers.`,
  });
  for (const tick of ticks(largest)) {
    drawing.append(
      svg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, tick.toLocaleString("en")),
    );
  }
  sizes.forEach((size, place) => {
    const middle = x(place) + slot / 2;
    const prompt = Math.min(trajectory.promptTokens, size.context);
    const stack = [
      ["prompt", 0, prompt],
      ["kept", prompt, size.context],
      ["output", size.context, size.context + size.output],
    ];
    const group = svg("g", { class: place === current ? "bar now" : "bar", onclick: () => choose(place) });
    group.append(
      svg("rect", { class: "hit", x: x(place), y: top, width: slot, height: height - top - bottom }),
    );
    for (const [kind, from, to] of stack) {
      group.append(
        svg("rect", { class: kind, x: middle - bar / 2, y: y(to), width: bar, height: y(from) - y(to) }),
      );
    }
    if (place % every === 0 || place === current) {
      group.append(svg("text", { x: middle, y: height - bottom + 15, "text-anchor": "middle" }, String(place + 1)));
    }
    drawing.append(group);
  });
  const points = sizes.map((size, place) => `${x(place) + slot / 2},${y(size.full)}`);
  drawing.append(svg("polyline", { class: "full", points: points.join(" ") }));
  sizes.forEach((size, place) => {
    drawing.append(svg("circle", { class: "full", cx: x(place) + slot / 2, cy: y(size.full), r: 2.5 }));
  });
  drawing.append(svg("text", { x: width - right, y: height - 2, "text-anchor": "end" }, "turn"));
  return drawing;
}

function legend(trajectory) {
  const same = trajectory.turns.every((t) => t.tokens.full === t.tokens.context + t.tokens.output);
  const swatch = (kind, words) =>
    el("span", { class: "swatch" }, el("i", { class: kind, "aria-hidden": "true" }), words);
  return el(
    "p",
    { class: "legend" },
    el("strong", {}, "Tokens by turn"),
    swatch("prompt", "task prompt"),
    swatch("kept", "kept from earlier turns"),
    swatch("output", "output"),
    swatch("full", same ? "full history: the same" : "full history, computed from the same outputs and infos"),
  );
}

function sizeTable(trajectory, open) {
  const head = ["Turn", "Action", "Context", "Output", "Info", "Full history", "Seconds"];
  const rows = trajectory.turns.map((turn, place) => {
    const s = turn.tokens;
    const cells = [place + 1, turn.action, s.context, s.output, s.info, s.full, number(turn.seconds)];
    return el("tr", {}, cells.map((cell) => el("td", {}, String(cell))));
  });
  return el(
    "details",
    { open },
    el("summary", {}, "The numbers"),
    el(
      "table",
      { class: "numbers" },
      el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows),
    ),
  );
}
