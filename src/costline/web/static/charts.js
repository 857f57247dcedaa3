// Draws the figures that the server put into the page. Sets type and colours of the page; computes nothing.
"use strict";
const charts = (() => {
  let loading = null;
  const library = () => {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = document.body.dataset.plotly;
      script.onload = () => done(window.Plotly);
      script.onerror = () => failed(new Error("the chart library did not load"));
      document.head.append(script);
    });
    return loading;
  };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // The colours of the page in place of those for white paper.
  const themed = (figure, room, forPaper) => {
    const ink = forPaper ? "#1c1c1c" : colour("--ink");
    const soft = forPaper ? "#dddddd" : colour("--line");
    const paper = forPaper ? "#ffffff" : colour("--card");
    const swap = new Map([["#000000", ink], ["#222222", ink], ["#333333", ink], ["#555555", ink], ["#666666", ink],
      ["#dddddd", soft], ["#f0f0f0", soft], ["#ffffff", paper], ["rgba(255,255,255,0.85)", paper]]);
    const walk = (value, key) => {
      if (Array.isArray(value)) return value.map((one) => walk(one, key));
      if (value && typeof value === "object") {
        return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, walk(one, name)]));
      }
      if (key === "fgcolor") return value;
      return typeof value === "string" && swap.has(value.toLowerCase()) ? swap.get(value.toLowerCase()) : value;
    };
    const found = walk(figure, "");
    const layout = found.layout;
    layout.font = { ...layout.font, color: ink, family: "inherit", size: 12 };
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    const aside = room > 640 && found.data.filter((one) => one.showlegend).length > 4;
    layout.legend = aside ? { x: 1.01, xanchor: "left", y: 1, font: { size: 12 } }
      : { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: 12 } };
    layout.hoverlabel = { bgcolor: paper, bordercolor: soft, font: { color: ink } };
    layout.autosize = true;
    layout.dragmode = false;
    return found;
  };

  const draw = async (box, forPaper = false) => {
    const plotly = await library();
    if (!box.isConnected) return;
    const figure = themed(JSON.parse(box.dataset.figure), box.clientWidth, forPaper);
    await plotly.react(box, figure.data, figure.layout, {
      displayModeBar: false, responsive: true, staticPlot: forPaper, typesetMath: false,
    });
    box.dataset.drawn = "yes";
  };

  const all = (root = document) => [...root.querySelectorAll(".plot[data-figure]")];

  // What can be seen first; the rest when there is time, unless something newer is asked by then.
  let round = 0;
  const drawAll = async (root) => {
    const mine = ++round;
    const boxes = all(root);
    const seen = boxes.filter((box) => box.getBoundingClientRect().top < innerHeight);
    await Promise.all(seen.map((box) => draw(box)));
    const rest = boxes.filter((box) => !seen.includes(box));
    const next = () => {
      if (mine !== round || !rest.length) return;
      draw(rest.shift()).then(() => setTimeout(next));
    };
    setTimeout(next);
  };

  // New words with the old drawings in their places, so that a figure moves instead of being made anew.
  const replace = (place, html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").body;
    const old = new Map(all(place).map((box) => [box.dataset.chart, box]));
    for (const box of all(fresh)) {
      const kept = old.get(box.dataset.chart);
      if (!kept) continue;
      for (const name of ["figure", "size"]) kept.dataset[name] = box.dataset[name];
      delete kept.dataset.drawn;
      kept.setAttribute("aria-label", box.getAttribute("aria-label"));
      box.replaceWith(kept);
    }
    place.replaceChildren(...fresh.childNodes);
    return drawAll(place);
  };

  document.addEventListener("theme", () => drawAll());
  addEventListener("beforeprint", () => all().forEach((box) => draw(box, true)));
  addEventListener("afterprint", () => drawAll());
  return { drawAll, replace };
})();
