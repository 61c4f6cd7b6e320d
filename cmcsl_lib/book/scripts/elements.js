/* What scripts of this folder make pages of: elements of HTML and SVG, and words for numbers. */
"use strict";
window.cmcslElements = (() => {
  const NS = "http://www.w3.org/2000/svg";

  function set(part, attributes) {
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
  }

  function element(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    set(node, attributes);
    node.append(...children);
    return node;
  }

  function drawn(parent, name, attributes, text) {
    const node = document.createElementNS(NS, name);
    set(node, attributes);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  }

  function drawing(attributes) {
    const node = document.createElementNS(NS, "svg");
    set(node, attributes);
    return node;
  }

  function button(label, clicked, attributes = {}) {
    const node = element("button", { type: "button", ...attributes }, label);
    node.addEventListener("click", clicked);
    return node;
  }

  function tick(label, changed) {
    const box = element("input", { type: "checkbox" });
    box.addEventListener("change", () => changed(box.checked));
    return element("label", {}, box, ` ${label}`);
  }

  /** The emptied element of that name, and the data beside it. */
  function begin(id) {
    const root = document.getElementById(id);
    root.replaceChildren();
    return [root, JSON.parse(document.getElementById(`${id}-data`).textContent)];
  }

  /** Call back with the width of an element, now and whenever it changes. */
  function onWidth(part, changed) {
    let width = 0;
    new ResizeObserver(() => {
      if (part.clientWidth !== width) { width = part.clientWidth; changed(width); }
    }).observe(part);
  }

  const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const capital = (text) => text[0].toUpperCase() + text.slice(1);

  return { set, element, drawn, drawing, button, tick, begin, onWidth, count, percent, mean, capital };
})();
