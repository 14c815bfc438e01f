"use strict";
(() => {
  document.documentElement.classList.add("js");
  for (const id of document.querySelectorAll(".id[data-v]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "copy";
    button.setAttribute("aria-label", "Copy " + id.dataset.v);
    id.after(button);
  }
  const copy = async (button) => {
    const text = button.previousElementSibling.dataset.v;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      button.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "copied";
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button);
  });
  const chains = [...document.querySelectorAll(".chain")].map((element) => {
    const values = [...element.querySelectorAll("[data-v]")].map((it) => it.dataset.v);
    return { element, text: [...new Set(values), element.querySelector("dl").textContent].join("\n").toLowerCase() };
  });
  const find = document.getElementById("find");
  const search = () => {
    const sought = find.value.trim().toLowerCase();
    let shown = 0;
    for (const { element, text } of chains) {
      element.hidden = !text.includes(sought);
      shown += element.hidden ? 0 : 1;
    }
    document.getElementById("found").textContent = sought ? `${shown} of ${chains.length} chains` : "";
  };
  find.addEventListener("input", search);
  // A link into a chain that the search hides shows it again.
  window.addEventListener("hashchange", () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target?.hidden) {
      find.value = "";
      search();
      target.scrollIntoView();
    }
  });
})();
