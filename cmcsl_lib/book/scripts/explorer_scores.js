/* Scores against the budget: methods in one panel or two, or the difference of two methods with its spread over folds. */
"use strict";
window.cmcslExplore ??= {};
window.cmcslExplore.scores = (() => {
  const { element, drawn, drawing, set, begin, onWidth, count, mean } = cmcslElements;
  const { MARGIN, LETTERS, linear, roundValues, axes, mark, legend } = cmcslChart;
  const { newForm, choice, ticks, slider } = cmcslControls;
  const { saveButtons } = cmcslSaving;
  const { MODALITIES, firstBudget, readSource } = cmcslExplorerData;
  const view = cmcslView;
  const [ACCURACY, DIFFERENCE] = ["balanced accuracy", "difference of two methods"];
  /** Panels stand side by side from this width on. */
  const WIDE = 560;
  /** Differences of means that are equal may be as large. */
  const ROUNDING = 1e-9;
  const DASHES = { FULL: { visual: "none", text: "12 3" }, EF: { both: "7 4" }, LF: { both: "2 3" } };

  /** What the values of the view mean for these sources: panels, and which of their lines are wanted. */
  function viewed({ sources, styles }) {
    const source = view.one("scores", sources.map((each) => each.title));
    const titles = [source, ...sources.map((each) => each.title).filter((title) => title === view.get("beside"))];
    const difference = view.one("show", [ACCURACY, DIFFERENCE]) === DIFFERENCE;
    const panels = titles.map((title, i) => {
      const scored = sources.find((each) => each.title === title);
      const own = view.one(`dataset-${scored.corpus}`, scored.names);
      const methods = view.some("methods", Object.keys(styles));
      const only = i === 1 && view.one("beside-method", Object.keys(styles), null);
      return {
        source: scored,
        dataset: i === 0 ? own : view.one("beside-dataset", scored.names, own),
        classifier: view.one("classifier", scored.classifiers),
        methods: only ? [only] : methods,
        fold: scored.folds > 1 ? view.one("fold", [...Array(scored.folds).keys()].map((fold) => fold + 1), 0) : 0,
      };
    });
    const { budgets } = panels[0].source;
    return {
      panels, difference, modalities: view.some("modalities", MODALITIES),
      pair: [view.one("first", Object.keys(styles), "CMCSL"), view.one("minus", Object.keys(styles), "UNI")],
      budgets, budget: view.one("budget", budgets, firstBudget(budgets)),
    };
  }

  /** Lines of a panel: mean over folds or one fold, and the lowest and highest fold, by budget. */
  function lines(panel, { difference, pair, modalities }, { styles, colours }) {
    const { source, dataset, classifier, methods } = panel;
    const own = (modality, method) => source.values(dataset, classifier, modality, method);
    const of = (modality, method) => own(modality, method) ?? own("both", method);
    // EF and LF have one classifier for both modalities.
    const accuracies = () => (modalities.length ? [...modalities, "both"] : []).flatMap((modality) => methods.map((method) => {
      const found = own(modality, method);
      return found && { method, modality, style: styles[method], ...found };
    }));
    const differences = (modality) => {
      const [first, minus] = pair.map((method) => of(modality, method));
      return first && minus && {
        method: pair.join(" − "), modality, style: { colour: colours[modality], mark: "circle" },
        level: first.level && minus.level,
        folds: first.folds.map((steps, fold) => steps.map((value, i) => value - minus.folds[fold][i])),
      };
    };
    const all = difference ? modalities.flatMap(differences) : accuracies();
    return all.filter(Boolean).map((line) => {
      const byBudget = line.folds[0].map((_, i) => line.folds.map((steps) => steps[i]));
      return {
        ...line, byBudget,
        values: panel.fold ? line.folds[panel.fold - 1] : byBudget.map(mean),
        low: byBudget.map((each) => Math.min(...each)), high: byBudget.map((each) => Math.max(...each)),
      };
    });
  }

  // Drawing --------------------------------------------------------------------------------------------------------

  /** Colour and mark tell the method; lines of texts are dashed and their marks hollow.
   * @returns {(x: number, y: number) => void} draws a mark */
  function curve(parent, line, path) {
    const text = line.modality === "text";
    const dash = DASHES[line.method]?.[line.modality] ?? (text ? "5 3" : "none");
    const colour = line.style.colour === "#000000" ? "currentColor" : line.style.colour;
    drawn(parent, "path", { d: path, fill: "none", stroke: colour, "stroke-width": line.level ? 1.2 : 1.6,
                            "stroke-dasharray": dash, "stroke-opacity": line.level && text ? 0.55 : 1 });
    return (x, y) => line.style.mark && mark(parent, line.style.mark, x, y, 3, colour, !text);
  }

  const joined = (points) => points.map((point) => point.join(" ")).join("L");

  function drawPanel(svg, box, panel, now, low, high) {
    const { source: { budgets }, lines: all } = panel;
    const x = linear(budgets[0], budgets.at(-1), box.left + 8, box.right - 8);
    const y = linear(low, high, box.bottom, box.top);
    const steps = roundValues(budgets[0], budgets.at(-1), box.right - box.left > 400 ? 6 : 4).filter(Number.isInteger);
    const [first, minus] = now.pair;
    axes(svg, box, { scale: x, values: steps, label: "Labelled samples per class" },
         { scale: y, values: roundValues(low, high, 5),
           label: now.difference ? `Balanced accuracy, ${first} − ${minus}` : "Balanced accuracy" });
    if (now.panels.length > 1) {
      drawn(svg, "text", { ...LETTERS, x: box.left, y: box.top - 20, "font-weight": 600 }, `${panel.dataset}, ${panel.classifier}`);
      drawn(svg, "text", { ...LETTERS, x: box.left, y: box.top - 6 }, panel.source.title);
    }
    if (budgets.includes(now.budget)) {
      const cursor = { class: "transient", stroke: "currentColor", "stroke-opacity": 0.4 };
      drawn(svg, "path", { d: `M${x(now.budget)} ${box.top}V${box.bottom}`, ...cursor });
    }
    for (const line of all) {
      const at = (values) => values.map((value, i) => [x(budgets[i]), y(value)]);
      if (now.difference && line.folds.length > 1) {
        const band = `M${joined(at(line.low))}L${joined(at(line.high).toReversed())}Z`;
        drawn(svg, "path", { d: band, fill: line.style.colour, "fill-opacity": 0.16, class: "spread" });
      }
      const marked = curve(svg, line, `M${joined(at(line.values))}`);
      if (!line.level) at(line.values).forEach((point) => marked(...point));
    }
  }

  /** @returns {number} the height of the drawing */
  function draw(svg, width, now) {
    const { panels, difference } = now;
    const all = panels.flatMap((panel) => panel.lines);
    const flat = all.flatMap((line) => (difference ? [...line.low, ...line.high, ...line.values, 0] : line.values));
    const [least, most] = [Math.min(...flat), Math.max(...flat)];
    const room = (most - least || 0.1) / 20;
    const across = panels.length > 1 && width >= WIDE ? 2 : 1;
    const wide = width / across;
    const tall = Math.round(Math.max(290, (across > 1 ? 0.85 : 0.55) * wide));
    const above = panels.length > 1 ? 32 : 0;
    panels.forEach((panel, i) => {
      const [left, top] = across > 1 ? [i * wide, 0] : [0, i * (tall + above)];
      const box = { left: left + MARGIN.left, right: left + wide - MARGIN.right,
                    top: top + above + MARGIN.top, bottom: top + above + tall - MARGIN.bottom };
      drawPanel(svg, box, panel, now, least - room, most + room);
    });
    const height = (across > 1 ? 1 : panels.length) * (tall + above);
    const named = new Map(all.map((line) => [`${line.method}, ${line.modality}`, line]));
    return height + legend(svg, width, height, [...named].map(([name, line]) => ({
      name, draw: (group, left, middle) => curve(group, line, `M${left} ${middle}h22`)(left + 11, middle),
    })));
  }

  // Numbers --------------------------------------------------------------------------------------------------------

  function signed(value) {
    const digits = Math.abs(value).toFixed(3);
    return (Number(digits) === 0 ? "" : value < 0 ? "−" : "+") + digits;
  }
  const where = ({ dataset, classifier, source, fold }) =>
    `${dataset}, ${classifier}, ${source.title}${fold ? `, fold ${fold}` : source.folds > 1 ? `, mean of ${source.folds} folds` : ""}`;

  function table(panel, now) {
    const shown = now.difference ? signed : (value) => value.toFixed(3);
    const place = panel.source.budgets.indexOf(now.budget);
    const spread = panel.source.folds > 1;
    const heads = [...(now.difference ? ["Modality", "Difference"] : ["Method", "Modality", "Balanced accuracy"]),
                   ...(spread ? ["Lowest to highest fold"] : []), ...(spread && now.difference ? ["Folds above 0"] : [])];
    const rows = place < 0 ? [] : panel.lines.map((line) => [
      ...(now.difference ? [] : [line.method]), line.modality, shown(line.values[place]),
      ...(spread ? [`${shown(line.low[place])} to ${shown(line.high[place])}`] : []),
      ...(spread && now.difference
        ? [`${line.byBudget[place].filter((value) => value > ROUNDING).length} of ${line.folds.length}`] : []),
    ]);
    const caption = `${now.difference ? `${now.pair.join(" − ")}, ` : ""}${where(panel)}`;
    return element("table", {}, element("caption", {}, caption),
                   element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head))),
                   ...rows.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text)))));
  }

  const fileRows = ({ panels, difference }) => panels.flatMap((panel) => panel.lines.flatMap((line) => {
    const number = (value) => Number(value.toFixed(4));
    const rows = line.values.map((value, i) => ({
      scores: panel.source.title, dataset: panel.dataset, classifier: panel.classifier, fold: panel.fold || "mean",
      modality: line.modality, method: line.method, budget: line.level ? 0 : panel.source.budgets[i],
      [difference ? "difference" : "balanced_accuracy"]: number(value), lowest_fold: number(line.low[i]),
      highest_fold: number(line.high[i]),
    }));
    return line.level ? rows.slice(0, 1) : rows;
  }));

  // The plot -------------------------------------------------------------------------------------------------------

  return async function scores(id) {
    const [root, raw] = begin(id);
    const data = { ...raw, sources: await Promise.all(raw.sources.map((source) => readSource(source, raw.parts))) };
    const titles = data.sources.map((source) => source.title);
    const methods = Object.keys(data.styles);
    let now;
    const put = (key) => (value) => view.put(id, { [key]: value });
    const form = newForm();
    const source = choice(form, "Scores", put("scores"));
    const dataset = choice(form, "Dataset", (value) => view.put(id, { [`dataset-${now.panels[0].source.corpus}`]: value }));
    const classifier = choice(form, "Classifier", put("classifier"));
    const fold = choice(form, "Fold", put("fold"));
    const shown = choice(form, "Show", put("show"));
    const first = choice(form, "Method", put("first"));
    const minus = choice(form, "minus", put("minus"));
    const modalities = ticks(form, "Modalities", MODALITIES, put("modalities"));
    const ticked = ticks(form, "Methods", methods, put("methods"));
    const beside = choice(form, "Beside it", put("beside"));
    const besideDataset = choice(form, "its dataset", put("beside-dataset"));
    const besideMethod = choice(form, "its methods", put("beside-method"));
    const budget = slider(form, (place) => view.put(id, { budget: now.budgets[place] }));
    const svg = drawing({ role: "img" });
    const nothing = element("p", { role: "status", class: "nothing" });
    const link = element("a", {}, "Link to this view");
    const tables = element("div", { class: "tables" });
    root.append(form, nothing, svg, element("p", { class: "buttons" }, ...saveButtons("scores", svg, () => fileRows(now)), link), tables);

    function fill() {
      const [left, right] = now.panels;
      const same = (control, names, value) => control.offer(names, names, value);
      same(source, titles, left.source.title);
      same(dataset, left.source.names, left.dataset);
      same(classifier, left.source.classifiers, left.classifier);
      const numbers = left.source.folds > 1 ? [...Array(left.source.folds).keys()].map((each) => each + 1) : [];
      fold.offer(["mean of all", ...numbers], [0, ...numbers], left.fold);
      same(shown, [ACCURACY, DIFFERENCE], now.difference ? DIFFERENCE : ACCURACY);
      same(first, methods, now.pair[0]);
      same(minus, methods, now.pair[1]);
      modalities.mark(now.modalities);
      ticked.mark(left.methods);
      beside.offer(["nothing", ...titles], ["", ...titles], right?.source.title ?? "");
      if (right) {
        same(besideDataset, right.source.names, right.dataset);
        besideMethod.offer(["those ticked", ...methods], ["", ...methods], view.one("beside-method", methods, ""));
      }
      first.whole.hidden = minus.whole.hidden = !now.difference;
      ticked.whole.hidden = now.difference;
      besideDataset.whole.hidden = !right;
      besideMethod.whole.hidden = !right || now.difference;
      budget(now.budgets.length, now.budgets.indexOf(now.budget), `At ${count(now.budget, "labelled sample")} per class`);
    }

    function redraw() {
      const width = Math.max(280, Math.min(root.clientWidth, 760));
      const empty = !now.panels.some((panel) => panel.lines.length);
      nothing.textContent = !empty ? "" : now.modalities.length && now.panels.some((panel) => panel.methods.length)
        ? "Nothing is drawn: these scores have none of these methods." : "Nothing is drawn: tick at least one modality and one method.";
      svg.toggleAttribute("hidden", empty);
      tables.hidden = empty;
      svg.replaceChildren();
      if (empty) return;
      // No title element: Sphinx's marking of the words of a search fails in one.
      const what = now.difference ? `Balanced accuracy of ${now.pair[0]} minus that of ${now.pair[1]}` : "Balanced accuracy";
      const height = draw(svg, width, now);
      set(svg, { "aria-label": `${what} by budget: ${now.panels.map(where).join("; ")}`, viewBox: `0 0 ${width} ${height}`, width, height });
    }

    view.follow(id, () => {
      now = viewed(data);
      for (const panel of now.panels) panel.lines = lines(panel, now, data);
      fill();
      redraw();
      tables.replaceChildren(...now.panels.map((panel) => table(panel, now)));
      link.href = view.address(id);
    });
    onWidth(root, redraw);
  };
})();
