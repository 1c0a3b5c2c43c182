/* The form for a case: the draft stays in this browser, and the server measures it while one writes. Of a case
   that is edited no draft is kept: what is told already is on the server.
   Without this file the form works as it is. */
"use strict";
(() => {
  const KEY = "turvakaart:case";
  const PAUSE_MS = 700;
  const form = document.getElementById("case-form");
  const quality = document.getElementById("quality");
  const kept = document.getElementById("kept");
  const forget = document.getElementById("forget");
  const sources = () => [...form.querySelectorAll(".source")];
  let waiting = 0;
  let turn = 0;

  const tell = (which) => {
    if (!kept) return;
    kept.textContent = kept.dataset[which];
    kept.hidden = false;
    forget.hidden = which !== "kept";
  };

  /* Another empty source, numbered after the last one. */
  const addSource = () => {
    const last = sources().at(-1);
    const number = sources().length;
    const row = last.cloneNode(true);
    row.id = `source-${number}`;
    row.removeAttribute("aria-describedby");
    for (const list of row.querySelectorAll(".wrong")) list.remove();
    for (const label of row.querySelectorAll("label[for]")) label.htmlFor = label.htmlFor.replace(/\d+$/, number);
    for (const field of row.querySelectorAll("input")) {
      if (field.type === "checkbox") {
        field.checked = false;
        field.value = number;
      } else {
        field.id = field.id.replace(/\d+$/, number);
        field.value = "";
      }
    }
    const legend = row.querySelector("legend");
    legend.textContent = legend.textContent.replace(/\d+/, number + 1);
    last.after(row);
    return row;
  };

  const entries = () => [...new FormData(form)].filter(([name]) => name !== "do");
  const save = () => {
    if (!kept) return;
    try {
      localStorage.setItem(KEY, JSON.stringify(entries()));
      tell("kept");
    } catch {
      tell("lost");
    }
  };
  const fill = (saved) => {
    const wanted = saved.filter(([name]) => name === "source_title").length;
    while (sources().length < Math.min(wanted, 20)) addSource();
    const seen = {};
    for (const [name, value] of saved) {
      const fields = [...form.querySelectorAll(`[name="${CSS.escape(name)}"]`)];
      const tick = fields.find((field) => field.type === "checkbox" && field.value === value);
      if (tick) tick.checked = true;
      else {
        const field = fields[(seen[name] = (seen[name] ?? -1) + 1)];
        if (field && field.type !== "checkbox") field.value = value;
      }
    }
  };
  /* A language that is begun stands open. */
  const unfold = () => {
    for (const tongue of form.querySelectorAll(".tongue")) {
      if ([...tongue.querySelectorAll("input, textarea")].some((field) => field.value)) tongue.open = true;
    }
  };
  const restore = () => {
    try {
      const saved = JSON.parse(localStorage.getItem(KEY) || "null");
      if (!Array.isArray(saved)) return false;
      fill(saved);
      unfold();
      return true;
    } catch {
      return false;
    }
  };

  const measure = async () => {
    const mine = ++turn;
    const page = new URL(form.action, location.href);
    page.searchParams.set("part", "1");
    try {
      const answer = await fetch(page, { method: "POST", body: new FormData(form) });
      if (!answer.ok) return;
      const html = await answer.text();
      if (mine === turn) quality.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
    } catch {
      // Without a network the last measure stays; "Check" will tell.
    }
  };

  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      save();
      measure();
    }, PAUSE_MS);
  });
  addEventListener("pagehide", () => {
    if (!waiting) return;
    clearTimeout(waiting);
    save();
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest('button[value="more"]');
    if (!button) return;
    event.preventDefault();
    addSource().querySelector("input").focus();
    if (sources().length >= 20) button.hidden = true;
  });
  forget?.addEventListener("click", () => {
    clearTimeout(waiting);
    waiting = 0;
    localStorage.removeItem(KEY);
    for (const field of form.querySelectorAll("input, textarea, select")) {
      if (field.type === "checkbox") field.checked = false;
      else field.value = "";
    }
    tell("gone");
    kept.setAttribute("role", "status");
    measure();
  });

  if ("fresh" in form.dataset) {
    if (restore()) {
      tell("kept");
      measure();
    }
  } else {
    save();
    document.getElementById("wrong")?.focus();
  }
})();
