/* Numbers and figures as files. */
"use strict";
window.cmcslSaving = (() => {
  const { element, button } = cmcslElements;

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
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
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

  /** Buttons that save the numbers and the drawing of a plot.
   * @param {() => object[]} rows */
  const saveButtons = (name, svg, rows) => [
    button("Save as CSV", () => save(`${name}.csv`, csv(rows()))),
    button("Save as SVG", () => save(`${name}.svg`, svgFile(svg))),
  ];

  return { saveButtons };
})();
