// One problem: two reasoners side by side, their votes, their solutions, and one of each with its text.

const STEP = "\x7f"; // between the steps of a text
const KEPT_CHUNKS = 12;
const SOLUTION_ROW = 30; // pixels

function withChunk(number, then) {
  if (chunks.has(number)) {
    then(chunks.get(number));
    return;
  }
  const first = !waiting.has(number);
  waiting.set(number, then);
  if (first)
    load(`chunk-${number}.js`, () => {
      waiting.delete(number);
      $("problem").replaceChildren(
        el("p", { class: "notice" }, `${FOLDER}chunk-${number}.js cannot be read.`),
      );
    });
}

window.rlvChunk = (number, problems) => {
  chunks.set(number, problems);
  while (chunks.size > KEPT_CHUNKS) chunks.delete(chunks.keys().next().value);
  const then = waiting.get(number);
  waiting.delete(number);
  if (then) then(problems);
};

function open(p, byHand) {
  chosen.problem = nameOf(p);
  keep();
  problemList.select(listed.indexOf(p));
  withChunk(index.problems.chunk[p], (problems) => {
    if (chosen.problem === nameOf(p)) show(p, problems[p]);
    if (byHand && matchMedia("(max-width: 60rem)").matches) $("problem").scrollIntoView();
  });
}

function show(p, problem) {
  const { id, level, subject } = index.problems;
  const about = [
    index.datasets[datasetOf(p)].name,
    level[p] === null ? null : `level ${level[p]}`,
    subject[p],
  ];
  const sides = el("div", { class: "sides" });
  $("problem").replaceChildren(
    el("h2", {}, el("bdi", {}, id[p])),
    el("p", { class: "small" }, el("bdi", {}, about.filter((x) => x !== null).join(", "))),
    text(el("div", { class: "text question" }), problem.q),
    el("p", {}, "Reference answer: ", text(el("b", { class: "text reference" }), problem.a, true)),
    sides,
  );
  for (const letter of ["a", "b"]) {
    if (letter === "b" && chosen.b === chosen.a && chosen.vb === chosen.va) continue;
    const run = runOf(chosen[letter], p);
    const found = run && problem.r[index.runs.indexOf(run)];
    if (found) sides.append(oneSide(letter, run, found, problem));
    else if (chosen[letter])
      sides.append(
        el(
          "section",
          { class: "side" },
          heading(letter),
          el("p", { class: "note" }, "No solutions to this problem."),
        ),
      );
  }
}

function heading(letter) {
  const by = chosen[`v${letter}`];
  return el(
    "h3",
    { class: `head-${letter}` },
    `${letter.toUpperCase()}: ${chosen[letter]}${by ? `, scores of ${by}` : ""}`,
  );
}

function oneSide(letter, run, found, problem) {
  const verifier = run.verifiers.indexOf(chosen[`v${letter}`]);
  const scores = verifier < 0 ? null : found.v[verifier];
  const votes = tally(found, scores);
  const only = el("select", { "aria-label": `${letter.toUpperCase()}: which solutions` });
  const by = el("select", { "aria-label": `${letter.toUpperCase()}: order of solutions` });
  fill(only, Object.entries(ONLY));
  fill(by, Object.entries(BY));
  only.value = chosen.only;
  by.value = chosen.by;
  const count = el("p", { class: "small" });
  const box = el("div", {
    class: "list solutions",
    id: `solutions-${letter}`,
    role: "listbox",
    tabindex: "0",
    "aria-label": `Solutions of ${chosen[letter]}`,
  });
  const opened = el("div", {});
  let order = [];
  const rows = windowed(
    box,
    SOLUTION_ROW,
    (row, place) => drawSolution(row, found, problem, order[place], scores),
    choose,
  );
  function choose(place) {
    rows.select(place);
    opened.replaceChildren(solution(run, found, problem, order[place]));
  }
  function again() {
    chosen.only = only.value;
    chosen.by = by.value;
    keep();
    order = ordered(found, scores, votes);
    count.textContent = `${order.length} of ${found.s.length} solutions`;
    box.style.height = `${Math.min(8, Math.max(1, order.length)) * SOLUTION_ROW + 2}px`;
    box.scrollTop = 0;
    rows.show(order.length, -1);
    if (order.length) choose(0);
    else opened.replaceChildren();
  }
  only.onchange = by.onchange = again;
  const made = el(
    "section",
    { class: "side" },
    heading(letter),
    voteTable(votes, problem, scores),
    el("div", { class: "choices" }, el("label", {}, "Show", only), el("label", {}, "Sort", by)),
    count,
    box,
    opened,
  );
  // When the list stands in the page its height is known.
  requestAnimationFrame(again);
  return made;
}

// By class: its answer, votes, sum of scores, and how many of them are right.
function tally(found, scores) {
  const classes = new Map();
  found.c.forEach((one, i) => {
    if (one < 0) return;
    const entry = classes.get(one) || { answer: found.w[i], votes: 0, sum: 0, right: 0 };
    entry.votes += 1;
    entry.sum += scores ? scores[i] : 0;
    entry.right += found.k[i] === "1" ? 1 : 0;
    classes.set(one, entry);
  });
  return classes;
}

