(() => {
  const root = document.documentElement;
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const isCoarse = matchMedia("(pointer: coarse)").matches;
  const plots = [...document.querySelectorAll("[data-picture]")];
  const drawn = new Set();
  let isPrinted = false;

  function look() {
    const asked = root.dataset.theme;
    const dark = !isPrinted && (asked ? asked === "dark" : isDark.matches);
    return told.looks[dark ? "dark" : "light"];
  }

  const appearance = document.getElementById("appearance");
  appearance.hidden = false;
  appearance.addEventListener("change", ({ target }) => {
    root.dataset.theme = target.value;
    restyle();
  });
  if (!plots.length) return;

  let loading;
  async function unpack() {
    const packed = atob(document.getElementById("plotly").textContent);
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }

  function draw(plot) {
    if (drawn.has(plot)) return;
    drawn.add(plot);
    const { data, layout } = told.pictures[plot.dataset.picture];
    const config = {
      responsive: true,
      displaylogo: false,
      displayModeBar: isCoarse ? false : "hover",
      showSendToCloud: false, // nothing leaves the page
      plotlyServerURL: "",
      modeBarButtonsToRemove: ["select2d", "lasso2d"],
      locale: told.locale.name,
      locales: { [told.locale.name]: { dictionary: told.locale.dictionary, format: {} } },
      toImageButtonOptions: { format: "svg", filename: plot.dataset.picture },
    };
    // where fingers scroll the page, they do not zoom
    const moving = isCoarse ? { dragmode: false } : {};
    Plotly.newPlot(plot, data, { ...layout, ...moving, template: look() }, config);
  }

  function restyle() {
    for (const plot of drawn) Plotly.relayout(plot, { template: look() });
  }

  const near = new IntersectionObserver(
    async (seen) => {
      const shown = seen.filter((each) => each.isIntersecting).map((each) => each.target);
      if (!shown.length) return;
      shown.forEach((plot) => near.unobserve(plot));
      try {
        await (loading ??= unpack());
      } catch {
        shown.forEach((plot) => (plot.textContent = say("old", {})));
        return;
      }
      shown.forEach(draw);
    },
    { rootMargin: "400px" },
  );
  plots.forEach((plot) => near.observe(plot));
  // so that a page that is printed without having been looked at has them
  setTimeout(() => (loading ??= unpack()).catch(() => {}), 1000);
  isDark.addEventListener("change", restyle);
  window.addEventListener("beforeprint", () => {
    isPrinted = true;
    if (window.Plotly) plots.filter((plot) => plot.offsetParent).forEach(draw);
    restyle();
  });
  window.addEventListener("afterprint", () => {
    isPrinted = false;
    restyle();
  });
})();
