// Beside a link of the text stands what it leads to: on hover and on focus, until Escape or until both have left.
"use strict";
{
  const root = new URL("..", document.currentScript.src);
  const [before, after, margin] = [150, 250, 8];
  const card = document.createElement("div");
  card.id = "cmcsl-preview";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  let shown = null;
  let timer = 0;

  const linkOf = (target) => (target instanceof Element ? target.closest("article a[href]:not(.headerlink)") : null);

  const previewOf = (link) => {
    const { hash, href, pathname } = new URL(link.href);
    if (!href.startsWith(root.href)) return undefined;
    return cmcslPreviews[decodeURI(pathname.slice(root.pathname.length) + hash)];
  };

  const hide = () => {
    clearTimeout(timer);
    card.hidden = true;
    shown?.removeAttribute("aria-describedby");
    shown = null;
  };

  // Below the line in which the link begins, or above it where there is more room, and never out of the window.
  const place = (link) => {
    const [line] = link.getClientRects();
    const [width, height] = [document.documentElement.clientWidth, innerHeight];
    const above = line.bottom + card.offsetHeight + margin > height && line.top > height - line.bottom;
    const left = Math.max(margin, Math.min(line.left, width - card.offsetWidth - margin));
    card.style.left = `${left + scrollX}px`;
    card.style.top = `${scrollY + (above ? line.top - card.offsetHeight - 2 : line.bottom + 2)}px`;
  };

  const show = (link) => {
    clearTimeout(timer);
    const preview = previewOf(link);
    if (link === shown || !preview) return;
    hide();
    const parts = preview.map((text, index) => {
      const part = document.createElement(index ? "span" : "strong");
      part.textContent = text;
      return part;
    });
    card.replaceChildren(...parts.filter((part) => part.textContent));
    card.hidden = false;
    place(link);
    // The browser's own box would say it again.
    link.removeAttribute("title");
    link.setAttribute("aria-describedby", card.id);
    shown = link;
  };

  const soon = (act, wait) => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };

  addEventListener("load", () => document.body.append(card));
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const link = linkOf(event.target);
    if (link && link !== shown) soon(() => show(link), before);
    else if (link || card.contains(event.target)) clearTimeout(timer);
    else if (shown && shown !== document.activeElement) soon(hide, after);
    else clearTimeout(timer);
  });
  document.addEventListener("focusin", (event) => {
    const link = linkOf(event.target);
    if (link?.matches(":focus-visible")) show(link);
    else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
}
