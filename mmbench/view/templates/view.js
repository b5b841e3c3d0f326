"use strict";
(async () => {
  const parser = new DOMParser();
  const lost = document.getElementById("lost");
  let main = document.querySelector("main[data-every]");
  let shown = main?.outerHTML;
  while (main) {
    await new Promise((resolve) => setTimeout(resolve, main.dataset.every));
    if (document.hidden) continue;
    let text;
    try {
      text = await (await fetch(location.pathname)).text();
    } catch {
      lost.hidden = false;
      continue;
    }
    lost.hidden = true;
    if (!text.includes("<main data-every=")) {  // a report, or a failure
      location.reload();
      return;
    }
    const found = parser.parseFromString(text, "text/html").querySelector("main");
    if (found.outerHTML === shown) continue;
    shown = found.outerHTML;
    const places = "a, .scroll";
    const before = [...main.querySelectorAll(places)];
    const focused = before.indexOf(document.activeElement);
    main.replaceWith(found);
    main = found;
    const after = [...main.querySelectorAll(places)];
    after.forEach((each, i) => each.scrollTo(before[i]?.scrollLeft ?? 0, before[i]?.scrollTop ?? 0));
    after[focused]?.focus({ preventScroll: true });
  }
})();
