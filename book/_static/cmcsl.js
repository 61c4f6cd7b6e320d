// What scrolls within itself can be reached by the keyboard.
"use strict";
{
  const inner = ".cell_output .output, .formula-body, pre, .pst-scrollable-table-container";
  const reach = () => {
    for (const part of document.querySelectorAll(inner)) {
      if (part.scrollWidth > part.clientWidth) part.setAttribute("tabindex", "0");
    }
  };
  addEventListener("load", reach);
  addEventListener("resize", reach);
}
