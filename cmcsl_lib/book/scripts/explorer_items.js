/* Items by their distances: each mark tells which seeds gave an item its labels, and which modality decided. */
"use strict";
window.cmcslExplore ??= {};
window.cmcslExplore.items = (() => {
  const { element, drawn, drawing, set, begin, onWidth, count, percent } = cmcslElements;
  const { MARGIN, linear, roundValues, axes, mark, legend } = cmcslChart;
  const { newForm, choice, slider } = cmcslControls;
  const { saveButtons } = cmcslSaving;
  const { MODALITIES, firstBudget, readDataset, totals } = cmcslExplorerData;
  const view = cmcslView;
  const OUTCOMES = [
    { name: "modalities agree", colour: "#8a8a8a", mark: "circle", filled: false },
    { name: "differ, right label kept", colour: "#009E73", mark: "triangle", filled: true },
    { name: "differ, wrong label kept", colour: "#D55E00", mark: "square", filled: true },
  ];
  const SHOWN = {
    "labels differ": (row) => row.outcome > 0,
    "labels differ, the image decides": (row) => row.outcome > 0 && row.decided === 0,
    "labels differ, the text decides": (row) => row.outcome > 0 && row.decided === 1,
    "wrong label kept": (row) => !row.right,
    "all items": () => true,
  };
  /** A mark is pointed at from as many pixels away. */
  const REACH = 14;

  const named = (modality) => (modality === "visual" ? "image" : "text");

  /** How many labels are right, and who decides where they differ. */
  function summary(rows) {
    const { hidden, right, alone, differing, decides, decidesRight } = totals(rows);
    const share = (number, of) => `${((100 * number) / of).toFixed(0)}%`;
    const who = MODALITIES.map((modality, m) =>
      `the ${named(modality)} decides ${decides[m]}${decides[m] ? `, right ${share(decidesRight[m], decides[m])}` : ""}`);
    const part = (number) => `${number} (${hidden ? percent(number / hidden) : "–"})`;
    return [
      `Of ${count(hidden, "hidden label")}, ${part(alone[0])} are right by the image alone, ${part(alone[1])} by the text alone, and `,
      element("strong", {}, part(right)), ` after the exchange. Image and text differ on ${differing}: `,
      element("strong", {}, who.join("; ")), ".",
    ];
  }

  return async function items(id) {
    const [root, data] = begin(id);
    const names = Object.keys(data.datasets);
    if (!names.length) { root.append("No dataset is small enough for its items to be shown here."); return; }
    const read = await Promise.all(names.map((name) => readDataset(data.datasets[name], data.decimals)));
    const put = (key) => (value) => view.put(id, { [key]: value });
    const key = `dataset-${data.corpus}`;
    let [dataset, fold, budget, filter] = [names[0], 1, data.budgets[0], ""];
    let [all, rows, shown] = [[], [], ""];
    let looked = null; // the item that is looked at, in passing or for longer
    let places = new Map();

    const form = newForm();
    const datasets = choice(form, "Dataset", put(key));
    const folds = choice(form, "Fold", put("fold"));
    const filters = choice(form, "Show", put("items"));
    const list = choice(form, "Item", (value) => pick(Number(value)));
    const budgets = slider(form, (place) => view.put(id, { budget: data.budgets[place] }));
    const sums = element("p", { class: "sums", role: "status" });
    const svg = drawing({ role: "group" });
    const panel = element("div", { class: "item", role: "status" });
    const link = element("a", {}, "Link to this view");
    root.append(form, sums, element("div", { class: "beside" }, svg, panel),
                element("p", { class: "buttons" }, ...saveButtons("items", svg, fileRows), link));

    const picked = () => rows.find((row) => String(row.number) === view.get("item")) ?? rows[0] ?? null;
    const pick = (number) => view.put(id, { item: number });

    function fill() {
      datasets.offer(names, names, dataset);
      const numbers = [...Array(read[names.indexOf(dataset)].folds).keys()].map((each) => each + 1);
      folds.offer(numbers, numbers, fold);
      filters.offer(Object.keys(SHOWN), Object.keys(SHOWN), filter);
      list.offer(rows.map((row) => `${data.items[row.number][0]} (${row.true})`), rows.map((row) => row.number), picked()?.number ?? "");
      budgets(data.budgets.length, data.budgets.indexOf(budget), `${count(budget, "seed")} per class`);
    }

    // Drawing
    function redraw() {
      const beside = root.clientWidth >= 640;
      const width = Math.max(280, Math.min(beside ? root.clientWidth - 256 : root.clientWidth, 560));
      const height = Math.round(Math.min(width, 460));
      svg.replaceChildren();
      const values = rows.flatMap((row) => [row.visual.distance, row.text.distance]);
      const room = values.length ? (Math.max(...values) - Math.min(...values)) / 40 : 0;
      const [low, high] = values.length ? [Math.min(...values) - room, Math.max(...values) + room] : [0, 1];
      const box = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
      const [x, y] = [linear(low, high, box.left, box.right), linear(low, high, box.bottom, box.top)];
      const steps = roundValues(low, high, width > 400 ? 6 : 4);
      const [across, up] = MODALITIES.map((modality) => `Distance to the nearest seed, ${named(modality)}`);
      axes(svg, box, { scale: x, values: steps, label: across }, { scale: y, values: steps, label: up });
      drawn(svg, "path", { d: `M${x(low)} ${y(low)}L${x(high)} ${y(high)}`, stroke: "currentColor", "stroke-opacity": 0.6 });
      places = new Map(rows.map((row) => [row.number, [x(row.visual.distance), y(row.text.distance)]]));
      for (const row of rows) {
        const outcome = OUTCOMES[row.outcome];
        const glyph = mark(svg, outcome.mark, ...places.get(row.number), 3.2, outcome.colour, outcome.filled);
        const words = `${data.items[row.number][0]}: label ${row.label}, ${row.right ? "right" : "wrong"}; ${outcome.name}`;
        set(glyph, { "data-item": row.number, role: "button", tabindex: -1, "aria-label": words, class: "mark" });
        glyph.addEventListener("focus", () => look(row));
        glyph.addEventListener("blur", () => look(picked()));
      }
      const height2 = height + legend(svg, width, height, OUTCOMES.map((outcome) => ({
        name: outcome.name,
        draw: (group, left, at) => mark(group, outcome.mark, left + 14, at, 4, outcome.colour, outcome.filled),
      })));
      drawn(svg, "circle", { class: "transient ring", r: 9, fill: "none", stroke: "currentColor", "stroke-width": 2 });
      const words = `Distances of items of ${dataset} to their nearest seeds, ${budget} per class, fold ${fold}`;
      set(svg, { "aria-label": words, viewBox: `0 0 ${width} ${height2}`, width, height: height2 });
      look(picked());
    }

    const markOf = (row) => svg.querySelector(`[data-item="${row.number}"]`);

    /** Show an item beside the plot, with a ring around its mark, which the tab key then leads to. */
    function look(row) {
      looked = row;
      const ring = svg.querySelector(".ring");
      ring.toggleAttribute("hidden", !row);
      svg.querySelector(".mark[tabindex='0']")?.setAttribute("tabindex", -1);
      if (row) {
        const [cx, cy] = places.get(row.number);
        set(ring, { cx, cy });
        markOf(row).setAttribute("tabindex", 0);
      }
      tell(row);
    }

    /** The row whose mark is nearest to the pointer, if it is near. */
    function pointed(event) {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const away = (row) => {
        const [left, top] = places.get(row.number);
        return Math.hypot(left - (event.clientX - box.left) * scale, top - (event.clientY - box.top) * scale);
      };
      const nearest = rows.reduce((best, row) => (best && away(best) <= away(row) ? best : row), null);
      return nearest && away(nearest) <= REACH ? nearest : null;
    }

    svg.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse") return;
      const row = pointed(event);
      svg.classList.toggle("near", Boolean(row));
      const wanted = row ?? picked();
      if (wanted !== looked) look(wanted);
    });
    svg.addEventListener("pointerleave", () => { if (looked !== picked()) look(picked()); });
    svg.addEventListener("click", (event) => {
      const row = pointed(event);
      if (row) pick(row.number);
    });

    /* By keys: to the right and upwards lie the next larger distances of image and text. */
    svg.addEventListener("keydown", (event) => {
      if (!looked) return;
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        const { number } = looked;
        pick(number);
        markOf({ number }).focus();
        return;
      }
      const modality = { ArrowLeft: "visual", ArrowRight: "visual", ArrowDown: "text", ArrowUp: "text" }[event.key] ?? "visual";
      const order = rows.toSorted((a, b) => a[modality].distance - b[modality].distance);
      const at = order.indexOf(looked);
      const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: order.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      if (order[to]) markOf(order[to]).focus();
    });

    // Words
    function picture(number, alt, size) {
      if (!data.images[number]) return "";
      // The theme dims pictures in dark mode, unless they say that they need not.
      return element("img", { class: "dark-light", src: `data:image/webp;base64,${data.images[number]}`, alt, width: size, height: size });
    }

    function tell(row) {
      if (!row) { panel.replaceChildren(`No item is shown: of ${count(all.length, "hidden item")} none is such a one.`); return; }
      const [title, text] = data.items[row.number];
      const says = MODALITIES.map((modality) => {
        const { label, distance, seed } = row[modality];
        const words = `The ${named(modality)} is nearest to the seed “${data.items[seed][0]}”, at ${distance.toFixed(Math.min(2, data.decimals))}: `;
        return element("li", {}, picture(seed, `Image of that seed, ${data.items[seed][0]}`, 48),
                       element("span", {}, words, element("strong", {}, label)));
      });
      const end = row.outcome === 0 ? `Both say ${row.label}. `
        : `They differ, and the ${named(MODALITIES[row.decided])} is closer to its seed, so it decides: ${row.label}. `;
      const kind = row.right ? "right" : "wrong";
      const verdict = element("strong", { class: kind }, `${row.right ? "✓" : "✗"} ${kind}`);
      panel.replaceChildren(
        element("div", { class: "who" }, picture(row.number, `Image of the item, ${title}`, 96),
                element("div", {}, element("p", { class: "title" }, title), element("p", { class: "text" }, text))),
        element("ul", {}, ...says), element("p", {}, end, verdict, ` (true class: ${row.true})`));
    }

    function fileRows() {
      return rows.map((row) => ({
        dataset, fold, budget, title: data.items[row.number][0], true_class: row.true,
        visual_label: row.visual.label, visual_distance: row.visual.distance, text_label: row.text.label,
        text_distance: row.text.distance, decided_by: row.outcome === 0 ? "both" : MODALITIES[row.decided],
        label: row.label, right: row.right,
      }));
    }

    view.follow(id, () => {
      dataset = view.one(key, names, dataset);
      const labels = read[names.indexOf(dataset)];
      fold = view.one("fold", [...Array(labels.folds).keys()].map((each) => each + 1), 1);
      budget = view.one("budget", data.budgets, firstBudget(data.budgets));
      filter = view.one("items", Object.keys(SHOWN));
      const wanted = JSON.stringify([dataset, fold, budget, filter]);
      if (wanted !== shown) {
        all = labels.labelled(fold - 1, data.budgets.indexOf(budget));
        rows = all.filter(SHOWN[filter]);
        sums.replaceChildren(...summary(all));
        shown = wanted;
        redraw();
      }
      fill();
      look(picked());
      link.href = view.address(id);
    });
    onWidth(root, redraw);
  };
})();