function voteTable(votes, problem, scores) {
  const most = scores ? "sum" : "votes";
  const rows = [...votes.values()].sort((x, y) => y[most] - x[most]);
  const body = el("tbody", {});
  for (const one of rows.slice(0, 6)) {
    const mark = one.right ? el("span", { class: "right" }, "✓ ") : el("span", { class: "wrong" }, "✗ ");
    const answer =
      one.answer < 0 ? el("span", {}) : text(el("span", { class: "text" }), problem.w[one.answer], true);
    body.append(
      el(
        "tr",
        {},
        el("td", {}, mark, answer),
        el("td", {}, String(one.votes)),
        scores ? el("td", {}, one.sum.toFixed(2)) : null,
      ),
    );
  }
  const more = rows.length > 6 ? el("p", { class: "small" }, `and ${rows.length - 6} more answers`) : null;
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, "Answer"),
    el("th", { scope: "col" }, "Votes"),
    scores ? el("th", { scope: "col" }, "Sum of scores") : null,
  );
  return el("div", {}, el("table", { class: "votes" }, el("thead", {}, head), body), more);
}

function ordered(found, scores, votes) {
  const kind = (i) => (found.k[i] === "1" ? "right" : found.c[i] < 0 ? "silent" : "wrong");
  const order = [...found.s.keys()].filter((i) => chosen.only === "all" || kind(i) === chosen.only);
  const score = (i) => (scores ? scores[i] : 0);
  const size = (i) => (found.c[i] < 0 ? Infinity : votes.get(found.c[i]).votes);
  const keys = {
    score: (i) => -score(i),
    low: score,
    error: (i) => (kind(i) === "right" ? 2 : -score(i)),
    few: size,
    sample: () => 0,
    long: (i) => -found.n[i],
    short: (i) => found.n[i],
  };
  const key = keys[chosen.by];
  return order.sort((x, y) => (key(x) < key(y) ? -1 : key(x) > key(y) ? 1 : x - y));
}

function drawSolution(row, found, problem, i, scores) {
  row.classList.add("solution");
  const [mark, kind] =
    found.k[i] === "1" ? ["✓", "right"] : found.c[i] < 0 ? ["–", "silent"] : ["✗", "wrong"];
  row.append(
    el("span", { class: kind, title: kind === "silent" ? "no answer" : kind }, mark),
    el("bdi", { class: "answer" }, found.w[i] < 0 ? "no answer" : problem.w[found.w[i]]),
    el("span", { class: "tally", title: "score" }, scores ? short(scores[i]) : ""),
    found.n[i] === null ? "" : el("span", { class: "tally silent", title: "tokens" }, `${found.n[i]} tok.`),
  );
}

const ENDS = { s: "ended by itself", l: "ran into its budget", f: "answer forced at its budget" };

function solution(run, found, problem, i) {
  const parts = problem.t[found.t[i]].split(STEP);
  const body =
    parts.length > 1
      ? el(
          "ol",
          { class: "steps" },
          ...parts.map((part) => el("li", {}, text(el("span", { class: "text" }), part.trim()))),
        )
      : text(el("p", { class: "text" }), parts[0]);
  // Files of others may say neither how long a solution is nor how it ended.
  const tokens = found.n[i] === null ? "" : `, ${found.n[i]} tokens`;
  const about = `sample ${found.s[i]}${tokens}${ENDS[found.f[i]] ? `, ${ENDS[found.f[i]]}` : ""}`;
  const answer = found.w[i] < 0 ? "none" : problem.w[found.w[i]];
  const scores = run.verifiers.map((name, v) => `${name} ${short(found.v[v][i])}`).join(", ");
  return el(
    "div",
    { class: "solution-text" },
    el("p", { class: "small" }, about),
    el(
      "p",
      {},
      "Answer: ",
      text(el("b", { class: "text" }), answer, true),
      " ",
      el("span", { class: found.k[i] === "1" ? "right" : "wrong" }, found.k[i] === "1" ? "right" : "wrong"),
    ),
    scores ? el("p", { class: "small scores" }, `Scores: ${scores}`) : null,
    elsewhere(run, found.s[i], problem),
    body,
  );
}

// The same solution at other length budgets: a score for each, as the text grows.
function elsewhere(run, sample, problem) {
  if (run.budget === null) return null;
  const said = [];
  index.runs.forEach((other, number) => {
    const found = problem.r[number];
    if (!found || other.budget === null || other.reasoner !== run.reasoner || other.dataset !== run.dataset)
      return;
    const at = found.s.indexOf(sample);
    if (at < 0) return;
    const scores = other.verifiers.map((name, v) => `${name} ${short(found.v[v][at])}`).join(", ");
    said.push(
      `${other.budget} tokens: ${found.k[at] === "1" ? "right" : "wrong"}${scores ? `, ${scores}` : ""}`,
    );
  });
  return said.length > 1 ? el("p", { class: "small" }, `At other budgets: ${said.join("; ")}`) : null;
}
