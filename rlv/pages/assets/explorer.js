// The list of problems: the index, what is chosen, and the address that keeps it.

const ROW = 72; // pixels

let index = null;
let datasetOf = null; // problem -> its data set's number
const runsOf = new Map(); // label -> runs, by number of data set
let words = []; // problem -> the text that is searched
let listed = []; // problems in the list, in its order
const chunks = new Map(); // number -> problems, oldest first
const waiting = new Map(); // chunk's number -> what to do when it is there
const DEFAULTS = {
  search: "",
  dataset: "",
  a: "",
  va: "",
  b: "",
  vb: "",
  show: "all",
  sort: "order",
  problem: "",
  only: "all",
  by: "score",
};
const chosen = { ...DEFAULTS };
let problemList = null;

const SHOW = {
  all: "all problems",
  "b-alone": "only B's vote is right",
  "a-alone": "only A's vote is right",
  "a-wrong": "A's majority is wrong",
  "b-wrong": "B's majority is wrong",
  "a-lost": "A's majority is wrong, though a solution is right",
  "b-lost": "B's majority is wrong, though a solution is right",
  none: "no solution of A or B is right",
};
const SORT = {
  order: "as in the data set",
  "a-error": "A's most confident errors first",
  "b-error": "B's most confident errors first",
  "a-few": "A: right by the fewest solutions first",
  "b-few": "B: right by the fewest solutions first",
  id: "by id",
};
const ONLY = { all: "all", right: "right", wrong: "wrong", silent: "without an answer" };
const BY = {
  score: "highest score first",
  low: "lowest score first",
  error: "most confident errors first",
  few: "answers of few votes first",
  sample: "as sampled",
  long: "longest first",
  short: "shortest first",
};

function runOf(label, problem) {
  const runs = runsOf.get(label);
  return (runs && runs[datasetOf(problem)]) || null;
}

// The numbers of a side's reasoner for one problem; null if it has none there.
function side(letter, problem) {
  const run = runOf(chosen[letter], problem);
  if (!run) return null;
  const at = problem - index.datasets[run.dataset].first;
  if (run.right[at] === null) return null;
  const verifier = run.verifiers.indexOf(chosen[`v${letter}`]);
  return {
    run,
    verifier,
    right: run.right[at],
    silent: run.silent[at],
    majority: run.majority[at],
    vote: verifier < 0 ? run.majority[at] : run.weighted[verifier][at],
    error: verifier < 0 ? null : run.error[verifier][at],
  };
}

const TESTS = {
  all: () => true,
  "b-alone": (a, b) => a && b && b.vote > 0.5 && a.vote < 0.5,
  "a-alone": (a, b) => a && b && a.vote > 0.5 && b.vote < 0.5,
  "a-wrong": (a) => a && a.majority < 0.5,
  "b-wrong": (a, b) => b && b.majority < 0.5,
  "a-lost": (a) => a && a.majority < 0.5 && a.right > 0,
  "b-lost": (a, b) => b && b.majority < 0.5 && b.right > 0,
  none: (a, b) => (a || b) && !(a && a.right) && !(b && b.right),
};
const few = (one) => (one && one.right > 0 ? one.right / one.run.size : 2);
const confident = (one) => (one && one.error !== null ? -one.error : 2);
const ORDERS = {
  "a-error": (a) => confident(a),
  "b-error": (a, b) => confident(b),
  "a-few": (a) => few(a),
  "b-few": (a, b) => few(b),
};

function list() {
  const wanted = chosen.search.toLowerCase().split(/\s+/).filter(Boolean);
  const { id } = index.problems;
  const key = ORDERS[chosen.sort];
  const found = [];
  index.datasets.forEach((dataset) => {
    if (chosen.dataset && dataset.name !== chosen.dataset) return;
    for (let p = dataset.first; p < dataset.first + dataset.problems; p++) {
      if (!wanted.every((word) => words[p].includes(word))) continue;
      const a = side("a", p),
        b = side("b", p);
      if (TESTS[chosen.show](a, b)) found.push([p, key ? key(a, b) : 0]);
    }
  });
  if (chosen.sort === "id")
    found.sort((x, y) => (id[x[0]] < id[y[0]] ? -1 : id[x[0]] > id[y[0]] ? 1 : x[0] - y[0]));
  else if (key) found.sort((x, y) => x[1] - y[1] || x[0] - y[0]);
  listed = found.map(([p]) => p);
  const all = index.problems.id.length;
  $("count").textContent = `${listed.length.toLocaleString("en")} of ${all.toLocaleString("en")} problems`;
  $("problems").scrollTop = 0;
  problemList.show(listed.length, listed.indexOf(numberOf(chosen.problem)));
}

const nameOf = (p) => `${index.datasets[datasetOf(p)].name}/${index.problems.id[p]}`;

function numberOf(name) {
  const dataset = index.datasets.find((one) => name.startsWith(`${one.name}/`));
  if (!dataset) return -1;
  const at = index.problems.id.indexOf(name.slice(dataset.name.length + 1), dataset.first);
  return at >= 0 && at < dataset.first + dataset.problems ? at : -1;
}

function rate(letter, one) {
  if (!one) return el("span", { class: "silent" }, `${letter.toUpperCase()} –`);
  const verdict = one.vote > 0.5 ? "right" : one.vote < 0.5 ? "wrong" : "silent";
  const sign = { right: "✓", wrong: "✗", silent: "=" }[verdict];
  const error = one.error === null ? "" : `, error ${short(one.error)}`;
  return el(
    "span",
    {},
    el("span", { class: `head-${letter}` }, letter.toUpperCase()),
    ` ${one.right}/${one.run.size} `,
    el(
      "span",
      {
        class: verdict,
        title: `the vote is ${{ right: "right", wrong: "wrong", silent: "a tie" }[verdict]}`,
      },
      sign,
    ),
    error,
  );
}

