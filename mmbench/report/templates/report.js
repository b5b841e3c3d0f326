"use strict";
(() => {
  const form = document.getElementById("choose");
  if (!form) return;
  const table = document.getElementById("combinations");
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const selects = [...form.querySelectorAll("select")];
  const plain = (text) => text.normalize("NFKC").toLowerCase();
  const rows = [...body.rows].map((row) => {
    const cells = [...row.cells];
    return {
      row,
      values: cells.map((cell) => cell.dataset.value ?? cell.textContent),
      text: plain(cells.map((cell) => cell.textContent).join(" ")),
    };
  });
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;

  function sort(column, order) {
    const numeric = "first" in headers[column].dataset;
    const sign = order === "ascending" ? 1 : -1;
    rows.sort((a, b) => {
      const [x, y] = [a.values[column], b.values[column]];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (numeric ? x - y : compare(x, y));
    });
    body.append(...rows.map((each) => each.row));
    headers.forEach((header) => header.removeAttribute("aria-sort"));
    headers[column].setAttribute("aria-sort", order);
  }

  function choose() {
    const words = plain(form.elements.words.value).split(/\s+/);
    let shown = 0;
    for (const { row, values, text } of rows) {
      row.hidden = !(
        words.every((word) => text.includes(word)) &&
        selects.every((s) => s.value === "" || s.value === "=" + values[s.dataset.column])
      );
      shown += !row.hidden;
    }
    form.elements.shown.value = `${shown} of ${rows.length} combinations`;
  }

  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const now = header.getAttribute("aria-sort");
      const first = header.dataset.first ?? "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      sort(column, now === first ? other : first);
    });
    // a page break repeats a header only where it holds no button
    window.addEventListener("beforeprint", () => header.replaceChildren(button.textContent));
    window.addEventListener("afterprint", () => header.replaceChildren(button));
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", choose);
  form.addEventListener("change", choose);
  form.elements.all.addEventListener("click", () => {
    form.reset();
    choose();
  });
  form.hidden = false;
  choose();
})();
