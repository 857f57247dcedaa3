// Asks anew when the form changes, shows how far the answer is, and keeps the address a link to what is seen.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const form = byId("question"), place = byId("answer"), fault = byId("fault"), status = byId("status");
  const busy = byId("progress"), words = byId("words");

  const query = () => {
    const names = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (String(value).trim()) names.append(name, value);
    return names.toString();
  };

  const say = (text) => { if (status) status.textContent = text; };

  const complain = (text) => {
    fault.textContent = text;
    fault.hidden = !text;
    for (const field of form.elements) {
      const named = text && field.name && field.type !== "hidden" && text.includes(field.name.split(".").pop());
      if (named) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
    }
  };

  let asked = null;
  const stop = () => {
    if (!asked) return;
    asked.abort.abort();
    clearTimeout(asked.timer);
    asked.events?.close();
    busy.hidden = true;
    asked = null;
  };

  // What is being worked on, for those who have to wait.
  const watch = (mine, path) => {
    busy.hidden = false;
    words.textContent = "working …";
    const events = mine.events = new EventSource(path);
    events.addEventListener("started", (event) => { mine.job = JSON.parse(event.data).job; });
    events.addEventListener("progress", (event) => {
      const now = JSON.parse(event.data);
      words.textContent = `${now.words} – ${now.elapsed_s} s`;
    });
    for (const last of ["answer", "refused", "error"]) events.addEventListener(last, () => events.close());
  };

  const ask = async () => {
    const text = query(), path = form.getAttribute("action");
    stop();
    const mine = asked = { abort: new AbortController() };
    mine.timer = setTimeout(() => watch(mine, `${path}/events?${text}`), 700);
    history.replaceState(null, "", text ? `${path}?${text}` : path);
    for (const link of document.querySelectorAll("[data-keep]")) link.href = `${path}/${link.dataset.keep}?${text}`;
    try {
      const answer = await fetch(`${path}/part?${text}`, { signal: mine.abort.signal });
      const body = await answer.text();
      if (asked !== mine) return;
      stop();
      place.classList.remove("old");
      delete place.dataset.pending;
      if (!answer.ok) {
        complain(JSON.parse(body).error);
        place.classList.add("old");
        return;
      }
      complain("");
      const drawn = charts.replace(place, body);
      say("The answer is new.");
      document.dispatchEvent(new CustomEvent("answered", { detail: { query: text } }));
      await drawn;
      document.dispatchEvent(new CustomEvent("drawn", { detail: { query: text } }));
    } catch (error) {
      if (asked !== mine) return;
      stop();
      complain(error.name === "TypeError" ? "The server does not answer; is it running?" : String(error.message));
    }
  };

  const cancel = () => {
    const job = asked?.job;
    stop();
    if (job) fetch(`/api/jobs/${encodeURIComponent(job)}`, { method: "DELETE" });
    complain("Cancelled; change the question or ask again.");
  };

  const copy = async (text, button) => {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = before; }, 1500);
  };

  // A slider moves along the values that the server names, and the field beside it holds the value.
  const slide = (slider) => {
    const stops = slider.dataset.stops.split(",");
    const field = byId(slider.dataset.for);
    slider.addEventListener("input", () => {
      field.value = stops[slider.value];
      slider.setAttribute("aria-valuetext", field.value);
    });
    const follow = () => {
      const found = stops.findIndex((stop) => stop === field.value || Number(stop) >= Number(field.value));
      slider.value = found < 0 ? stops.length - 1 : found;
      slider.setAttribute("aria-valuetext", field.value);
    };
    follow();
    field.addEventListener("input", follow);
  };

  if (form) {
    let later = null;
    const wait = form.hasAttribute("data-live") ? 15 : 250;
    for (const slider of form.querySelectorAll("input[type=range]")) slide(slider);
    form.addEventListener("input", () => {
      clearTimeout(later);
      later = setTimeout(ask, wait);
    });
    form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(later); ask(); });
    byId("cancel").addEventListener("click", cancel);
    byId("share").addEventListener("click", (event) => copy(location.href, event.currentTarget));
    if ("pending" in place.dataset) ask();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(byId(button.dataset.copy).textContent, button);
  });

  const filter = document.querySelector("[data-filter]");
  filter?.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase().split(" ").filter(Boolean);
    for (const row of byId(filter.dataset.filter).querySelectorAll("tbody tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
    }
  });

  // The words first; the chart library, which is large, once they stand.
  addEventListener("load", async () => {
    await charts.drawAll();
    document.dispatchEvent(new CustomEvent("drawn", { detail: {} }));
  });
})();
