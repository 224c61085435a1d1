"use strict";
// The explorer of solutions. Data come as calls of rlvIndex and rlvChunk from scripts (rlv/pages/explorer.py);
// texts from outside only ever become text nodes, or MathML that Temml makes node by node (escaping.py).
(() => {
  const FOLDER = "solutions/";
  const STEP = "\x7f"; // between the steps of a text
  const KEPT_CHUNKS = 12;
  const ROW = 72, SOLUTION_ROW = 30; // heights in pixels, as rows are windowed
  const $ = (id) => document.getElementById(id);

  // ---- elements

  function el(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "class") made.className = value;
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  function fill(select, options) {
    select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
  }

  function load(file, failed) {
    const script = document.createElement("script");
    script.src = FOLDER + file;
    script.onload = () => script.remove();
    script.onerror = () => { script.remove(); failed(); };
    document.head.append(script);
  }

  // A list of which only the rows in sight are elements. `draw(row, place)` fills a row.
  function windowed(box, height, draw, choose) {
    const sizer = el("div", { class: "sizer", role: "presentation" });
    box.replaceChildren(sizer);
    let count = 0, chosen = -1, asked = false;
    function paint() {
      asked = false;
      const first = Math.max(0, Math.floor(box.scrollTop / height) - 8);
      const last = Math.min(count, Math.ceil((box.scrollTop + box.clientHeight) / height) + 8);
      const rows = [];
      for (let place = first; place < last; place++) {
        const row = el("div", {
          class: "row", role: "option", id: `${box.id}-${place}`, "aria-selected": place === chosen,
          "aria-setsize": count, "aria-posinset": place + 1,
        });
        row.style.top = `${place * height}px`;
        row.style.height = `${height}px`;
        draw(row, place);
        row.addEventListener("click", () => choose(place));
        rows.push(row);
      }
      sizer.replaceChildren(...rows);
      box.setAttribute("aria-activedescendant", chosen >= first && chosen < last ? `${box.id}-${chosen}` : "");
    }
    box.onscroll = () => { if (!asked) { asked = true; requestAnimationFrame(paint); } };
    box.onkeydown = (event) => {
      const page = Math.max(1, Math.floor(box.clientHeight / height) - 1);
      const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count };
      if (!(event.key in moves) || !count) return;
      event.preventDefault();
      choose(Math.min(count - 1, Math.max(0, chosen + moves[event.key])));
    };
    return {
      show(size, place) {
        count = size; chosen = place;
        sizer.style.height = `${count * height}px`;
        paint();
      },
      select(place) {
        chosen = place;
        const top = place * height;
        if (place >= 0 && (top < box.scrollTop || top + height > box.scrollTop + box.clientHeight)) {
          box.scrollTop = Math.max(0, top - box.clientHeight / 3);
        }
        paint();
      },
    };
  }

  // ---- LaTeX

  const MATH = new RegExp(
    [
      String.raw`\\[\\$]`, // a line's end and a real dollar: no math begins here
      String.raw`\$\$([^]{1,4000}?)\$\$`,
      String.raw`\\\[([^]{1,4000}?)\\\]`,
      String.raw`\\\(([^]{1,2000}?)\\\)`,
      String.raw`(\\begin\{(align|alignat|equation|gather|multline|aligned|cases|array|[pbvBV]?matrix)(\*?)\}[^]{1,4000}?\\end\{\5\6\})`,
      String.raw`\$((?![\s$])(?:\\[^]|[^\\$\n]){0,2000}?(?:\\[^]|[^\\$\s]))\$(?!\d)`,
    ].join("|"),
    "g"
  );
  const MOST = { characters: 40000, formulas: 300 };
  let temml = null; // a promise once it is needed

  function withTemml() {
    temml = temml || new Promise((done) => {
      const script = document.createElement("script");
      script.src = FOLDER + "temml.min.js";
      script.onload = () => done(window.temml);
      script.onerror = () => done(null);
      document.head.append(script);
    });
    return temml;
  }

  // One formula as MathML, or null if it is no LaTeX. Temml is not trusted with links, classes and images.
  function formula(library, source, display) {
    const place = document.createElement("span");
    try {
      const how = { displayMode: display, throwOnError: true, trust: false, maxExpand: 200, maxSize: [10, 50] };
      library.render(source, place, how);
    } catch { return null; }
    return place.firstChild;
  }

  // A text, at first as it is; its formulas follow when Temml is there. `whole`: it may be one formula itself.
  function text(target, value, whole) {
    target.textContent = value;
    const bare = whole && /[\\^_]/.test(value) && !value.includes("$");
    if (value.length > MOST.characters || !(bare || /\$|\\[[(b]/.test(value))) return target;
    withTemml().then((library) => {
      if (!library || target.textContent !== value) return;
      if (bare) {
        const made = formula(library, value, false);
        if (made) { target.replaceChildren(made); return; }
      }
      const parts = [];
      let at = 0, formulas = 0;
      for (const match of value.matchAll(MATH)) {
        const display = match[1] ?? match[2] ?? match[4];
        const source = display ?? match[3] ?? match[7];
        const made = source !== undefined && ++formulas <= MOST.formulas
          ? formula(library, source, display !== undefined) : null;
        if (made) {
          parts.push(value.slice(at, match.index), made);
          at = match.index + match[0].length;
        }
      }
      if (parts.length) target.replaceChildren(...parts, value.slice(at));
    });
    return target;
  }

  // ---- the index, and what is chosen

  let index = null;
  let datasetOf = null; // problem -> its data set's number
  let listed = []; // problems in the list, in its order
  const chunks = new Map(); // number -> problems, oldest first
  const waiting = new Map(); // chunk's number -> what to do when it is there
  const DEFAULTS = {
    search: "", dataset: "", a: "", va: "", b: "", vb: "", show: "all", sort: "order", problem: "",
    only: "all", by: "score",
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
    score: "highest score first", low: "lowest score first", error: "most confident errors first",
    few: "answers of few votes first", sample: "as sampled", long: "longest first", short: "shortest first",
  };

  function runOf(label, problem) {
    const dataset = datasetOf(problem);
    return index.runs.find((run) => run.label === label && run.dataset === dataset) || null;
  }

  // The numbers of a side's reasoner for one problem; null if it has none there.
  function side(letter, problem) {
    const run = runOf(chosen[letter], problem);
    if (!run) return null;
    const at = problem - index.datasets[run.dataset].first;
    if (run.right[at] === null) return null;
    const verifier = run.verifiers.indexOf(chosen[`v${letter}`]);
    return {
      run, verifier, right: run.right[at], silent: run.silent[at], majority: run.majority[at],
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
    "a-error": (a) => confident(a), "b-error": (a, b) => confident(b),
    "a-few": (a) => few(a), "b-few": (a, b) => few(b),
  };

  function list() {
    const words = chosen.search.toLowerCase().split(/\s+/).filter(Boolean);
    const { id, head, subject } = index.problems;
    const key = ORDERS[chosen.sort];
    const found = [];
    index.datasets.forEach((dataset) => {
      if (chosen.dataset && dataset.name !== chosen.dataset) return;
      for (let p = dataset.first; p < dataset.first + dataset.problems; p++) {
        const said = `${id[p]} ${head[p]} ${subject[p] ?? ""}`.toLowerCase();
        if (!words.every((word) => said.includes(word))) continue;
        const a = side("a", p), b = side("b", p);
        if (TESTS[chosen.show](a, b)) found.push([p, key ? key(a, b) : 0]);
      }
    });
    if (chosen.sort === "id") found.sort((x, y) => (id[x[0]] < id[y[0]] ? -1 : id[x[0]] > id[y[0]] ? 1 : x[0] - y[0]));
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
    return el("span", {}, el("span", { class: `head-${letter}` }, letter.toUpperCase()), ` ${one.right}/${one.run.size} `,
      el("span", { class: verdict, title: `the vote is ${{ right: "right", wrong: "wrong", silent: "a tie" }[verdict]}` }, sign),
      error);
  }

  function drawProblem(row, place) {
    const p = listed[place];
    row.append(
      el("div", { class: "id" }, el("bdi", {}, index.problems.id[p])),
      el("div", { class: "head" }, el("bdi", {}, index.problems.head[p])),
      el("div", { class: "rates" }, rate("a", side("a", p)), rate("b", side("b", p)))
    );
  }

  const short = (value) => (value === 0 || value >= 0.001 ? String(+value.toPrecision(3)) : value.toExponential(1));

  // ---- one problem

  function withChunk(number, then) {
    if (chunks.has(number)) { then(chunks.get(number)); return; }
    const first = !waiting.has(number);
    waiting.set(number, then);
    if (first) load(`chunk-${number}.js`, () => {
      waiting.delete(number);
      $("problem").replaceChildren(el("p", { class: "notice" }, `${FOLDER}chunk-${number}.js cannot be read.`));
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
    const about = [index.datasets[datasetOf(p)].name, level[p] === null ? null : `level ${level[p]}`, subject[p]];
    const sides = el("div", { class: "sides" });
    $("problem").replaceChildren(
      el("h2", {}, el("bdi", {}, id[p])),
      el("p", { class: "small" }, el("bdi", {}, about.filter((x) => x !== null).join(", "))),
      text(el("div", { class: "text question" }), problem.q),
      el("p", {}, "Reference answer: ", text(el("b", { class: "text reference" }), problem.a, true)),
      sides
    );
    for (const letter of ["a", "b"]) {
      if (letter === "b" && chosen.b === chosen.a && chosen.vb === chosen.va) continue;
      const run = runOf(chosen[letter], p);
      const found = run && problem.r[index.runs.indexOf(run)];
      if (found) sides.append(oneSide(letter, run, found, problem));
      else if (chosen[letter]) sides.append(el("section", { class: "side" }, heading(letter), el("p", { class: "note" }, "No solutions to this problem.")));
    }
  }

  function heading(letter) {
    const by = chosen[`v${letter}`];
    return el("h3", { class: `head-${letter}` }, `${letter.toUpperCase()}: ${chosen[letter]}${by ? `, scores of ${by}` : ""}`);
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
    const box = el("div", { class: "list solutions", id: `solutions-${letter}`, role: "listbox", tabindex: "0", "aria-label": `Solutions of ${chosen[letter]}` });
    const opened = el("div", {});
    let order = [];
    const rows = windowed(box, SOLUTION_ROW, (row, place) => drawSolution(row, found, problem, order[place], scores), choose);
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
      box.scrollTop = 0;
      rows.show(order.length, -1);
      if (order.length) choose(0); else opened.replaceChildren();
    }
    only.onchange = by.onchange = again;
    const made = el("section", { class: "side" }, heading(letter), voteTable(votes, problem, scores),
      el("div", { class: "choices" }, el("label", {}, "Show", only), el("label", {}, "Sort", by)), count, box, opened);
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
      const answer = one.answer < 0 ? el("span", {}) : text(el("span", { class: "text" }), problem.w[one.answer], true);
      body.append(el("tr", {}, el("td", {}, mark, answer), el("td", {}, String(one.votes)), scores ? el("td", {}, one.sum.toFixed(2)) : null));
    }
    const more = rows.length > 6 ? el("p", { class: "small" }, `and ${rows.length - 6} more answers`) : null;
    const head = el("tr", {}, el("th", { scope: "col" }, "Answer"), el("th", { scope: "col" }, "Votes"), scores ? el("th", { scope: "col" }, "Sum of scores") : null);
    return el("div", {}, el("table", { class: "votes" }, el("thead", {}, head), body), more);
  }

  function ordered(found, scores, votes) {
    const kind = (i) => (found.k[i] === "1" ? "right" : found.c[i] < 0 ? "silent" : "wrong");
    const order = [...found.s.keys()].filter((i) => chosen.only === "all" || kind(i) === chosen.only);
    const score = (i) => (scores ? scores[i] : 0);
    const size = (i) => (found.c[i] < 0 ? Infinity : votes.get(found.c[i]).votes);
    const keys = {
      score: (i) => -score(i), low: score, error: (i) => (kind(i) === "right" ? 2 : -score(i)), few: size,
      sample: () => 0, long: (i) => -found.n[i], short: (i) => found.n[i],
    };
    const key = keys[chosen.by];
    return order.sort((x, y) => (key(x) < key(y) ? -1 : key(x) > key(y) ? 1 : x - y));
  }

  function drawSolution(row, found, problem, i, scores) {
    row.classList.add("solution");
    const [mark, kind] = found.k[i] === "1" ? ["✓", "right"] : found.c[i] < 0 ? ["–", "silent"] : ["✗", "wrong"];
    row.append(
      el("span", { class: kind, title: kind === "silent" ? "no answer" : kind }, mark),
      el("bdi", { class: "answer" }, found.w[i] < 0 ? "no answer" : problem.w[found.w[i]]),
      el("span", { class: "tally", title: "score" }, scores ? short(scores[i]) : ""),
      el("span", { class: "tally silent", title: "tokens" }, `${found.n[i]} tok.`)
    );
  }

  const ENDS = { s: "ended by itself", l: "ran into its budget", f: "answer forced at its budget" };

  function solution(run, found, problem, i) {
    const parts = problem.t[found.t[i]].split(STEP);
    const body = parts.length > 1
      ? el("ol", { class: "steps" }, ...parts.map((part) => el("li", {}, text(el("span", { class: "text" }), part.trim()))))
      : text(el("p", { class: "text" }), parts[0]);
    const about = `sample ${found.s[i]}, ${found.n[i]} tokens, ${ENDS[found.f[i]] || "ended"}`;
    const answer = found.w[i] < 0 ? "none" : problem.w[found.w[i]];
    const scores = run.verifiers.map((name, v) => `${name} ${short(found.v[v][i])}`).join(", ");
    return el("div", { class: "solution-text" },
      el("p", { class: "small" }, about),
      el("p", {}, "Answer: ", text(el("b", { class: "text" }), answer, true), " ",
        el("span", { class: found.k[i] === "1" ? "right" : "wrong" }, found.k[i] === "1" ? "right" : "wrong")),
      scores ? el("p", { class: "small scores" }, `Scores: ${scores}`) : null,
      elsewhere(run, found.s[i], problem), body);
  }

  // The same solution at other length budgets: a score for each, as the text grows.
  function elsewhere(run, sample, problem) {
    if (run.budget === null) return null;
    const said = [];
    index.runs.forEach((other, number) => {
      const found = problem.r[number];
      if (!found || other.budget === null || other.reasoner !== run.reasoner || other.dataset !== run.dataset) return;
      const at = found.s.indexOf(sample);
      if (at < 0) return;
      const scores = other.verifiers.map((name, v) => `${name} ${short(found.v[v][at])}`).join(", ");
      said.push(`${other.budget} tokens: ${found.k[at] === "1" ? "right" : "wrong"}${scores ? `, ${scores}` : ""}`);
    });
    return said.length > 1 ? el("p", { class: "small" }, `At other budgets: ${said.join("; ")}`) : null;
  }

  // ---- controls and the address

  function keep() {
    const said = new URLSearchParams();
    for (const [key, value] of Object.entries(chosen)) if (value !== DEFAULTS[key]) said.set(key, value);
    try { history.replaceState(null, "", `#${said}`); } catch { /* a page may be shown where that is not allowed */ }
  }

  function verifiersOf(label) {
    const found = new Set();
    index.runs.forEach((run) => { if (run.label === label) run.verifiers.forEach((name) => found.add(name)); });
    return [["", "none: majority voting"], ...[...found].map((name) => [name, name])];
  }

  function choices() {
    fill($("dataset"), [["", "all"], ...index.datasets.map((one) => [one.name, one.name])]);
    const labels = [...new Set(index.runs.map((run) => run.label))].map((label) => [label, label]);
    fill($("a"), labels);
    fill($("b"), [["", "nobody"], ...labels]);
    fill($("show"), Object.entries(SHOW));
    fill($("sort"), Object.entries(SORT));
    const compared = index.comparisons.find((one) => labels.some(([x]) => x === one.base) && labels.some(([x]) => x === one.rl_v));
    DEFAULTS.a = compared ? compared.base : labels.length ? labels[0][0] : "";
    DEFAULTS.b = compared ? compared.rl_v : labels.length > 1 ? labels[1][0] : "";
    DEFAULTS.vb = compared ? compared.verifier : "";
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
    datasetOf = (p) => { let d = firsts.length - 1; while (d > 0 && firsts[d] > p) d--; return d; };
    const said = `${index.solutions.toLocaleString("en")} solutions to ${index.problems.id.length.toLocaleString("en")} problems`;
    $("status").textContent = said;
    if (index.lacking.length) {
      $("lacking").hidden = false;
      $("lacking").firstElementChild.textContent = `${index.lacking.length} tables are missing`;
      $("lacking").lastElementChild.replaceChildren(...index.lacking.map((line) => el("li", {}, line)));
    }
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

  load("index.js", () => { $("status").textContent = `${FOLDER}index.js cannot be read.`; });
})();
