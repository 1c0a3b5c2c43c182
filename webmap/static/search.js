/* The search box: names while one types (an ARIA 1.2 combobox), and one's own location on request.
   Without this file the form works as it is. Every name is set as text. */
"use strict";
(() => {
  const PAUSE_MS = 150;
  const LEAST = 2;
  let chart = null;
  let boxes = 0;
  document.addEventListener("turvakaart:ready", ({ detail }) => (chart = detail.map));

  /* A page of ours: in the panel where there is a map, else by going there. */
  const go = (form, url, at) => {
    const pages = form.action.slice(0, form.action.lastIndexOf("/") + 1);
    const page = new URL(url, location.href);
    if (!chart || page.pathname.includes("/practices/")) {
      location.assign(page);
      return;
    }
    if (at) chart.setView(at, Math.max(chart.getZoom(), 10), { animate: false });
    window.turvakaart.open(page.href.slice(pages.length));
  };

  /* A lowered panel has no room for a list or a sentence. */
  const raise = (form) => {
    const panel = form.closest(".panel.low");
    if (panel) panel.querySelector(".grip").click();
  };

  const tell = (form, words, aloud) => {
    const told = form.querySelector(".told-here");
    told.textContent = words;
    if (aloud) raise(form);
    told.classList.toggle("visually-hidden", !aloud); // What failed is for everybody, a count for who cannot see the list.
  };

  const option = (hit, id) => {
    const row = document.createElement("li");
    row.id = id;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    const name = document.createElement("span");
    name.textContent = hit.name;
    name.dir = "auto";
    const about = document.createElement("small");
    about.textContent = hit.about;
    row.append(name, " ", about);
    return row;
  };

  function suggest(form) {
    const input = form.elements.q;
    const list = document.createElement("ul");
    let hits = [];
    let active = -1;
    let waiting = 0;
    let asking = null;

    list.id = `suggestions-${(boxes += 1)}`;
    list.className = "suggestions";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", form.dataset.suggestions);
    input.after(list);
    input.type = "text"; // A search field may not become a combobox.
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-expanded", "false");
    input.setAttribute("aria-controls", list.id);
    input.setAttribute("autocapitalize", "none");
    input.spellcheck = false;

    const choose = (number) => {
      active = number;
      [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === number)));
      if (number < 0) {
        input.removeAttribute("aria-activedescendant");
      } else {
        input.setAttribute("aria-activedescendant", list.children[number].id);
        list.children[number].scrollIntoView({ block: "nearest" });
      }
    };
    const show = (open) => {
      list.hidden = !open;
      input.setAttribute("aria-expanded", String(open));
      if (!open) choose(-1);
    };
    const rest = () => {
      clearTimeout(waiting);
      if (asking) asking.abort();
      asking = null;
    };
    const close = () => {
      rest();
      show(false);
    };
    const fill = (answer) => {
      hits = answer.hits;
      active = -1;
      list.replaceChildren(...hits.map((hit, i) => option(hit, `${list.id}-${i}`)));
      show(hits.length > 0);
      if (getComputedStyle(list).position === "static") form.scrollIntoView({ block: "start" }); // Above a phone's keys.
      tell(form, hits.length ? answer.told : form.dataset.none, false);
    };
    const ask = async () => {
      const mine = (asking = new AbortController());
      const url = new URL(form.dataset.suggest, location.href);
      const asOf = new URLSearchParams(location.search).get("as_of");
      url.searchParams.set("q", input.value.trim());
      if (asOf) url.searchParams.set("as_of", asOf);
      try {
        const answer = await fetch(url, { signal: mine.signal });
        if (!answer.ok) throw new Error(`${answer.status}`);
        const said = await answer.json();
        if (asking === mine && document.activeElement === input) fill(said);
      } catch {
        if (asking !== mine) return; // Taken back, because more was typed or the box was left.
        show(false);
        tell(form, form.dataset.failed, true);
      }
    };
    const open = (number) => {
      const hit = hits[number];
      close();
      input.value = hit.name;
      tell(form, "", false);
      go(form, hit.url, hit.kind === "settlement" ? [hit.lat, hit.lon] : null);
    };
    const step = (by) => {
      if (list.hidden) show(true);
      const next = active < 0 && by < 0 ? hits.length - 1 : (active + by + hits.length + 1) % (hits.length + 1);
      choose(next === hits.length ? -1 : next); // Past the end one is back in the box.
    };

    input.addEventListener("input", () => {
      rest();
      hits = [];
      show(false);
      tell(form, "", false);
      raise(form);
      if (input.value.trim().length >= LEAST) waiting = setTimeout(ask, PAUSE_MS);
    });
    input.addEventListener("keydown", (event) => {
      if (event.isComposing || event.ctrlKey || event.metaKey) return;
      const { key } = event;
      if (key === "Escape" && !list.hidden) {
        event.stopPropagation(); // The panel beside the map stays.
        close();
      } else if ((key === "ArrowDown" || key === "ArrowUp") && hits.length) {
        step(key === "ArrowDown" ? 1 : -1);
      } else if ((key === "Home" || key === "End") && active >= 0) {
        choose(key === "Home" ? 0 : hits.length - 1);
      } else if (key === "Enter" && active >= 0 && !list.hidden) {
        open(active);
      } else {
        return;
      }
      event.preventDefault();
    });
    input.addEventListener("blur", close);
    form.addEventListener("submit", close);
    list.addEventListener("mousedown", (event) => event.preventDefault()); // The box keeps the focus.
    list.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) open([...list.children].indexOf(row));
    });
  }

  /* One's own location, asked for only when the button is pressed, and rounded to about a hundred metres. */
  function offerLocation(form) {
    const button = form.querySelector(".locate");
    button.hidden = false;
    const fail = (error) => tell(form, form.dataset[error && error.code === 1 ? "denied" : "unknown"], true);
    button.addEventListener("click", () => {
      if (!navigator.geolocation) {
        fail();
        return;
      }
      tell(form, form.dataset.locating, false);
      navigator.geolocation.getCurrentPosition(
        ({ coords }) => {
          tell(form, "", false);
          const lat = Number(coords.latitude.toFixed(3));
          const lon = Number(coords.longitude.toFixed(3));
          const asked = new URLSearchParams({ lat, lon, accuracy: Math.max(100, Math.round(coords.accuracy)) });
          go(form, form.action.replace(/search$/, `here?${asked}`), [lat, lon]);
        },
        fail,
        { timeout: 15000, maximumAge: 60000 },
      );
    });
  }

  const ready = (root) => {
    for (const form of root.querySelectorAll("form.search:not([data-ready])")) {
      form.dataset.ready = "";
      suggest(form);
      offerLocation(form);
    }
  };
  ready(document);
  // The panel beside the map shows the page of hits, which has a box of its own.
  const detail = document.getElementById("detail-text");
  if (detail) new MutationObserver(() => ready(detail)).observe(detail, { childList: true });
})();
