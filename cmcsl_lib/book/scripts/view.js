/* What is looked at: values that the plots of a page share, and that stand in its address, so that a view can be sent.
   An address ends in `#explore-items?budget=3&fold=2`: the plot that was changed last, and the values that were set. */
"use strict";
// Once in a page, whichever plot stands first.
window.cmcslView ??= (() => {
  const plots = new Map(); // by name, what shows the values
  let values = new Map();

  const parts = () => location.hash.slice(1).split("?");
  const read = () => { values = new Map(new URLSearchParams(parts()[1] ?? "")); };
  const address = (id) => `#${id}?${new URLSearchParams([...values])}`;
  const get = (key) => values.get(key) ?? "";

  /** The value if it is a valid one, else the first of these or another. */
  const one = (key, valid, otherwise = valid[0]) => valid.find((value) => String(value) === get(key)) ?? otherwise;

  /** Those of the names that were not taken out; at first all. */
  const some = (key, names) => (get(key) ? names.filter((name) => get(key).split(",").includes(name)) : names);

  /** Change values; all plots show them. */
  function put(id, changes) {
    for (const [key, value] of Object.entries(changes)) values.set(key, String(value));
    // A notebook in a frame may have no address of its own: the view is shown all the same.
    try { history.replaceState(history.state, "", address(id)); } catch { /* nothing to undo */ }
    for (const show of plots.values()) show();
  }

  const lead = () => document.getElementById(parts()[0]).scrollIntoView();

  /** Let a plot show the values now and after each change, and lead to it if the address names it. */
  function follow(id, show) {
    plots.set(id, show);
    show();
    if (parts()[0] === id) lead();
  }

  addEventListener("hashchange", () => {
    if (!plots.has(parts()[0])) return;
    read();
    for (const show of plots.values()) show();
    lead();
  });
  read();
  return { address, get, one, some, put, follow };
})();