function drawProblem(row, place) {
  const p = listed[place];
  row.append(
    el("div", { class: "id" }, el("bdi", {}, index.problems.id[p])),
    el("div", { class: "head" }, el("bdi", {}, index.problems.head[p])),
    el("div", { class: "rates" }, rate("a", side("a", p)), rate("b", side("b", p))),
  );
}

const short = (value) =>
  value === 0 || value >= 0.001 ? String(+value.toPrecision(3)) : value.toExponential(1);

// ---- controls and the address

function keep() {
  const said = new URLSearchParams();
  for (const [key, value] of Object.entries(chosen)) if (value !== DEFAULTS[key]) said.set(key, value);
  try {
    history.replaceState(null, "", `#${said}`);
  } catch {
    /* a page may be shown where that is not allowed */
  }
}

function verifiersOf(label) {
  const found = new Set();
  index.runs.forEach((run) => {
    if (run.label === label) run.verifiers.forEach((name) => found.add(name));
  });
  return [["", "none: majority voting"], ...[...found].map((name) => [name, name])];
}

function choices() {
  fill($("dataset"), [["", "all"], ...index.datasets.map((one) => [one.name, one.name])]);
  const labels = [...new Set(index.runs.map((run) => run.label))].map((label) => [label, label]);
  fill($("a"), labels);
  fill($("b"), [["", "nobody"], ...labels]);
  fill($("show"), Object.entries(SHOW));
  fill($("sort"), Object.entries(SORT));
  const compared = index.comparisons.find(
    (one) => labels.some(([x]) => x === one.base) && labels.some(([x]) => x === one.rl_v),
  );
  DEFAULTS.a = compared ? compared.base : labels.length ? labels[0][0] : "";
  DEFAULTS.b = compared ? compared.rl_v : labels.length > 1 ? labels[1][0] : "";
  DEFAULTS.vb = compared ? compared.verifier : "";
  // Without a comparison what is asked is where a verifier errs.
  const scored = index.runs.find((run) => run.label === DEFAULTS.a && run.verifiers.length);
  if (!compared && scored) {
    DEFAULTS.va = DEFAULTS.vb = scored.verifiers[0];
    DEFAULTS.sort = "a-error";
  }
}

// A value that no control has is its default: the address may hold anything.
function setControls(wanted) {
  for (const key of ["dataset", "a", "b", "show", "sort"]) set(key, wanted.get(key));
  for (const letter of ["a", "b"]) {
    fill($(`v${letter}`), verifiersOf(chosen[letter]));
    set(`v${letter}`, wanted.get(`v${letter}`));
  }
  chosen.search = $("search").value = wanted.get("search") ?? "";
  chosen.only = wanted.get("only") in ONLY ? wanted.get("only") : DEFAULTS.only;
  chosen.by = wanted.get("by") in BY ? wanted.get("by") : DEFAULTS.by;
  chosen.problem = wanted.get("problem") ?? "";
}

function set(key, value) {
  const known = [...$(key).options].map((option) => option.value);
  const wanted = [value, DEFAULTS[key]].find((one) => one !== null && known.includes(one));
  chosen[key] = $(key).value = wanted ?? known[0] ?? "";
}

function changed(event) {
  const key = event.target.id;
  chosen[key] = event.target.value;
  if (key === "a" || key === "b") {
    fill($(`v${key}`), verifiersOf(chosen[key]));
    set(`v${key}`, chosen[`v${key}`]);
  }
  keep();
  list();
  const p = numberOf(chosen.problem);
  if (p >= 0 && key !== "search") open(p);
}

function start() {
  setControls(new URLSearchParams(location.hash.slice(1)));
  list();
  const p = numberOf(chosen.problem);
  if (p >= 0) open(p);
}

window.rlvIndex = (whole) => {
  index = whole;
  const firsts = index.datasets.map((one) => one.first);
  datasetOf = (p) => {
    let d = firsts.length - 1;
    while (d > 0 && firsts[d] > p) d--;
    return d;
  };
  const said = `${index.solutions.toLocaleString("en")} solutions to ${index.problems.id.length.toLocaleString("en")} problems`;
  $("status").textContent = said;
  if (index.lacking.length) {
    $("lacking").hidden = false;
    $("lacking").firstElementChild.textContent = `${index.lacking.length} tables are missing`;
    $("lacking").lastElementChild.replaceChildren(...index.lacking.map((line) => el("li", {}, line)));
  }
  for (const run of index.runs) {
    if (!runsOf.has(run.label)) runsOf.set(run.label, []);
    runsOf.get(run.label)[run.dataset] = run;
  }
  const { id, head, subject } = index.problems;
  words = id.map((name, p) => `${name} ${head[p]} ${subject[p] ?? ""}`.toLowerCase());
  document.querySelector("main").hidden = false;
  problemList = windowed($("problems"), ROW, drawProblem, (place) => open(listed[place], true));
  choices();
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("controls").addEventListener("change", changed);
  $("search").addEventListener("input", changed);
  window.addEventListener("hashchange", start);
  window.addEventListener("resize", () => problemList.select(listed.indexOf(numberOf(chosen.problem))));
  start();
};

load("index.js", () => {
  $("status").textContent = `${FOLDER}index.js cannot be read.`;
});
