"use strict";
(() => {
  const { figures, dark } = JSON.parse(document.getElementById("figures").textContent);
  const night = matchMedia("(prefers-color-scheme: dark)");
  const mouse = matchMedia("(pointer: fine)").matches;
  const root = document.documentElement;
  const drawn = new Set();

  // Figures come in the colours of the light page; on a dark one each gives way to its counterpart.
  const coloured = (value, isColour) => {
    if (Array.isArray(value)) return value.map((item) => coloured(item, isColour));
    if (value && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, coloured(item, key.endsWith("color"))]),
      );
    }
    return isColour && night.matches && dark[value] ? dark[value] : value;
  };

  const draw = (id) => {
    const element = document.getElementById(id);
    const { data, layout } = coloured(figures[id], false);
    layout.dragmode = mouse ? "zoom" : false; // a finger on a plot scrolls the page
    const options = { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false };
    return Plotly.react(element, data, layout, options).then(() => {
      element.dataset.drawn = "yes";
      drawn.add(id);
    });
  };

  const all = async () => {
    for (const id of Object.keys(figures)) {
      if (!drawn.has(id)) {
        await draw(id);
        await new Promise((resume) => setTimeout(resume)); // lets the reader scroll meanwhile
      }
    }
    root.dataset.plots = "drawn";
  };

  night.addEventListener("change", () => {
    drawn.clear();
    root.dataset.plots = "drawing";
    all();
  });
  all();
})();
