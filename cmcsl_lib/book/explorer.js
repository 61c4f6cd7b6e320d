/* The explorer's two plots: scores against the budget, and items by their distances. Plain SVG and native controls:
   no library, no request, usable by keys. Data come from `cmcsl_lib/explorer.py`, as JSON beside this script. */
"use strict";
window.cmcslExplorer = (() => {
  const NS = "http://www.w3.org/2000/svg";
  const MARGIN = { left: 54, right: 14, top: 12, bottom: 46 };
  const MODALITIES = ["visual", "text"];
  const OUTCOMES = [
    { name: "modalities agree", colour: "#8a8a8a", mark: "circle", filled: false },
    { name: "differ, right label kept", colour: "#009E73", mark: "triangle", filled: true },
    { name: "differ, wrong label kept", colour: "#D55E00", mark: "square", filled: true },
  ];
  const SHOWN = {
    "all items": () => true,
    "labels differ": (row) => row.outcome > 0,
    "labels differ, the image decides": (row) => row.outcome > 0 && row.decided === 0,
    "labels differ, the text decides": (row) => row.outcome > 0 && row.decided === 1,
    "wrong label kept": (row) => !row.right,
  };

  // Elements -------------------------------------------------------------------------------------------------------

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function drawn(parent, name, attributes, text) {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  function choice(form, label, changed) {
    const select = element("select");
    select.addEventListener("change", changed);
    form.append(element("label", {}, `${label} `, select));
    return select;
  }

  /* Give a select its options; what was chosen stays chosen where it still can be. */
  function offer(select, names, values = names) {
    const before = select.value;
    select.replaceChildren(...names.map((name, i) => element("option", { value: values[i] }, name)));
    if (values.map(String).includes(before)) select.value = before;
  }

  function ticks(form, legend, names, changed) {
    const boxes = names.map((name) => {
      const box = element("input", { type: "checkbox", value: name });
      box.checked = true;
      box.addEventListener("change", changed);
      return box;
    });
    const labels = boxes.map((box) => element("label", {}, box, ` ${box.value}`));
    form.append(element("fieldset", {}, element("legend", {}, legend), ...labels));
    return () => boxes.filter((box) => box.checked).map((box) => box.value);
  }

  /* A plot with its buttons: draw(svg, width) fills it, rows() gives its numbers; it follows the width of the page. */
  function plot(root, name, label, draw, rows) {
    const svg = document.createElementNS(NS, "svg");
    svg.setAttribute("role", "img");
    const buttons = element("p", { class: "buttons" });
    for (const [kind, content] of [["CSV", () => csv(rows())], ["SVG", () => svgFile(svg)]]) {
      const button = element("button", { type: "button" }, `Save as ${kind}`);
      button.addEventListener("click", () => save(`${name}.${kind.toLowerCase()}`, content()));
      buttons.append(button);
    }
    root.append(svg, buttons);
    const redraw = () => {
      const width = Math.max(280, Math.min(root.clientWidth, 760));
      svg.replaceChildren();
      // No title element: Sphinx's marking of the words of a search fails in one.
      svg.setAttribute("aria-label", label());
      const height = draw(svg, width);
      for (const [key, value] of Object.entries({ viewBox: `0 0 ${width} ${height}`, width, height })) {
        svg.setAttribute(key, value);
      }
    };
    let width = 0;
    new ResizeObserver(() => {
      if (root.clientWidth !== width) { width = root.clientWidth; redraw(); }
    }).observe(root);
    return { svg, redraw };
  }

  // Files ----------------------------------------------------------------------------------------------------------

  function csv(rows) {
    // Spreadsheets run texts that begin so; numbers may be negative.
    const safe = (value) => (typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
    const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const field = (value) => quoted(safe(value));
    const lines = [Object.keys(rows[0] ?? {}), ...rows.map(Object.values)];
    return lines.map((line) => `${line.map(field).join(",")}\n`).join("");
  }

  function svgFile(svg) {
    const copy = svg.cloneNode(true);
    copy.setAttribute("xmlns", NS);
    copy.setAttribute("style", "color: #000; background: #fff");
    copy.querySelectorAll(".transient").forEach((part) => part.remove());
    return new XMLSerializer().serializeToString(copy);
  }

  function save(name, content) {
    const type = name.endsWith(".svg") ? "image/svg+xml" : "text/csv";
    const link = element("a", { download: name, href: URL.createObjectURL(new Blob([content], { type })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // Drawing --------------------------------------------------------------------------------------------------------

  function linear(low, high, from, to) {
    return (value) => from + ((value - low) / (high - low || 1)) * (to - from);
  }

  /* Round values from low to high, about as many as asked for. */
  function roundValues(low, high, count) {
    const rough = (high - low || 1) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
    const values = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9; i += 1) {
      values.push(Number((i * step).toFixed(10)));
    }
    return values;
  }

  function axes(svg, width, height, x, y, xValues, yValues, xLabel, yLabel) {
    const bottom = height - MARGIN.bottom;
    const group = drawn(svg, "g", { "font-family": "sans-serif", "font-size": 12, fill: "currentColor" });
    const ink = { stroke: "currentColor", fill: "none" };
    for (const value of yValues) {
      const line = `M${MARGIN.left} ${y(value)}H${width - MARGIN.right}`;
      drawn(group, "path", { d: line, ...ink, "stroke-opacity": 0.15 });
      drawn(group, "text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, value);
    }
    for (const value of xValues) {
      drawn(group, "path", { d: `M${x(value)} ${bottom}v4`, ...ink });
      drawn(group, "text", { x: x(value), y: bottom + 17, "text-anchor": "middle" }, value);
    }
    drawn(group, "path", { d: `M${MARGIN.left} ${MARGIN.top}V${bottom}H${width - MARGIN.right}`, ...ink });
    drawn(group, "text", { x: (MARGIN.left + width) / 2, y: bottom + 36, "text-anchor": "middle" }, xLabel);
    const upwards = `translate(14 ${(MARGIN.top + bottom) / 2}) rotate(-90)`;
    drawn(group, "text", { transform: upwards, "text-anchor": "middle" }, yLabel);
  }

  function mark(parent, kind, x, y, size, colour, filled) {
    const paint = { fill: filled ? colour : "none", stroke: colour, "stroke-width": 1.4 };
    if (kind === "circle") return drawn(parent, "circle", { cx: x, cy: y, r: size, ...paint });
    const shapes = { square: `M${x - size} ${y - size}h${2 * size}v${2 * size}h${-2 * size}z`,
                     triangle: `M${x} ${y - 1.2 * size}l${1.2 * size} ${2.2 * size}h${-2.4 * size}z` };
    return drawn(parent, "path", { d: shapes[kind], ...paint });
  }

  /* Entries {name, draw(group, x, y)} in as many lines as the width needs; gives the height that they take. */
  function legend(svg, width, top, entries) {
    const group = drawn(svg, "g", { "font-family": "sans-serif", "font-size": 12, fill: "currentColor" });
    let [x, y] = [MARGIN.left, top + 12];
    for (const entry of entries) {
      const wide = 40 + 6.6 * entry.name.length;
      if (x + wide > width && x > MARGIN.left) [x, y] = [MARGIN.left, y + 18];
      entry.draw(group, x, y - 4);
      drawn(group, "text", { x: x + 28, y }, entry.name);
      x += wide + 8;
    }
    return y + 10 - top;
  }

  // Scores against the budget --------------------------------------------------------------------------------------

  function scores(id) {
    const [root, data] = begin(id);
    const form = element("form");
    const update = () => { choices(); chart.redraw(); readings(); };
    const source = choice(form, "Scores", update);
    const dataset = choice(form, "Dataset", update);
    const classifier = choice(form, "Classifier", update);
    const modalities = ticks(form, "Modalities", MODALITIES, update);
    const methods = ticks(form, "Methods", Object.keys(data.styles), update);
    const slider = element("input", { type: "range", step: 1, min: 0 });
    slider.addEventListener("input", () => { chart.redraw(); readings(); });
    const budgetLabel = element("span");
    form.append(element("label", { class: "wide" }, budgetLabel, slider));
    form.addEventListener("submit", (event) => event.preventDefault());
    root.append(form);
    const table = element("table");

    offer(source, data.sources.map((each) => each.title), data.sources.map((_, i) => i));
    const chosen = () => data.sources[source.value];
    const budget = () => chosen().budgets[slider.value];

    function choices() {
      offer(dataset, Object.keys(chosen().datasets));
      offer(classifier, Object.keys(chosen().datasets[dataset.value]));
      slider.max = chosen().budgets.length - 1;
    }

    function series() {
      const values = chosen().datasets[dataset.value][classifier.value];
      return modalities().flatMap((modality) => methods().map((method) => {
        const its = values[modality]?.[method] ?? values.both?.[method];
        const style = data.styles[method];
        return its && { method, modality, style, level: its.length === 1,
                        values: chosen().budgets.map((_, i) => its[Math.min(i, its.length - 1)]) };
      })).filter(Boolean);
    }

    /* Colour and mark tell the method; lines of texts are dashed and their marks hollow. */
    function line(parent, its, path) {
      const text = its.modality === "text";
      const dash = { FULL: text ? "12 3" : "none", EF: "7 4", LF: "2 3" }[its.method] ?? (text ? "5 3" : "none");
      const colour = its.style.colour === "#000000" ? "currentColor" : its.style.colour;
      drawn(parent, "path", { d: path, fill: "none", stroke: colour, "stroke-width": its.level ? 1.2 : 1.6,
                              "stroke-dasharray": dash,
                              "stroke-opacity": its.level && text ? 0.55 : 1 });
      return (x, y) => its.style.mark && mark(parent, its.style.mark, x, y, 3, colour, its.modality === "visual");
    }

    function draw(svg, width) {
      const height = Math.round(Math.max(300, 0.55 * width));
      const all = series();
      const flat = all.flatMap((its) => its.values);
      const budgets = chosen().budgets;
      const steps = roundValues(Math.min(...flat, 1), Math.max(...flat, 0), 5);
      const step = (steps[1] ?? 0.1) - (steps[0] ?? 0);
      const [low, high] = [Math.min(...flat) - step / 4, Math.max(...flat) + step / 4];
      const x = linear(budgets[0], budgets.at(-1), MARGIN.left + 8, width - MARGIN.right - 8);
      const y = linear(low, high, height - MARGIN.bottom, MARGIN.top);
      axes(svg, width, height, x, y, roundValues(budgets[0], budgets.at(-1), 6).filter(Number.isInteger),
           roundValues(low, high, 5), "Labelled samples per class", "Balanced accuracy");
      const cursor = { class: "transient", stroke: "currentColor", "stroke-opacity": 0.4 };
      drawn(svg, "path", { d: `M${x(budget())} ${MARGIN.top}V${height - MARGIN.bottom}`, ...cursor });
      for (const its of all) {
        const points = its.values.map((value, i) => [x(budgets[i]), y(value)]);
        const at = line(svg, its, `M${points.map((point) => point.join(" ")).join("L")}`);
        if (!its.level) points.forEach((point) => at(...point));
      }
      return height + legend(svg, width, height, all.map((its) => ({
        name: `${its.method}, ${its.modality}`,
        draw: (group, left, middle) => line(group, its, `M${left} ${middle}h22`)(left + 11, middle),
      })));
    }

    function readings() {
      budgetLabel.textContent = `At ${budget()} labelled ${budget() === 1 ? "sample" : "samples"} per class`;
      const heads = ["Method", "Modality", "Balanced accuracy"].map((name) => element("th", { scope: "col" }, name));
      const lines = series().map((its) => [its.method, its.modality, its.values[slider.value].toFixed(3)]);
      table.replaceChildren(
        element("caption", {}, `${dataset.value}, ${classifier.value}, ${chosen().title}`), element("tr", {}, ...heads),
        ...lines.map((line) => element("tr", {}, ...line.map((text) => element("td", {}, text)))));
    }

    const rows = () => series().flatMap((its) => its.values.map((value, i) => ({
      scores: chosen().title, dataset: dataset.value, classifier: classifier.value, modality: its.modality,
      method: its.method, budget: its.level ? 0 : chosen().budgets[i], balanced_accuracy: value,
    })).slice(0, its.level ? 1 : undefined));
    choices();
    slider.value = 4;
    const label = () => `Balanced accuracy by budget: ${dataset.value}, ${classifier.value}, ${chosen().title}`;
    const chart = plot(root, "scores", label, draw, rows);
    root.append(table);
    readings();
  }

  // Items by their distances ---------------------------------------------------------------------------------------

  function items(id) {
    const [root, data] = begin(id);
    const form = element("form");
    const dataset = choice(form, "Dataset", () => { refill(); });
    const budget = choice(form, "Seeds per class", () => { refill(); });
    const filter = choice(form, "Show", () => { refill(); });
    const item = choice(form, "Item", () => { chart.redraw(); tell(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    root.append(form);
    const panel = element("div", { class: "item", role: "status" });
    let rows = [];

    offer(dataset, Object.keys(data.datasets));
    offer(filter, Object.keys(SHOWN));
    offer(budget, Object.keys(data.datasets[dataset.value].budgets));
    // To begin with, what the exchange is about, at a budget in the middle.
    filter.value = "labels differ";
    budget.selectedIndex = Math.floor(budget.length / 2);

    function refill() {
      const { classes, budgets } = data.datasets[dataset.value];
      offer(budget, Object.keys(budgets));
      const its = budgets[budget.value];
      rows = its.item.map((number, i) => {
        const row = { number, title: data.items[number][0], true: classes[its.true[i]], label: classes[its.label[i]],
                      decided: its.decided[i], right: its.true[i] === its.label[i] };
        for (const modality of MODALITIES) {
          const { label, distance, seed } = its[modality];
          row[modality] = { label: classes[label[i]], distance: distance[i], seed: seed[i] };
        }
        row.outcome = row.visual.label === row.text.label ? 0 : row.right ? 1 : 2;
        return row;
      }).filter(SHOWN[filter.value]);
      offer(item, rows.map((row) => `${row.title} (${row.true})`), rows.map((row) => row.number));
      chart.redraw();
      tell();
    }

    const current = () => rows.find((row) => String(row.number) === item.value);

    function draw(svg, width) {
      const height = Math.round(Math.min(width, 560));
      const values = rows.flatMap((row) => [row.visual.distance, row.text.distance]);
      const [low, high] = values.length ? [Math.min(...values) - 0.5, Math.max(...values) + 0.5] : [0, 1];
      const x = linear(low, high, MARGIN.left, width - MARGIN.right);
      const y = linear(low, high, height - MARGIN.bottom, MARGIN.top);
      const steps = roundValues(low, high, 6);
      const [across, up] = ["image", "text"].map((name) => `Distance to the nearest seed, ${name}`);
      axes(svg, width, height, x, y, steps, steps, across, up);
      const diagonal = `M${x(low)} ${y(low)}L${x(high)} ${y(high)}`;
      drawn(svg, "path", { d: diagonal, stroke: "currentColor", "stroke-opacity": 0.6 });
      for (const row of rows) {
        const outcome = OUTCOMES[row.outcome];
        const [right, above] = [x(row.visual.distance), y(row.text.distance)];
        mark(svg, outcome.mark, right, above, 3.2, outcome.colour, outcome.filled).dataset.item = row.number;
      }
      const its = current();
      if (its) {
        const place = { cx: x(its.visual.distance), cy: y(its.text.distance), r: 9 };
        drawn(svg, "circle", { class: "transient", ...place, fill: "none", stroke: "currentColor", "stroke-width": 2 });
      }
      svg.onclick = (event) => {
        const box = svg.getBoundingClientRect();
        const [left, top] = [event.clientX - box.left, event.clientY - box.top].map((at) => (at * width) / box.width);
        const away = (row) => Math.hypot(x(row.visual.distance) - left, y(row.text.distance) - top);
        const nearest = rows.toSorted((a, b) => away(a) - away(b))[0];
        if (nearest) { item.value = nearest.number; chart.redraw(); tell(); }
      };
      return height + legend(svg, width, height, OUTCOMES.map((outcome) => ({
        name: outcome.name,
        draw: (group, left, at) => mark(group, outcome.mark, left + 14, at, 4, outcome.colour, outcome.filled),
      })));
    }

    function picture(number, alt, size) {
      if (!data.images[number]) return "";
      const src = `data:image/webp;base64,${data.images[number]}`;
      return element("img", { src, alt, width: size, height: size });
    }

    function tell() {
      const row = current();
      if (!row) { panel.replaceChildren("No item is shown."); return; }
      const [title, text] = data.items[row.number];
      const says = MODALITIES.map((modality) => {
        const { label, distance, seed } = row[modality];
        const name = modality === "visual" ? "image" : "text";
        const told = `The ${name} is nearest to the seed “${data.items[seed][0]}”, at ${distance.toFixed(2)}: `;
        const drawing = picture(seed, `Image of that seed, ${data.items[seed][0]}`, 48);
        return element("li", {}, drawing, element("span", {}, told, element("strong", {}, label)));
      });
      const decider = row.decided === 0 ? "image" : "text";
      const end = row.outcome === 0 ? `Both say ${row.label}. `
        : `They differ, and the ${decider} is closer to its seed, so it decides: ${row.label}. `;
      const kind = row.right ? "right" : "wrong";
      const verdict = element("strong", { class: kind }, `${row.right ? "✓" : "✗"} ${kind}`);
      const drawing = picture(row.number, `Image of the chosen item, ${title}`, 144);
      panel.replaceChildren(drawing, element("div", {},
        element("p", { class: "title" }, title), element("p", {}, text), element("ul", {}, ...says),
        element("p", {}, end, verdict, ` (true class: ${row.true})`)));
    }

    const table = () => rows.map((row) => ({
      dataset: dataset.value, budget: budget.value, title: row.title, true_class: row.true,
      visual_label: row.visual.label, visual_distance: row.visual.distance, text_label: row.text.label,
      text_distance: row.text.distance, decided_by: row.outcome === 0 ? "both" : MODALITIES[row.decided],
      label: row.label, right: row.right,
    }));
    const label = () => `Distances of items of ${dataset.value} to their nearest seeds, ${budget.value} per class`;
    const chart = plot(root, "items", label, draw, table);
    root.append(panel);
    refill();
  }

  function begin(id) {
    const root = document.getElementById(id);
    root.replaceChildren();
    return [root, JSON.parse(document.getElementById(`${id}-data`).textContent)];
  }

  return { scores, items };
})();
