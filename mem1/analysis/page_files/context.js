// What the model saw at a turn, and what of it was dropped since the turn before.

// Runs of whole turns as single pieces: {kind, turn, tokens, key}.
function expanded(runs, trajectory) {
  const pieces = [];
  const add = (kind, turn, tokens) => pieces.push({ kind, turn, tokens, key: `${kind} ${turn}` });
  for (const [kind, first, last, size] of runs) {
    for (let turn = first; turn <= last; turn += 1) {
      const tokens = trajectory.turns[turn].tokens;
      if (kind === "prompt") add("prompt", 0, trajectory.promptTokens);
      if (kind === "other") add("other", turn, size);
      if (kind === "output" || kind === "turns") add("output", turn, tokens.output);
      if (kind === "info" || kind === "turns") add("info", turn, tokens.info);
    }
  }
  return pieces;
}

const total = (pieces) => pieces.reduce((sum, piece) => sum + piece.tokens, 0);

function pieceName(piece) {
  return {
    prompt: "Task prompt",
    output: `Output of turn ${piece.turn + 1}`,
    info: `Info of turn ${piece.turn + 1}`,
    other: "Neither prompt nor an earlier turn",
  }[piece.kind];
}

function pieceText(piece, trajectory) {
  const turn = trajectory.turns[piece.turn];
  return {
    prompt: trajectory.prompt,
    output: turn.parts.join(""),
    info: turn.info,
    other: turn.other ?? null,
  }[piece.kind];
}

function drawPiece(piece, trajectory, open, fresh) {
  const text = pieceText(piece, trajectory);
  return el(
    "details",
    { class: `piece ${piece.kind}`, open },
    el(
      "summary",
      {},
      el("span", { class: "name" }, pieceName(piece)),
      fresh ? el("span", { class: "badge" }, "new") : null,
      el("span", { class: "size" }, count(piece.tokens, "token")),
    ),
    text === null
      ? el("p", { class: "note" }, "Its text is not known: make the page with --tokenizer.")
      : quote(text),
  );
}

// Pieces in their order; many in a row that the turn before saw too are folded into one.
function drawPieces(pieces, known, trajectory, place) {
  const drawn = [];
  let old = [];
  const flush = () => {
    const items = old.map((piece) => drawPiece(piece, trajectory, false, false));
    if (items.length > 3) {
      const name = el("span", { class: "name" }, `${items.length} outputs and infos, seen before`);
      const size = el("span", { class: "size" }, count(total(old), "token"));
      drawn.push(el("details", { class: "piece info" }, el("summary", {}, name, size), items));
    } else drawn.push(...items);
    old = [];
  };
  for (const piece of pieces) {
    const fresh = !known.has(piece.key);
    if (!fresh && piece.kind !== "prompt") old.push(piece);
    else {
      flush();
      drawn.push(drawPiece(piece, trajectory, fresh, fresh && place > 0));
    }
  }
  flush();
  return drawn;
}

function drawContext(trajectory, place) {
  const turn = trajectory.turns[place];
  const pieces = expanded(turn.context, trajectory);
  const before = place ? expanded(trajectory.turns[place - 1].context, trajectory) : [];
  const known = new Set(before.map((piece) => piece.key));
  const dropped = expanded(turn.dropped, trajectory);
  const outOfSight = turn.tokens.full - turn.tokens.context - turn.tokens.output;
  const parts = [
    el("h3", {}, "What the model saw", el("span", { class: "size" }, count(turn.tokens.context, "token"))),
    ...drawPieces(pieces, known, trajectory, place),
  ];
  if (place) {
    parts.push(
      el("h3", {}, `Dropped since turn ${place}`, el("span", { class: "size" }, count(total(dropped), "token"))),
      dropped.length
        ? el("div", { class: "dropped" }, dropped.map((piece) => drawPiece(piece, trajectory, false, false)))
        : el("p", { class: "note" }, "Nothing."),
    );
  }
  if (outOfSight > 0) {
    parts.push(el("p", { class: "note" }, `${count(outOfSight, "token")} less than with the full history.`));
  }
  return parts;
}
