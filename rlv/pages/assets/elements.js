// Elements of the page, scripts with data, and lists of which only the rows in sight are elements.
// A text becomes a text node and never HTML (rlv/pages/escaping.py). The program's files are put together into
// one function by rlv/pages/explorer.py.

const FOLDER = "solutions/";
const $ = (id) => document.getElementById(id);

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
  script.onerror = () => {
    script.remove();
    failed();
  };
  document.head.append(script);
}

// A list of which only the rows in sight are elements. `draw(row, place)` fills a row.
function windowed(box, height, draw, choose) {
  const sizer = el("div", { class: "sizer", role: "presentation" });
  box.replaceChildren(sizer);
  let count = 0,
    chosen = -1,
    asked = false;
  function paint() {
    asked = false;
    const first = Math.max(0, Math.floor(box.scrollTop / height) - 8);
    const last = Math.min(count, Math.ceil((box.scrollTop + box.clientHeight) / height) + 8);
    const rows = [];
    for (let place = first; place < last; place++) {
      const row = el("div", {
        class: "row",
        role: "option",
        id: `${box.id}-${place}`,
        "aria-selected": place === chosen,
        "aria-setsize": count,
        "aria-posinset": place + 1,
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
  box.onscroll = () => {
    if (!asked) {
      asked = true;
      requestAnimationFrame(paint);
    }
  };
  box.onkeydown = (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / height) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count };
    if (!(event.key in moves) || !count) return;
    event.preventDefault();
    choose(Math.min(count - 1, Math.max(0, chosen + moves[event.key])));
  };
  return {
    show(size, place) {
      count = size;
      chosen = place;
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
