/* Parts of a chart: scales, axes, marks and a legend. */
"use strict";
window.cmcslChart = (() => {
  const { drawn } = cmcslElements;
  const MARGIN = { left: 54, right: 14, top: 12, bottom: 46 };
  const LETTERS = { "font-family": "sans-serif", "font-size": 12, fill: "currentColor" };

  function linear(low, high, from, to) {
    return (value) => from + ((value - low) / (high - low || 1)) * (to - from);
  }

  /** Round values from low to high, about as many as asked for. */
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

  /** @param {{left: number, right: number, top: number, bottom: number}} box  where the axes lie, in pixels
   * @param {{scale: (value: number) => number, values: number[], label: string}} x
   * @param {{scale: (value: number) => number, values: number[], label: string}} y */
  function axes(svg, { left, right, top, bottom }, x, y) {
    const group = drawn(svg, "g", LETTERS);
    const ink = { stroke: "currentColor", fill: "none" };
    for (const value of y.values) {
      drawn(group, "path", { d: `M${left} ${y.scale(value)}H${right}`, ...ink, "stroke-opacity": value === 0 ? 0.6 : 0.15 });
      drawn(group, "text", { x: left - 6, y: y.scale(value) + 4, "text-anchor": "end" }, String(value).replace("-", "−"));
    }
    for (const value of x.values) {
      drawn(group, "path", { d: `M${x.scale(value)} ${bottom}v4`, ...ink });
      drawn(group, "text", { x: x.scale(value), y: bottom + 17, "text-anchor": "middle" }, value);
    }
    drawn(group, "path", { d: `M${left} ${top}V${bottom}H${right}`, ...ink });
    drawn(group, "text", { x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle" }, x.label);
    const upwards = `translate(${left - 40} ${(top + bottom) / 2}) rotate(-90)`;
    drawn(group, "text", { transform: upwards, "text-anchor": "middle" }, y.label);
  }

  function mark(parent, kind, x, y, size, colour, filled) {
    const paint = { fill: filled ? colour : "none", stroke: colour, "stroke-width": 1.4 };
    if (kind === "circle") return drawn(parent, "circle", { cx: x, cy: y, r: size, ...paint });
    const shapes = { square: `M${x - size} ${y - size}h${2 * size}v${2 * size}h${-2 * size}z`,
                     triangle: `M${x} ${y - 1.2 * size}l${1.2 * size} ${2.2 * size}h${-2.4 * size}z` };
    return drawn(parent, "path", { d: shapes[kind], ...paint });
  }

  /** Entries {name, draw(group, x, y)} in as many lines as the width needs.
   * @returns {number} the height that they take */
  function legend(svg, width, top, entries) {
    const group = drawn(svg, "g", LETTERS);
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

  return { MARGIN, LETTERS, linear, roundValues, axes, mark, legend };
})();
