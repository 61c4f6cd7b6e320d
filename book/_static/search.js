// Sphinx shows the words around what was searched for, out of the pages that it fetches. Browsers refuse to fetch pages
// that are opened as files, so that it gets the words of a page from a script instead, section by section.
"use strict";
{
  const root = new URL(document.documentElement.dataset.content_root, location.href).href;

  window.fetch = async (address) => {
    const name = decodeURI(new URL(address, location.href).href.slice(root.length)).replace(/\.html$/, "");
    const main = document.createElement("div");
    main.setAttribute("role", "main");
    for (const [id, words] of Object.entries(cmcslWords[name] ?? {})) {
      const section = document.createElement("section");
      section.id = id;
      section.textContent = `${words} `;
      main.append(section);
    }
    return { text: async () => new XMLSerializer().serializeToString(main) };
  };
}
