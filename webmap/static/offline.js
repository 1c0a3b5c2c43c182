/* Registers the worker that keeps the site for use without a network, and says how that stands. */
"use strict";
(() => {
  const { worker, scope, list } = document.currentScript.dataset;
  const language = document.documentElement.dataset.language || document.documentElement.lang;
  const REFUSED = "turvakaart-offline-refused";
  const OURS = "turvakaart-";
  // Also a frame of another site asks the network only: whoever embeds a map decides nothing for its readers.
  if (!("serviceWorker" in navigator) || !isSecureContext || window.top !== window) return;

  const isFirst = !navigator.serviceWorker.controller;
  const isRefused = () => localStorage.getItem(REFUSED) === "yes";
  const rooms = async () => (await caches.keys()).filter((name) => name.startsWith(OURS));
  /* The list of this language's set, which is there when the whole set is. */
  const savedList = () => caches.match(list, { ignoreVary: true });

  const tell = (which) => {
    for (const box of document.querySelectorAll("[data-offline]")) {
      box.hidden = !which;
      for (const one of box.querySelectorAll("[data-is]")) one.hidden = one.dataset.is !== which;
    }
  };
  const show = async () => {
    const saved = Boolean(await savedList());
    tell(saved && (navigator.onLine ? "saved" : "away"));
    await showPage();
  };

  async function keep() {
    const registration = await navigator.serviceWorker.register(worker, { scope, updateViaCache: "none" });
    if (!registration) return; // A browser may be told to allow none.
    const { active } = await navigator.serviceWorker.ready;
    // What came past the worker, before it was there: this page, and the answers in the panel.
    active.postMessage({ keep: language, seen: isFirst ? [location.origin + location.pathname + location.search] : [] });
    const past = (one) => !one.workerStart && /[?&]part=1\b/.test(one.name);
    new PerformanceObserver((came) => {
      const seen = came.getEntries().filter(past).map((one) => one.name);
      if (seen.length) active.postMessage({ seen });
    }).observe({ type: "resource", buffered: true });
  }

  async function forget() {
    localStorage.setItem(REFUSED, "yes");
    for (const one of await navigator.serviceWorker.getRegistrations()) await one.unregister();
    for (const name of await rooms()) await caches.delete(name);
    await show();
  }

  /* The page on what is saved. */
  const title = (text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const said = (selector) => (page.querySelector(selector)?.textContent || "").replace(/\s+/g, " ").trim();
    return [said("h1"), said("h1 + p:not([class])"), said(".kicker")].filter(Boolean).join(" · ");
  };
  const seen = async () => {
    const found = new Map();
    for (const name of await rooms()) {
      if (!name.endsWith("-answers")) continue;
      const room = await caches.open(name);
      for (const asked of await room.keys()) {
        const address = new URL(asked.url);
        address.searchParams.delete("part");
        if (address.pathname.startsWith(`${scope}${language}/`)) found.set(address.pathname + address.search, title(await (await room.match(asked, { ignoreVary: true })).text()));
      }
    }
    return [...found].reverse(); // The youngest first.
  };
  async function showPage() {
    const about = document.querySelector("[data-saved]");
    if (!about) return;
    const saved = await savedList();
    const text = about.querySelector("[data-one=saved]");
    if (saved) {
      const size = ((await saved.clone().json()).bytes / 1e6).toLocaleString(language, { maximumFractionDigits: 1 });
      const when = new Date(saved.headers.get("X-Saved-At")).toLocaleString(language === "en" ? "en-GB" : language, { dateStyle: "long", timeStyle: "short" });
      text.textContent = text.dataset.text.replace("{size}", size).replace("{when}", when);
    }
    text.hidden = !saved;
    about.querySelector("[data-one=nothing]").hidden = Boolean(saved);
    about.querySelector("[data-forget]").hidden = isRefused() && !saved;
    about.querySelector("[data-keep]").hidden = !isRefused();
    about.hidden = false;
    const answers = document.querySelector("[data-seen]");
    const links = (await seen()).map(([address, name]) => {
      const link = document.createElement("a");
      link.href = address;
      link.textContent = name;
      const item = document.createElement("li");
      item.append(link);
      return item;
    });
    answers.querySelector("ul").replaceChildren(...links);
    answers.hidden = !links.length;
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-forget]")) forget();
    if (!event.target.closest("[data-keep]")) return;
    localStorage.removeItem(REFUSED);
    keep().then(show, () => {});
  });
  navigator.serviceWorker.addEventListener("message", ({ data }) => {
    if (data.full) tell("full");
    else show();
  });
  for (const name of ["online", "offline"]) addEventListener(name, show);
  // A browser that refuses to store anything says so with an error: then nothing is kept, and nothing is missed.
  const idle = window.requestIdleCallback || ((work) => setTimeout(work, 500));
  const begin = () => idle(() => show().then(() => !isRefused() && keep()).catch(() => {}));
  if (document.readyState === "complete") begin();
  else addEventListener("load", begin, { once: true });
})();
