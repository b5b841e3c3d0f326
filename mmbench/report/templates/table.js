"use strict";
const told = JSON.parse(document.getElementById("data").textContent);

function say(name, fields) {
  return told.words[name].replace(/\{(\w+)\}/g, (_, field) => fields[field]);
}

(() => {
  const form = document.getElementById("choose");
  if (!form) return;
  const STEP = 200;
  const { columns, rows: count, metric } = told.table;
  const short = new Set(told.table.short);
  const table = document.getElementById("combinations");
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const selects = [...form.querySelectorAll("select[data-column]")];
  const grouping = form.elements["group by"];
  const boxes = [...form.querySelectorAll("[name=column]")];
  const { text: marked } = form.elements;
  const plain = (text) => text.normalize("NFKC").toLowerCase();
  const { compare } = new Intl.Collator(undefined, { numeric: true });

  for (const column of columns) {
    if (!column.names) continue;
    column.texts = column.at.map((i) => column.names[i][0]);
    column.values = [column.at.map((i) => column.names[i][1])];
  }
  const texts = Array.from({ length: count }, (_, i) =>
    plain(columns.map((column) => column.texts[i]).join(" ")),
  );
  let order = Array.from({ length: count }, (_, i) => i);
  let chosen = order; // the rows that are shown
  let lines = order; // these, and the heading of each group before its rows
  let drawn = 0;

  // --- rows -------------------------------------------------------------------------------------

  function field(column, i) {
    const cell = document.createElement("td");
    const text = column.texts[i];
    if (column.names) {
      const name = document.createElement("bdi");
      for (const part of text.match(/[^+]*\+|[^+]+/g) ?? []) {
        name.append(part, document.createElement("wbr"));
      }
      cell.className = /[^\s+]{33}/.test(text) ? "long" : column.layout;
      cell.append(name);
    } else {
      cell.className = "n";
      cell.append(text);
      if (column.name === "cells" && short.has(i)) {
        const link = document.createElement("a");
        link.href = "#reasons";
        link.append(text);
        cell.replaceChildren(link);
      }
    }
    return cell;
  }

  function line(each) {
    const row = document.createElement("tr");
    if (typeof each === "number") {
      row.append(...columns.map((column) => field(column, each)));
    } else {
      const head = document.createElement("th");
      const name = document.createElement("bdi");
      row.className = "group";
      head.colSpan = columns.length;
      head.scope = "rowgroup";
      name.append(each.group);
      head.append(name);
      row.append(head);
    }
    return row;
  }

  const more = document.createElement("button");
  more.type = "button";
  more.className = "more";
  table.after(more);

  function draw(n) {
    const next = lines.slice(drawn, drawn + n);
    body.append(...next.map(line));
    drawn += next.length;
    more.hidden = drawn === lines.length;
    more.textContent = say("more", { n: lines.length - drawn });
  }

  function redraw() {
    body.replaceChildren();
    drawn = 0;
    draw(STEP);
  }

  more.addEventListener("click", () => draw(STEP));
  new IntersectionObserver(
    (seen) => seen.some((each) => each.isIntersecting) && draw(STEP),
    { root: table.parentElement, rootMargin: "600px" },
  ).observe(more);

  // --- which rows, in what order ------------------------------------------------------------------

  function grouped() {
    if (grouping.value === "") return chosen;
    const by = columns[grouping.value];
    const groups = new Map();
    for (const i of chosen) {
      if (!groups.has(by.texts[i])) groups.set(by.texts[i], []);
      groups.get(by.texts[i]).push(i);
    }
    const { name, first, texts: shown, values } = columns[metric];
    const sign = first === "ascending" ? 1 : -1;
    const all = new Map();
    for (const text of by.texts) all.set(text, (all.get(text) ?? 0) + 1);
    return [...groups].flatMap(([group, members]) => {
      const known = members.filter((i) => values[0][i] !== null);
      const best = known.reduce((a, b) => (sign * (values[0][b] - values[0][a]) < 0 ? b : a), known[0]);
      const fields = { name: group || say("empty"), n: members.length, all: all.get(group) };
      const heading = { ...fields, metric: name, best: known.length ? shown[best] : "–" };
      return [{ group: say("group", heading) }, ...members];
    });
  }

  function choose() {
    const words = plain(form.elements.words.value).split(/\s+/);
    const wanted = selects.filter((select) => select.value !== "");
    chosen = order.filter(
      (i) =>
        words.every((word) => texts[i].includes(word)) &&
        wanted.every((select) => select.value === "=" + columns[select.dataset.column].texts[i]),
    );
    lines = grouped();
    redraw();
    form.elements.shown.value = say("shown", { shown: chosen.length, all: count });
  }

  function sort(column, direction) {
    const { names, texts, values } = columns[column];
    const sign = direction === "ascending" ? 1 : -1;
    const keys = names ? texts.map((text) => text || null) : values[0];
    const by = names ? compare : (x, y) => x - y;
    order = order.slice().sort((a, b) => {
      const [x, y] = [keys[a], keys[b]];
      return x === null || y === null ? (x === null) - (y === null) : sign * by(x, y);
    });
    headers.forEach((header) => header.removeAttribute("aria-sort"));
    headers[column].setAttribute("aria-sort", direction);
    choose();
  }

  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const now = header.getAttribute("aria-sort");
      const first = columns[column].first;
      const other = first === "ascending" ? "descending" : "ascending";
      sort(column, now === first ? other : first);
    });
    // a page break repeats a header only where it holds no button
    window.addEventListener("beforeprint", () => header.replaceChildren(button.textContent));
    window.addEventListener("afterprint", () => header.replaceChildren(button));
  });
  window.addEventListener("beforeprint", () => draw(1000));

  // --- columns, copies ----------------------------------------------------------------------------

  function hide() {
    document.getElementById("hidden").textContent = boxes
      .filter((box) => !box.checked)
      .map((box) => `#combinations tr:not(.group) > :nth-child(${+box.value + 1}) { display: none }`)
      .join("\n");
  }

  // a spreadsheet takes a text that begins so for a formula
  const harmless = (value) => (/^[=+\-@\t\r]/.test(value) ? "'" + value : value);

  function* records() {
    const asked = boxes.filter((box) => box.checked).map((box) => columns[box.value]);
    yield asked.flatMap((column) => column.fields.map(harmless));
    for (const i of lines.filter((each) => typeof each === "number"))
      yield asked.flatMap(({ values }) =>
        values.map((of) => (typeof of[i] === "string" ? harmless(of[i]) : String(of[i] ?? ""))),
      );
  }

  form.elements.copy.addEventListener("click", async () => {
    const text = Array.from(records(), (record) =>
      record.map((value) => value.replace(/[\t\r\n]+/g, " ")).join("\t"),
    ).join("\n");
    try {
      await navigator.clipboard.writeText(text);
      marked.hidden = true;
      form.elements.shown.value = say("copied", { n: chosen.length });
    } catch {
      marked.hidden = false;
      marked.value = text;
      marked.select();
      form.elements.shown.value = say("copy", {});
    }
  });

  form.elements.download.addEventListener("click", () => {
    const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const text = Array.from(records(), (record) => record.map(quoted).join(",") + "\n").join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    link.download = "combinations.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers take it later
  });

  form.addEventListener("submit", (event) => event.preventDefault());
  const follow = (event) => (event.target.name === "column" ? hide() : choose());
  form.addEventListener("input", follow);
  form.addEventListener("change", follow);
  form.addEventListener("reset", () =>
    setTimeout(() => {
      hide();
      choose();
    }),
  );
  form.hidden = false;
  choose();
})();
