// LaTeX as MathML, by Temml, node by node; only of what is shown. Text that is no LaTeX stays as it is.

const MATH = new RegExp(
  [
    String.raw`\\[\\$]`, // a line's end and a real dollar: no math begins here
    String.raw`\$\$([^]{1,4000}?)\$\$`,
    String.raw`\\\[([^]{1,4000}?)\\\]`,
    String.raw`\\\(([^]{1,2000}?)\\\)`,
    String.raw`(\\begin\{(align|alignat|equation|gather|multline|aligned|cases|array|[pbvBV]?matrix)(\*?)\}[^]{1,4000}?\\end\{\5\6\})`,
    String.raw`\$((?![\s$])(?:\\[^]|[^\\$\n]){0,2000}?(?:\\[^]|[^\\$\s]))\$(?!\d)`,
  ].join("|"),
  "g",
);
const MOST = { characters: 40000, formulas: 300 };
let temml = null; // a promise once it is needed

function withTemml() {
  temml =
    temml ||
    new Promise((done) => {
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
  } catch {
    return null;
  }
  return place.firstChild;
}

// A text, at first as it is; its formulas follow when Temml is there. `whole`: it may be one formula itself.
function text(target, value, whole) {
  target.textContent = value;
  const bare = whole && /[\\^]|_\{/.test(value) && !value.includes("$");
  if (value.length > MOST.characters || !(bare || /\$|\\[[(b]/.test(value))) return target;
  withTemml().then((library) => {
    if (!library || target.textContent !== value) return;
    if (bare) {
      const made = formula(library, value, false);
      if (made) {
        target.replaceChildren(made);
        return;
      }
    }
    const parts = [];
    let at = 0,
      formulas = 0;
    for (const match of value.matchAll(MATH)) {
      const display = match[1] ?? match[2] ?? match[4];
      const source = display ?? match[3] ?? match[7];
      const made =
        source !== undefined && ++formulas <= MOST.formulas
          ? formula(library, source, display !== undefined)
          : null;
      if (made) {
        parts.push(value.slice(at, match.index), made);
        at = match.index + match[0].length;
      }
    }
    if (parts.length) target.replaceChildren(...parts, value.slice(at));
  });
  return target;
}
