/* Controls that show values of `view.js` and change them. */
"use strict";
window.cmcslControls = (() => {
  const { element } = cmcslElements;

  /** A list to choose from; `offer` gives it its options and says which one is selected. */
  function choice(form, label, changed) {
    const select = element("select");
    select.addEventListener("change", () => changed(select.value));
    const whole = element("label", {}, `${label} `, select);
    form.append(whole);
    let before = "";
    function offer(names, values, selected) {
      const now = JSON.stringify([names, values]);
      // An open list would close.
      if (now !== before) select.replaceChildren(...names.map((name, i) => element("option", { value: values[i] }, name)));
      before = now;
      select.value = selected;
    }
    return { whole, offer };
  }

  /** Boxes to tick; `changed` is given the ticked names with commas, or `none`. */
  function ticks(form, legend, names, changed) {
    const boxes = names.map((name) => {
      const box = element("input", { type: "checkbox", value: name });
      box.addEventListener("change", () => {
        changed(boxes.filter((each) => each.checked).map((each) => each.value).join(",") || "none");
      });
      return box;
    });
    const labels = boxes.map((box) => element("label", {}, box, ` ${box.value}`));
    const whole = element("fieldset", {}, element("legend", {}, legend), ...labels);
    form.append(whole);
    return { whole, mark: (ticked) => boxes.forEach((box) => { box.checked = ticked.includes(box.value); }) };
  }

  /** A slider over a list; `offer` gives its length, the selected place, and what that is in words. */
  function slider(form, changed) {
    const input = element("input", { type: "range", step: 1, min: 0 });
    const words = element("span");
    input.addEventListener("input", () => changed(Number(input.value)));
    form.append(element("label", { class: "wide" }, words, input));
    return (length, place, text) => {
      input.max = length - 1;
      input.value = place;
      input.setAttribute("aria-valuetext", text);
      words.textContent = text;
    };
  }

  function newForm() {
    const form = element("form");
    form.addEventListener("submit", (event) => event.preventDefault());
    return form;
  }

  return { newForm, choice, ticks, slider };
})();
