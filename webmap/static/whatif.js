/* Scenarios by hand: a click on the map adds a unit, a click on a unit moves or closes it. The link is the state. */
"use strict";
document.addEventListener("turvakaart:ready", ({ detail: { map } }) => {
  const edits = document.getElementById("edits");
  const result = document.getElementById("result");
  const told = document.getElementById("told");
  const MOST = 50;
  let plan = edits.dataset.planText;
  let moving = ""; // The unit that waits for its new place.
  let turn = 0;

  const at = ({ lat, lng }) => `${lat.toFixed(4)},${lng.toFixed(4)}`;
  const address = (wanted) => {
    const found = new URL(edits.dataset.page, location.href);
    found.searchParams.delete("plan");
    if (wanted) found.searchParams.set("plan", wanted);
    return found;
  };
  const say = (text) => {
    told.textContent = text;
    told.classList.toggle("visually-hidden", !text);
  };

  /* The server counts; the page shows what it says, and its address is the scenario. */
  const show = async (wanted, push) => {
    const mine = ++turn;
    const page = address(wanted);
    const part = new URL(page);
    part.searchParams.set("part", "1");
    try {
      const answer = await fetch(part);
      const html = await answer.text();
      if (!answer.ok) throw new Error(`${answer.status}`);
      if (mine !== turn) return;
      plan = wanted;
      result.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
      for (const field of document.querySelectorAll("[data-steps]")) field.value = plan;
      document.querySelector("[data-units]").replaceChildren(...result.querySelector("[data-offered]").content.childNodes);
      for (const link of document.querySelectorAll("[data-language]")) {
        const other = new URL(link.href);
        other.searchParams.delete("plan");
        if (plan) other.searchParams.set("plan", plan);
        link.href = other;
      }
      const features = new URL(page);
      features.pathname += ".geojson";
      document.dispatchEvent(new CustomEvent("turvakaart:plan", { detail: { address: features.href } }));
      if (push) history.pushState({ plan }, "", page);
      say("");
    } catch {
      if (mine === turn) say(told.dataset.failed);
    }
  };
  const add = (step) => {
    map.closePopup();
    const steps = plan ? plan.split(";") : [];
    if (steps.length >= MOST) say(edits.dataset.full);
    else show([...steps, step].join(";"), true);
  };

  const buttons = (...offered) => {
    const box = document.createElement("div");
    box.className = "choices";
    for (const [words, action] of offered) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button ghost";
      button.textContent = words;
      button.addEventListener("click", action);
      box.append(button);
    }
    return box;
  };

  const place = (latlng) => {
    const unit = moving;
    moving = "";
    add(`move:${unit}@${at(latlng)}`);
  };
  const adding = (latlng) => buttons([edits.dataset.add, () => add(`add:${at(latlng)}`)]);
  map.on("click", ({ latlng }) => {
    if (moving) place(latlng);
    else L.popup({ maxWidth: 240 }).setLatLng(latlng).setContent(adding(latlng)).openOn(map);
  });
  document.addEventListener("turvakaart:plan-drawn", ({ detail: { layer } }) => {
    layer.eachLayer((one) => {
      const { unit, state } = one.feature.properties;
      const said = one.getPopup().getContent();
      const move = () => {
        map.closePopup();
        moving = unit;
        say(edits.dataset.moving);
      };
      const changing = () => buttons([edits.dataset.move, move], [edits.dataset.close, () => add(`close:${unit}`)]);
      one.setPopupContent(() => {
        const box = said(one);
        box.append(unit && state !== "closed" ? changing() : adding(one.getLatLng()));
        return box;
      });
      /* A village is where a unit is put most often: its dot is no obstacle. */
      one.on("click", () => moving && place(one.getLatLng()));
    });
  });
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && moving) {
      moving = "";
      say("");
    }
  });
  addEventListener("popstate", () => show(new URL(location.href).searchParams.get("plan") || "", false));
});
