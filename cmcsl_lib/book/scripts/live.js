/* Algorithm 1, live: a toy in two planes whose items can be moved, and a training half of a dataset whose seeds can be
   drawn and picked. Plain SVG and native controls: no library, no request, usable by keys. `elements.js` has the
   elements, `live_method.js` calculates; data come from `cmcsl_lib/book/live.py`, as JSON beside this script. */
"use strict";
window.cmcslLive = (() => {
  const { decoded, preprocessed, distancesOf, generator, labeling, clustering, propagate, nearest, calibrated } = cmcslMethod;
  const { set, element, drawn, drawing, button, tick, begin, onWidth, count, percent, mean, capital } = cmcslElements;
  const MODALITIES = ["visual", "text"];
  // Okabe and Ito's, told apart by colour-blind readers; whatever a colour says, a shape, mark or word says too.
  const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8AC00", "#7A7A7A"];
  const colour = (label) => COLOURS[label % COLOURS.length];
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // The exchange, as both parts count it ---------------------------------------------------------------------------

  /** Run LABELING's seeds through CLUSTERING, PROPAGATE and an exchange.
   * @param {{matrix: object, distances: (row: number) => Float64Array, scale: number}[]} modalities
   * @param {string} rule  `calibrated`, or else NEAREST */
  function exchange(modalities, seeds, y, classes, rule) {
    const clusters = modalities.map(({ distances, scale }) => {
      const { seed, distance } = clustering(distances, seeds, y.length);
      return { seed, distance: distance.map((away) => away / scale) };
    });
    const own = clusters.map((each) => propagate(each, seeds, y));
    const together = rule === "calibrated" ? calibrated(modalities, seeds, y, classes)
      : nearest(own, clusters.map((each) => each.distance));
    return { clusters, own, ...together };
  }

  /** How many labels of items that are no seeds are right, and who decides where modalities differ. */
  function counted({ own, label, modality }, seeds, y) {
    const known = new Set(seeds);
    const hidden = [...y.keys()].filter((row) => !known.has(row));
    const right = (labels, rows = hidden) => rows.filter((row) => labels[row] === y[row]).length;
    const differing = hidden.filter((row) => own[0][row] !== own[1][row]);
    const decides = [0, 1].map((which) => differing.filter((row) => modality[row] === which));
    return {
      hidden: hidden.length, right: [right(own[0]), right(own[1]), right(label)], differing: differing.length,
      decides: decides.map((rows) => rows.length), decidesRight: decides.map((rows) => right(label, rows)),
    };
  }

  /** Who decides how many labels, and how many of them are right. */
  const deciders = ({ decides, decidesRight }, names) => [0, 1].map((m) => `the ${names[m]} ` +
    `${m === 0 ? "decides " : ""}${decides[m]}${decides[m] ? ` (${decidesRight[m]} right)` : ""}`).join(", ");

  // The toy --------------------------------------------------------------------------------------------------------

  const STEPS = ["LABELING", "PREPROCESS", "CLUSTERING", "PROPAGATE", "NEAREST"];
  const NAMES = ["picture", "text"];
  /** Deviations from the middle of a plane to its border. */
  const REACH = 2.6;
  const SHAPES = {
    circle: "M6.5 0A6.5 6.5 0 1 1 -6.5 0A6.5 6.5 0 1 1 6.5 0z",
    square: "M-6 -6H6V6H-6z",
    triangle: "M0 -7.6L7.4 5.6H-7.4z",
  };

  function toy(id) {
    const [root, data] = begin(id);
    const { classes, y } = data;
    const names = y.map((label, i) => `${classes[label]} ${i - y.indexOf(label) + 1}`);
    const start = () => ({ seeds: [...data.seeds], places: MODALITIES.map((name) => data[name].map((place) => [...place])) });
    let { seeds, places } = start();
    let [step, skipped, draws, lit] = [1, false, 0, null];
    let frames; // mean and deviation of each plane's columns
    let result;
    let shown; // where each item is drawn, in pixels, plane by plane
    let motion = 0;
    let panels = [];

    // Controls
    const stepButtons = STEPS.map((name, i) => button(`${i + 1} ${name}`, () => go(i + 1)));
    const steps = element("div", { class: "steps", role: "group", "aria-label": "Steps of the algorithm" }, ...stepButtons);
    steps.addEventListener("keydown", (event) => {
      const towards = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 1, End: STEPS.length }[event.key];
      if (towards === undefined) return;
      event.preventDefault();
      go(towards);
      stepButtons[step - 1].focus();
    });
    const back = button("◀ Back", () => go(step - 1));
    const next = button("Next ▶", () => go(step + 1), { class: "main" });
    const caption = element("p", { class: "caption", role: "status" });
    const other = button("Draw other seeds", () => {
      draws += 1;
      seeds = labeling(y, classes.length, 1, generator(draws));
      settle();
    });
    const skip = tick("leave out PREPROCESS", (checked) => { skipped = checked; settle(); });
    const over = button("Start over", () => {
      ({ seeds, places } = start());
      [step, skipped, draws] = [1, false, 0];
      skip.querySelector("input").checked = false;
      settle();
    });
    const svg = drawing({ role: "group", "aria-label": "Two planes with the same items: pictures, and texts" });
    const ground = drawn(svg, "g", { "aria-hidden": "true" });
    const marks = MODALITIES.map(() => drawn(svg, "g", {}));
    const reading = element("p", { class: "reading" });
    const legend = element("p", { class: "legend" });
    const table = element("table", {});
    root.append(
      steps, element("div", { class: "controls" }, back, next, other, over, skip), caption, svg, legend, reading,
      element("div", { class: "conflicts" }, table));
    legend.append(...classes.map((name, label) => key(name, colour(label))), key("seed", "none", "seed"),
                  key("picture and text differ", "none", "ring"), key("wrong label", "none", "cross"),
                  " Shape: true class. Colour: label.");
    const hint = "Drag any item, or move it with the arrow keys; Enter makes it the seed of its class.";

    function key(text, fill, kind = "plain") {
      const icon = drawing({ width: 20, height: 20, viewBox: "-12 -12 24 24", "aria-hidden": "true" });
      drawn(icon, "path", { d: SHAPES[text] ?? SHAPES.circle, fill, class: `glyph ${kind === "seed" ? "seed" : ""}` });
      if (kind === "ring") drawn(icon, "circle", { r: 10.5, class: "ring" });
      if (kind === "cross") drawn(icon, "path", { d: "M-4 -4L4 4M-4 4L4 -4", class: "cross" });
      return element("span", {}, icon, text);
    }

    // Items: one mark in each plane
    const points = MODALITIES.map((_, plane) => y.map((label, i) => {
      const point = drawn(marks[plane], "g", { class: "point", tabindex: 0, role: "button" });
      drawn(point, "circle", { r: 15, class: "hit" });
      drawn(point, "circle", { r: 11.5, class: "ring" });
      drawn(point, "path", { d: SHAPES[classes[label]], class: "glyph" });
      drawn(point, "path", { d: "M-3.4 -3.4L3.4 3.4M-3.4 3.4L3.4 -3.4", class: "cross" });
      point.addEventListener("pointerdown", (event) => grab(event, plane, i));
      point.addEventListener("dblclick", () => crown(i));
      point.addEventListener("keydown", (event) => press(event, plane, i));
      for (const [name, now] of [["pointerenter", i], ["focus", i], ["pointerleave", null], ["blur", null]]) {
        point.addEventListener(name, () => { lit = now; draw(); });
      }
      return point;
    }));

    function crown(i) {
      seeds = seeds.map((seed) => (y[seed] === y[i] ? i : seed));
      settle();
    }

    function press(event, plane, i) {
      const far = event.shiftKey ? 0.5 : 0.1;
      const by = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] }[event.key];
      if (by) {
        const { gain } = view()[plane];
        places[plane][i] = places[plane][i].map((value, axis) => value + by[axis] / gain[axis]);
        settle(false);
      } else if (event.key === "Enter" || event.key === " ") crown(i);
      else if (event.key === "Escape") next.focus();
      else return;
      event.preventDefault();
    }

    function grab(event, plane, i) {
      const point = points[plane][i];
      const box = svg.getBoundingClientRect();
      event.preventDefault();
      point.focus({ preventScroll: true });
      point.setPointerCapture(event.pointerId);
      // The plane's unit stands still while an item is moved; afterwards it is measured anew.
      const move = (moved) => {
        const { left, top, size } = panels[plane];
        const { middle, gain } = view()[plane];
        const inside = (at) => Math.max(-0.97, Math.min(0.97, at)) * REACH;
        const at = [inside((2 * (moved.clientX - box.left - left)) / size - 1),
                    inside(1 - (2 * (moved.clientY - box.top - top)) / size)];
        places[plane][i] = at.map((value, axis) => middle[axis] + value / gain[axis]);
        cancelAnimationFrame(motion);
        calculate();
        shown = targets();
        draw();
      };
      point.addEventListener("pointermove", move);
      for (const end of ["pointerup", "pointercancel"]) {
        point.addEventListener(end, () => { point.removeEventListener("pointermove", move); settle(); }, { once: true });
      }
    }

    // Calculation
    function frame(plane) {
      const columns = [0, 1].map((axis) => places[plane].map((place) => place[axis]));
      const middle = columns.map(mean);
      return { middle, deviation: columns.map((values, axis) => Math.sqrt(mean(values.map((v) => (v - middle[axis]) ** 2))) || 1) };
    }

    const prepared = () => step >= 2 && !skipped;

    /* The middle of each plane, and how many of its units make one unit of the drawing: the same for all columns before
       PREPROCESS, afterwards each column's own. */
    function view() {
      const widest = Math.max(...frames.flatMap((each) => each.deviation));
      return frames.map(({ middle, deviation }) => ({
        middle, gain: deviation.map((each) => 1 / (prepared() ? each : widest)),
      }));
    }

    function calculate() {
      const modalities = places.map((plane) => {
        const raw = { values: Float64Array.from(plane.flat()), rows: y.length, columns: 2 };
        const matrix = preprocessed(raw, skipped ? "RAW" : "STD");
        return { matrix, distances: distancesOf(matrix), scale: 1 };
      });
      result = exchange(modalities, seeds, y, classes.length, "distance");
    }

    function targets() {
      return view().map(({ middle, gain }, plane) => {
        const { left, top, size } = panels[plane];
        const at = (place, axis) => ((place[axis] - middle[axis]) * gain[axis] * size) / (2 * REACH);
        return places[plane].map((place) => [left + size / 2 + at(place, 0), top + size / 2 - at(place, 1)]);
      });
    }

    function go(to) {
      step = Math.max(1, Math.min(STEPS.length, to));
      settle();
    }

    /* Calculate everything, let items glide to their places, and say what the step does. */
    function settle(gliding = true) {
      frames = MODALITIES.map((_, plane) => frame(plane));
      calculate();
      if (panels.length) glide(gliding && shown && !still.matches ? 600 : 0);
      stepButtons.forEach((each, i) => {
        each.toggleAttribute("aria-current", i + 1 === step);
        if (i + 1 === step) each.setAttribute("aria-current", "step");
        each.classList.toggle("past", i + 1 < step);
      });
      back.disabled = step === 1;
      next.disabled = step === STEPS.length;
      caption.replaceChildren(...told());
      tabulate();
    }

    function glide(duration) {
      cancelAnimationFrame(motion);
      const [from, to, begun] = [shown, targets(), performance.now()];
      const frameOf = (now) => {
        const part = duration ? Math.min(1, Math.max(0, now - begun) / duration) : 1;
        const eased = part * part * (3 - 2 * part);
        shown = to.map((plane, p) => plane.map((place, i) => place.map(
          (value, axis) => (part < 1 ? from[p][i][axis] + eased * (value - from[p][i][axis]) : value))));
        draw();
        if (part < 1) motion = requestAnimationFrame(frameOf);
      };
      frameOf(begun);
    }

    // Drawing
    const differs = (i) => !seeds.includes(i) && result.own[0][i] !== result.own[1][i];

    /** The part of a plane that is nearer to one seed than to the others: its square, cut by each border. */
    function cell(plane, number) {
      const { left, top, size } = panels[plane];
      const spots = seeds.map((seed) => shown[plane][seed]);
      let corners = [[left, top], [left + size, top], [left + size, top + size], [left, top + size]];
      const [x, z] = spots[number];
      for (const [otherX, otherZ] of spots.filter((_, i) => i !== number)) {
        const side = ([a, b]) => (a - (x + otherX) / 2) * (otherX - x) + (b - (z + otherZ) / 2) * (otherZ - z);
        corners = corners.flatMap((corner, i) => {
          const following = corners[(i + 1) % corners.length];
          const [here, there] = [side(corner), side(following)];
          const cut = here / (here - there);
          const border = corner.map((value, axis) => value + cut * (following[axis] - value));
          return [...(here <= 0 ? [corner] : []), ...((here < 0 && there > 0) || (here > 0 && there < 0) ? [border] : [])];
        });
      }
      return corners;
    }

    function draw() {
      ground.replaceChildren();
      panels.forEach(({ left, top, size }, plane) => {
        drawn(ground, "text", { x: left, y: top - 8, class: "title" }, `${capital(NAMES[plane])}s`);
        if (step >= 3) {
          seeds.forEach((seed, number) => {
            const corners = cell(plane, number);
            if (!corners.length) return;
            const fill = step >= 4 ? colour(y[seed]) : "none";
            drawn(ground, "polygon", { points: corners.join(" "), fill, class: "cell" });
          });
        }
        drawn(ground, "rect", { x: left, y: top, width: size, height: size, rx: 4, class: "panel" });
        for (const i of y.keys()) if (step >= 3 && !seeds.includes(i)) thread(plane, i);
        y.forEach((_, i) => spot(plane, i));
      });
      if (lit !== null) {
        const [from, to] = shown.map((plane) => plane[lit]);
        drawn(ground, "path", { d: `M${from}L${to}`, class: "link" });
      }
      read();
    }

    function thread(plane, i) {
      const [from, to] = [shown[plane][i], shown[plane][seeds[result.clusters[plane].seed[i]]]];
      const disputed = step === 5 && differs(i);
      const kind = !disputed ? "" : result.modality[i] === plane ? "decides" : "yields";
      const stroke = step >= 4 ? colour(result.own[plane][i]) : "currentColor";
      drawn(ground, "path", { d: `M${from}L${to}`, stroke, class: `thread ${kind}` });
    }

    function spot(plane, i) {
      const point = points[plane][i];
      const seed = seeds.includes(i);
      const label = step < 4 ? null : step === 4 ? result.own[plane][i] : result.label[i];
      const disputed = step >= 4 && differs(i);
      point.setAttribute("transform", `translate(${shown[plane][i].map((value) => value.toFixed(2))})`);
      point.classList.toggle("seed", seed);
      point.classList.toggle("differs", disputed);
      point.classList.toggle("decides", disputed && step === 5 && result.modality[i] === plane);
      point.classList.toggle("wrong", label !== null && label !== y[i]);
      point.classList.toggle("lit", lit === i);
      point.querySelector(".glyph").style.fill = seed ? colour(y[i]) : label === null ? "" : colour(label);
      point.setAttribute("aria-label", `${names[i]}, ${NAMES[plane]}: ${story(i)}`);
    }

    // Words
    function story(i) {
      if (seeds.includes(i)) return "a seed.";
      if (step < 3) return "its class is hidden.";
      const near = NAMES.map((name, plane) => `${name} ${result.clusters[plane].distance[i].toFixed(2)} from the seed ` +
        `${names[seeds[result.clusters[plane].seed[i]]]}`).join(", ");
      if (step === 3) return `${near}.`;
      if (!differs(i)) return `${near}. Both say ${classes[result.own[0][i]]}.`;
      return `${near}. They differ${step === 4 ? "" : `, and the ${NAMES[result.modality[i]]} decides: ${classes[result.label[i]]}`}.`;
    }

    function read() {
      reading.textContent = lit === null ? hint : `${capital(names[lit])}: ${story(lit)}`;
    }

    function told() {
      const total = counted(result, seeds, y);
      const strong = (text) => element("strong", {}, text);
      const [picture, text, common] = total.right;
      const deviations = frames.map((each) => mean(each.deviation));
      const ratio = (Math.max(...deviations) / Math.min(...deviations)).toFixed(1);
      const wider = NAMES[deviations[0] >= deviations[1] ? 0 : 1];
      return {
        1: () => ["Somebody labels one item of each class: the ", strong("seeds"), `. The shapes of the other ${total.hidden} ` +
                  "show their true classes, which the algorithm does not know; to it they are grey."],
        2: () => skipped ? [`Left out: the ${wider}s lie ${ratio} times as far apart as the other plane's items, ` +
                            "and their distances can hardly be compared."]
          : [`Each coordinate gets mean 0 and standard deviation 1. Before, the ${wider}s lay ${ratio} times as far apart as ` +
             "the other plane's items; now distances have one unit."],
        3: () => ["In each plane by itself, every item joins its ", strong("nearest seed"), ". Borders lie where two seeds are equally far."],
        4: () => ["Every item takes the ", strong("label"), ` of its seed. Right are ${picture} of ${total.hidden} by the pictures and ` +
                  `${text} by the texts. For ${count(total.differing, "item")} they differ (dashed rings).`],
        5: () => ["Where they differ, the ", strong("nearer seed"), ` decides for both (thick line, solid ring): ${deciders(total, NAMES)}. ` +
                  `Now ${common} of ${total.hidden} labels are right; the pictures alone would give ${picture}, the texts alone ${text}.`],
      }[step]();
    }

    function tabulate() {
      const rows = step < 4 ? [] : [...y.keys()].filter(differs);
      const heads = ["They differ on", "Picture says", "Text says", ...(step === 5 ? ["Label"] : [])];
      const cells = rows.map((i) => {
        const says = NAMES.map((name, plane) => {
          const decides = step === 5 && result.modality[i] === plane;
          const words = `${classes[result.own[plane][i]]}, ${result.clusters[plane].distance[i].toFixed(2)}`;
          return element("td", {}, element(decides ? "strong" : "span", {}, words));
        });
        const right = result.label[i] === y[i];
        const end = element("td", {}, `${classes[result.label[i]]} ${right ? "✓" : "✗"}`);
        const line = element("tr", {}, element("th", { scope: "row" }, names[i]), ...says, ...(step === 5 ? [end] : []));
        line.addEventListener("pointerenter", () => { lit = i; draw(); });
        line.addEventListener("pointerleave", () => { lit = null; draw(); });
        return line;
      });
      table.hidden = !rows.length;
      table.replaceChildren(element("caption", {}, "Labels, and distances to the seeds that give them"),
                            element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head))), ...cells);
    }

    onWidth(root, (width) => {
      const beside = width >= 520;
      const size = Math.min(beside ? (width - 20) / 2 : width - 2, 380);
      panels = MODALITIES.map((_, plane) => ({
        left: 1 + (beside ? plane * (size + 18) : 0), top: 26 + (beside ? 0 : plane * (size + 34)), size,
      }));
      const height = panels[1].top + size + 2;
      set(svg, { width, height, viewBox: `0 0 ${width} ${height}` });
      shown = null;
      settle(false);
    });
    settle(false);
  }

  // A dataset ------------------------------------------------------------------------------------------------------

  const PREPROCESSINGS = ["RAW", "L2", "L2STD"];
  const RULES = {
    distance: "the nearer seed decides (the paper)",
    scaled: "nearer by distance / √features",
    calibrated: "evidence is added up (calibrated)",
  };
  const SHOWN = {
    "all items": () => true,
    "picture and text differ": (item) => item.differs,
    "wrong labels": (item) => !item.right,
    seeds: (item) => item.seed,
  };
  const MANY = 100;

  function dataset(id) {
    const [root, data] = begin(id);
    const { classes, y } = data;
    const raw = data.modalities.map(decoded);
    const names = data.names;
    const prepared = new Map();
    const pictured = data.images.length > 0;
    const largest = Object.keys(data.seeds).length;
    let [seeds, draw, picked, current, result, running] = [[], 0, false, 0, null, 0];
    let past = []; // shares of right labels of earlier draws with the same settings

    /* Matrices and distances by preprocessing, each made when it is first chosen. */
    function modalities(name) {
      if (!prepared.has(name)) {
        prepared.set(name, raw.map((matrix, m) => {
          const Z = preprocessed(matrix, name);
          return { matrix: Z, distances: distancesOf(Z), scale: data.scales[m] };
        }));
      }
      return prepared.get(name);
    }

    const drawnSeeds = (number, budget) =>
      (number === 0 ? data.seeds[budget] : labeling(y, classes.length, budget, generator(number)));

    // Controls
    const form = element("form", { class: "controls" });
    form.addEventListener("submit", (event) => event.preventDefault());
    const budgetName = element("span");
    const budget = element("input", { type: "range", min: 1, max: largest, value: data.budget, step: 1 });
    budget.addEventListener("input", () => { forget(); redraw(draw); });
    const number = element("input", { type: "number", min: 0, max: 9999, value: 0, inputmode: "numeric" });
    number.addEventListener("change", () => redraw(Math.max(0, Math.min(9999, Math.floor(Number(number.value)) || 0))));
    const anew = button("Draw anew", () => redraw(draw + 1), { class: "main" });
    const many = button(`${MANY} draws`, repeat);
    const preprocessing = choice("Preprocessing", PREPROCESSINGS.map((name) => [name, name]), "L2STD");
    const rule = choice("Where they differ", Object.entries(RULES), "distance");
    form.append(element("label", { class: "wide" }, budgetName, budget), anew, many,
                element("label", {}, "Draw no. ", number), preprocessing.label, rule.label);
    const chart = drawing({ role: "img", class: "chart" });
    const summary = element("p", { class: "summary", role: "status" });
    const overall = element("p", { class: "overall", role: "status" });
    const filter = element("fieldset", { class: "controls" }, element("legend", {}, "Show"));
    const shown = Object.keys(SHOWN).map((name, i) => {
      const radio = element("input", { type: "radio", name: `${id}-shown`, value: name });
      radio.checked = i === 0;
      radio.addEventListener("change", paint);
      filter.append(element("label", {}, radio, ` ${inWords(name)}`));
      return radio;
    });
    const gallery = element("div", { class: "gallery" });
    const panel = element("div", { class: "panel-of-item" });
    const legend = element("p", { class: "legend" });
    root.append(form, chart, summary, overall, filter, legend, element("div", { class: "items" }, gallery, panel));

    function choice(name, options, value) {
      const select = element("select", {}, ...options.map(([key, text]) => element("option", { value: key }, text)));
      select.value = value;
      select.addEventListener("change", () => { forget(); update(); });
      return { select, label: element("label", {}, `${name} `, select) };
    }

    function inWords(text) { return pictured ? text : text.replace("picture and text", "modalities"); }

    function forget() { past = []; running += 1; many.disabled = false; overall.textContent = ""; }

    function redraw(to) {
      draw = to;
      picked = false;
      seeds = drawnSeeds(draw, Number(budget.value));
      number.value = draw;
      update();
    }

    function toggle(row) {
      const of = seeds.filter((seed) => y[seed] === y[row]);
      if (of.length === 1 && of[0] === row) {
        summary.textContent = `The last seed of ${classes[y[row]]} can't be taken away: pick another one first.`;
        return;
      }
      const without = seeds.filter((seed) => seed !== row);
      seeds = (without.length < seeds.length ? without : [...seeds, row]).sort((a, b) => y[a] - y[b]);
      picked = true;
      current = row;
      update();
    }

    /* The same for many draws: they tell what one draw can't. */
    function repeat() {
      forget();
      running += 1;
      const mine = running;
      many.disabled = true;
      let [done, plotted] = [0, 0];
      const some = () => {
        if (mine !== running) return;
        const until = performance.now() + 50;
        while (done < MANY && performance.now() < until) {
          done += 1;
          const its = drawnSeeds(done, Number(budget.value));
          past.push(shares(counted(run(its), its, y)));
        }
        if (done === MANY || performance.now() > plotted + 200) { plot(); plotted = performance.now(); }
        if (done < MANY) { setTimeout(some); return; }
        many.disabled = false;
        const averages = [0, 1, 2].map((list) => percent(mean(past.map((each) => each[list]))));
        const ahead = past.filter((each) => each[2] > Math.max(each[0], each[1])).length;
        const behind = past.filter((each) => each[2] < Math.max(each[0], each[1])).length;
        overall.textContent = `Over draws 1 to ${MANY}, on average ${averages[0]} of the labels are right by the ${names[0]} alone, ` +
          `${averages[1]} by the ${names[1]} alone, and ${averages[2]} after the exchange. It beats the better of the two ` +
          `in ${count(ahead, "draw")}, and falls short of it in ${behind}.`;
      };
      some();
    }

    function run(its) {
      const chosen = modalities(preprocessing.select.value);
      const scaled = chosen.map((each) => ({ ...each, scale: Math.sqrt(each.matrix.columns) }));
      return exchange(rule.select.value === "scaled" ? scaled : chosen, its, y, classes.length, rule.select.value);
    }


    const shares = (total) => total.right.map((right) => (total.hidden ? right / total.hidden : 1));

    function update() {
      result = run(seeds);
      plot();
      tell();
      paint();
    }

    // Numbers
    function tell() {
      const total = counted(result, seeds, y);
      const share = shares(total);
      const [first, second] = names;
      const each = Number(budget.value);
      budgetName.textContent = `${count(each, "seed")} per class`;
      const origin = picked ? `${count(seeds.length, "seed")}, some picked by hand`
        : draw === 0 ? "Draw 0, the seeds of this page" : `Draw ${draw}`;
      const [byFirst, bySecond, common] = total.right.map((right, list) => `${right} (${percent(share[list])})`);
      summary.textContent = `${origin}. Of ${count(total.hidden, "hidden label")}, ${byFirst} are right by the ${first} alone, ` +
        `${bySecond} by the ${second} alone, and ${common} after the exchange. ` +
        `${pictured ? "Picture and text" : "The modalities"} differ on ${count(total.differing, "item")}: ${deciders(total, names)}.`;
    }

    function plot() {
      const total = counted(result, seeds, y);
      const width = Math.max(280, Math.min(root.clientWidth, 760));
      const narrow = width < 480;
      const [left, right, line] = [narrow ? 104 : 150, 58, 30];
      const lowest = Math.max(0, Math.floor(10 / classes.length - 1) / 10);
      const x = (share) => left + ((Math.max(share, lowest) - lowest) / (1 - lowest)) * (width - left - right);
      const height = 3 * line + (narrow ? 106 : 84);
      chart.replaceChildren();
      set(chart, { width, height, viewBox: `0 0 ${width} ${height}` });
      for (let tenth = Math.round(lowest * 10); tenth <= 10; tenth += 1) {
        if (tenth % 2 && narrow) continue;
        drawn(chart, "path", { d: `M${x(tenth / 10)} 4V${3 * line + 6}`, class: "grid" });
        drawn(chart, "text", { x: x(tenth / 10), y: 3 * line + 22, "text-anchor": "middle" }, `${tenth * 10}%`);
      }
      const titles = [`${names[0]} alone`, `${names[1]} alone`, "exchanged"];
      shares(total).forEach((share, list) => {
        const middle = 4 + line * (list + 0.5);
        drawn(chart, "text", { x: 0, y: middle + 4, class: list === 2 ? "title" : "" }, capital(titles[list]));
        past.forEach((each, i) => drawn(chart, "circle", {
          cx: x(each[list]), cy: middle + ((i * 7) % 11) - 5, r: 2, class: "past",
        }));
        if (past.length) {
          const average = x(mean(past.map((each) => each[list])));
          drawn(chart, "path", { d: `M${average} ${middle - 12}V${middle + 12}`, class: "mean" });
        }
        drawn(chart, "circle", { cx: x(share), cy: middle, r: 6.5, class: list === 2 ? "now exchanged" : "now" });
        drawn(chart, "text", { x: width, y: middle + 4, "text-anchor": "end", class: list === 2 ? "title" : "" }, percent(share));
      });
      if (narrow) split(total, 3 * line + 44, 0, width);
      else split(total, 3 * line + 36, left, width - right - left);
      const words = titles.map((title, list) => `${title} ${percent(shares(total)[list])}`).join(", ");
      const dots = past.length ? ` Small dots: ${count(past.length, "draw")}; upright lines: their means.` : "";
      chart.setAttribute("aria-label", `Share of right labels: ${words}.${dots}`);
    }

    /* A bar of the items that modalities differ on: who decides, solid where the label is right, and pale where not. */
    function split({ differing, decides, decidesRight }, top, left, width) {
      if (!differing) return;
      // In a line of its own where the bar takes the whole width.
      drawn(chart, "text", { x: 0, y: left ? top + 32 : top }, "Who decides");
      const unit = (width - 6) / differing;
      let x = left;
      [0, 1].forEach((m) => {
        const parts = [[decidesRight[m], "sound"], [decides[m] - decidesRight[m], "unsound"]];
        const [at, anchor] = m === 0 ? [left, "start"] : [left + width, "end"];
        const said = `${names[m]} ${decides[m]}${decides[m] ? `, ${decidesRight[m]} right` : ""}`;
        drawn(chart, "text", { x: at, y: top + (left ? 14 : 18), "text-anchor": anchor }, said);
        for (const [items, kind] of parts) {
          if (items) drawn(chart, "rect", { x, y: top + (left ? 20 : 24), width: items * unit, height: 16, class: kind });
          x += items * unit;
        }
        if (x > left) x += 6;
      });
    }

    // Items
    const tiles = y.map((label, row) => {
      const [title, text] = data.items[row];
      const content = pictured ? picture(row, 44) : element("span", { class: "words" }, title || text);
      const tile = element("button", { type: "button", class: pictured ? "tile" : "tile worded", tabindex: -1 }, content,
                           element("span", { class: "flag", "aria-hidden": "true" }),
                           element("span", { class: "says", "aria-hidden": "true" }, element("i"), element("i")));
      tile.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") look(row); });
      tile.addEventListener("focus", () => look(row));
      let seen = false;
      tile.addEventListener("pointerdown", () => { seen = current === row; });
      tile.addEventListener("click", (event) => {
        // The first touch looks at an item, the next one picks it.
        if (event.pointerType === "touch" && !seen) look(row);
        else toggle(row);
      });
      tile.addEventListener("keydown", (event) => walk(event, row));
      return tile;
    });
    const blocks = classes.map((name, label) => {
      const heading = element("p", { class: "heading" });
      const block = element("div", { class: "block", role: "group", "aria-label": `True class ${name}` }, heading,
                            element("div", { class: "tiles" }, ...tiles.filter((_, row) => y[row] === label)));
      gallery.append(block);
      return heading;
    });

    function picture(row, size) {
      if (!data.images[row]) return "";
      const alt = `Picture of the item “${data.items[row][0]}”`;
      // The theme dims pictures in dark mode, unless they say that they need not.
      return element("img", { class: "dark-light", src: `data:image/webp;base64,${data.images[row]}`, alt, width: size, height: size });
    }

    /* By arrow keys from tile to tile, as they lie. */
    function walk(event, row) {
      const visible = [...gallery.querySelectorAll(".tile:not([hidden])")];
      const at = visible.indexOf(tiles[row]);
      const box = (tile) => tile.getBoundingClientRect();
      const here = box(tiles[row]);
      const above = event.key === "ArrowUp";
      let to = { ArrowLeft: visible[at - 1], ArrowRight: visible[at + 1], Home: visible[0], End: visible.at(-1) }[event.key];
      if (above || event.key === "ArrowDown") {
        const beyond = visible.filter((tile) => (above ? box(tile).top < here.top - 4 : box(tile).top > here.top + 4));
        const away = (tile) => 10 * Math.abs(box(tile).top - here.top) + Math.abs(box(tile).left - here.left);
        to = beyond.toSorted((a, b) => away(a) - away(b))[0];
      } else if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
      event.preventDefault();
      to?.focus();
    }

    function item(row) {
      const [first, second] = result.own;
      return { seed: seeds.includes(row), differs: !seeds.includes(row) && first[row] !== second[row],
               right: result.label[row] === y[row] };
    }

    function look(row) {
      tiles[current].classList.remove("looked");
      current = row;
      tiles[row].classList.add("looked");
      for (const tile of tiles) tile.tabIndex = -1;
      tiles[row].tabIndex = 0;
      describe();
    }

    function paint() {
      const wanted = SHOWN[shown.find((radio) => radio.checked).value];
      tiles.forEach((tile, row) => {
        const its = item(row);
        tile.hidden = !wanted(its);
        tile.classList.toggle("seed", its.seed);
        tile.classList.toggle("differs", its.differs);
        tile.classList.toggle("wrong", !its.right);
        tile.setAttribute("aria-pressed", its.seed);
        tile.setAttribute("aria-label", `${data.items[row][0] || "Item"}: ${inShort(row, its)}`);
        tile.querySelector(".flag").textContent = its.seed ? "★" : its.right ? "" : "✗";
        tile.querySelectorAll(".says i").forEach((half, m) => {
          half.style.background = colour(result.own[m][row]);
          half.classList.toggle("loses", its.differs && result.modality[row] !== m);
        });
        tile.style.borderColor = colour(result.label[row]);
      });
      classes.forEach((name, label) => {
        const rows = [...y.keys()].filter((row) => y[row] === label);
        const [known, right] = ["seed", "right"].map((key) => rows.filter((row) => item(row)[key]).length);
        blocks[label].replaceChildren(swatch(label), element("strong", {}, name),
          ` ${count(known, "seed")}, ${right - known} of ${rows.length - known} others labelled right`);
      });
      if (tiles[current].hidden) current = Math.max(0, tiles.findIndex((tile) => !tile.hidden));
      legend.replaceChildren("Click a tile, or press Enter on it, to make it a seed. Bar below: what the ", names[0], " says, and the ",
                             names[1], "; the striped half yields. Frame: the label after the exchange. ★ seed, ✗ wrong.");
      look(current);
    }

    const swatch = (label) => element("i", { class: "swatch", style: `background: ${colour(label)}`, "aria-hidden": "true" });

    function inShort(row, its) {
      if (its.seed) return `a seed of ${classes[y[row]]}`;
      const says = names.map((name, m) => `${name} says ${classes[result.own[m][row]]}`).join(", ");
      return `${says}; label ${classes[result.label[row]]}, ${its.right ? "right" : "wrong"}`;
    }

    /* The item that is looked at: what it is, which seeds speak for which label, and who decides. */
    function describe() {
      const row = current;
      const its = item(row);
      const [title, text] = data.items[row];
      const label = (which) => element("span", { class: "named" }, swatch(which), classes[which]);
      const parts = [element("div", { class: "who" }, picture(row, 96),
                             element("div", {}, element("p", { class: "name" }, title), element("p", { class: "text" }, text.toLowerCase() === title.toLowerCase() ? "" : text)))];
      if (its.seed) parts.push(element("p", {}, "A seed: its class, ", label(y[row]), ", is known."));
      else {
        parts.push(element("ul", {}, ...names.map((name, m) => {
          const seed = seeds[result.clusters[m].seed[row]];
          const distance = result.clusters[m].distance[row];
          const says = element("span", {}, `The ${name} is nearest to the seed “${data.items[seed][0]}”, at `,
                               element("b", {}, distance.toFixed(2)), ": ", label(result.own[m][row]));
          if (result.evidence?.[m]) says.append(`. Its evidence: ${sure(result.evidence[m][row].map(Math.exp))}`);
          return element("li", {}, picture(seed, 40), says);
        })));
        parts.push(element("p", {}, ...ending(row, its, label)));
      }
      parts.push(button(its.seed ? "No longer a seed" : "Make it a seed", () => toggle(current)));
      panel.replaceChildren(...parts);
    }

    function sure(probabilities) {
      const best = probabilities.indexOf(Math.max(...probabilities));
      return `${classes[best]}, probability ${probabilities[best].toFixed(2)}`;
    }

    function ending(row, its, label) {
      const kind = its.right ? "right" : "wrong";
      const verdict = element("strong", { class: kind }, `${its.right ? "✓" : "✗"} ${kind}`);
      const truth = its.right ? " " : ` (true class: ${classes[y[row]]}) `;
      const decider = names[result.modality[row]];
      const why = result.posterior ? `Together: ${sure(result.posterior[row])}; the ${decider} is the surer one. `
        : its.differs ? `They differ, and the ${decider} is nearer to its seed. ` : "They agree. ";
      return [why, "Label: ", label(result.label[row]), " ", verdict, truth];
    }

    onWidth(root, () => { if (result) plot(); });
    redraw(0);
  }

  return { toy, dataset };
})();
