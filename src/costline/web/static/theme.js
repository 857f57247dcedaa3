// Light or dark before anything is drawn: what was chosen here, else what the system prefers.
"use strict";
(() => {
  const root = document.documentElement;
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* storage may be off */ }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { root.dataset.theme = chosen || (dark.matches ? "dark" : "light"); };
  apply();
  dark.addEventListener("change", () => { apply(); document.dispatchEvent(new Event("theme")); });
  addEventListener("DOMContentLoaded", () => {
    document.querySelector("header [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    document.getElementById("theme").addEventListener("click", () => {
      chosen = root.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("theme", chosen); } catch { /* then it holds for this page */ }
      apply();
      document.dispatchEvent(new Event("theme"));
    });
  });
})();
