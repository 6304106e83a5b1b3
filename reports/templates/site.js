"use strict";
// Headings that sort, boxes that filter, rows that open. Without this script the page shows all of it as it is.
(() => {
  const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function make(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  // A cell's value: the number that it shows, else its text. Null sorts last: a word where a number is owed, nothing.
  function key(cell, kind) {
    const text = (cell.firstChild ? cell.firstChild.textContent : "").trim();
    if (kind !== "number") return text || null;
    const value = parseFloat(cell.dataset.v ?? text);
    return Number.isFinite(value) ? value : null;
  }

  // The rows that a table has now; the others are kept aside, where they cost a browser nothing.
  function fill(table, rows) {
    const fragment = document.createDocumentFragment();
    for (const row of rows) fragment.append(row);
    table.tBodies[0].replaceChildren(fragment);
  }

  function compare(kind, sign) {
    return (a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      return sign * (kind === "number" ? a.key - b.key : words.compare(a.key, b.key));
    };
  }

  // Sorts in turns: its first order, the other one, and the one in which the page has them. `show` follows a change.
  function sortable(table, listing, show) {
    const headings = [...table.tHead.querySelectorAll("th[data-col]")];
    const given = listing.rows;
    for (const heading of headings) {
      const { col, kind, first = "ascending", name } = heading.dataset;
      const turns = { none: first, [first]: first === "ascending" ? "descending" : "ascending" };
      const button = make("button", { type: "button" }, ...heading.childNodes);
      button.setAttribute("aria-label", name);
      heading.append(button);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const order = turns[heading.getAttribute("aria-sort")] ?? "none";
        for (const each of headings) each.setAttribute("aria-sort", each === heading ? order : "none");
        listing.rows = given;
        if (order !== "none") {
          const keyed = given.map((row) => ({ row, key: key(row.cells[col], kind) }));
          listing.rows = keyed.sort(compare(kind, order === "ascending" ? 1 : -1)).map((each) => each.row);
        }
        show();
      });
    }
  }

  // A box for words that a row must have, and the states of jobs as buttons; of very many rows only the first show.
  function filterable(table, listing, states) {
    const what = table.dataset.filter;
    const step = Number(table.dataset.step) || Infinity;
    const scroll = table.closest(".scroll");
    const box = make("input", { type: "search", placeholder: `Filter ${what}`, autocomplete: "off", spellcheck: false });
    box.setAttribute("aria-label", `Filter ${what}: words that a row must have`);
    const told = make("output", {});
    const more = make("button", { type: "button", className: "more" });
    const texts = new Map();
    let state = null;
    let limit = step;
    let waiting = 0;

    function kept(row, asked) {
      if (state !== null && row.cells[1].textContent !== state) return false;
      if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
      return asked.every((word) => texts.get(row).includes(word));
    }
    function show() {
      const asked = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      const all = !asked.length && state === null;
      const rows = all ? listing.rows : listing.rows.filter((row) => kept(row, asked));
      const count = rows.length;
      fill(table, rows.slice(0, limit));
      const found = all ? "" : `${count} of ${listing.rows.length} ${what}`;
      told.textContent = count > limit ? `${found || `${count} ${what}`}, the first ${limit} shown` : found;
      more.hidden = count <= limit;
      more.textContent = `Show ${Math.min(step, count - limit)} more`;
    }

    box.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(show, listing.rows.length > 500 ? 150 : 0);
    });
    more.addEventListener("click", () => {
      limit += step;
      show();
    });
    for (const item of states ? states.children : []) {
      const button = make("button", { type: "button" }, ...item.childNodes);
      button.setAttribute("aria-pressed", "false");
      item.append(button);
      button.addEventListener("click", () => {
        state = state === item.dataset.state ? null : item.dataset.state;
        for (const each of states.children) {
          each.firstChild.setAttribute("aria-pressed", String(each.dataset.state === state));
        }
        show();
      });
    }
    scroll.before(make("div", { className: "controls" }, ...(states ? [states] : []), told, box));
    if (step < listing.rows.length) scroll.after(more);
    show();
    return show;
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const listing = { rows: [...table.tBodies[0].rows] };
    for (const row of listing.rows) row.hidden = false;
    const states = table.classList.contains("jobs") ? document.querySelector("#jobs .states") : null;
    const show = table.dataset.filter ? filterable(table, listing, states) : () => fill(table, listing.rows);
    sortable(table, listing, show);
    addEventListener("beforeprint", () => fill(table, listing.rows));
    addEventListener("afterprint", show);
  }

  // Where a row is clicked beside its link, as people expect; not where they select its text.
  document.querySelector("table.jobs tbody")?.addEventListener("click", (event) => {
    const link = event.target.closest("tr")?.querySelector("a");
    if (link && event.target !== link && !String(getSelection())) link.click();
  });
})();
