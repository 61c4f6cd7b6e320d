// What scrolls within itself can be reached by the keyboard.
function reach() {
  for (const part of document.querySelectorAll(".cell_output .output, .formula-body, pre, .pst-scrollable-table-container")) {
    if (part.scrollWidth > part.clientWidth) {
      part.setAttribute("tabindex", "0");
    }
  }
}
addEventListener("load", reach);
addEventListener("resize", reach);
