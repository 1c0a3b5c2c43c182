/* What Folium's script calls: layers drawn from an address, and the page around the finished map. */
"use strict";
window.turvakaart = (() => {
  const SPREAD = 2.39996; // The golden angle: neighbours in one place do not hide each other.
  const settled = new Map(); // "lat,lng" -> symbols that stand there and are switched on

  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    const { panBy } = L.Map.prototype;
    L.Map.mergeOptions({ zoomAnimation: false, fadeAnimation: false, markerZoomAnimation: false, inertia: false });
    L.Map.include({
      panBy(offset, options) {
        return panBy.call(this, offset, { ...options, animate: false });
      },
    });
  }

  const fetchJson = async (url) => {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
  };

  const tell = (which) => {
    const told = document.getElementById("told");
    if (!told) return;
    told.textContent = which ? told.dataset[which] : "";
    told.classList.toggle("visually-hidden", !which || which === "loading"); // What failed is for everybody.
  };

  /* A layer that asks for its data when it is first switched on. */
  const FromUrl = L.LayerGroup.extend({
    initialize(options) {
      L.LayerGroup.prototype.initialize.call(this, [], options);
    },
    onAdd(map) {
      L.LayerGroup.prototype.onAdd.call(this, map);
      this.load(this.address());
    },
    /* Only what the visitor has chosen to see: the server filters, so that lists and map always agree. */
    ask(choice) {
      this.choice = choice;
      if (this._map) this.load(this.address());
    },
    address() {
      return this.choice ? `${this.options.url}&${this.choice}` : this.options.url;
    },
    async load(url) {
      if (this.loaded === url) return;
      this.loaded = url;
      try {
        const collection = await fetchJson(url);
        if (this.loaded === url) this.fill(collection);
      } catch {
        if (this.loaded !== url) return; // Another answer is wanted by now.
        this.loaded = null;
        tell("failed");
      }
    },
    fill(collection) {
      this.clearLayers();
      this.addLayer(L.geoJSON(collection, { interactive: false, pane: this.options.pane, style: (feature) => this.look(feature) }));
    },
  });

  const DASHES = { line: null, dashed: "8 5", dotted: "1 4" };
  const WEIGHTS = { line: 1, dashed: 2, dotted: 1.2 };
  const Areas = FromUrl.extend({
    onAdd(map) {
      this.chart = map;
      map.on("zoomend", this.step, this);
      L.LayerGroup.prototype.onAdd.call(this, map);
      this.step();
    },
    onRemove(map) {
      map.off("zoomend", this.step, this);
      L.LayerGroup.prototype.onRemove.call(this, map);
    },
    ask: null, // Borders do not depend on what is chosen.
    detail() {
      const { far, middle, url } = this.options;
      const zoom = this.chart.getZoom();
      return zoom < 8 ? far : zoom < 11 ? middle : url;
    },
    step() {
      this.load(this.detail());
    },
    look() {
      const { colour, line } = this.options;
      return { fill: false, color: colour, opacity: 0.7, weight: WEIGHTS[line], dashArray: DASHES[line] };
    },
  });

  const GROUND = { land: { fillColor: "#fbfaf6", color: "#9db0bc", weight: 0.7 }, neighbours: { fillColor: "#edefec", color: "#c3ced5", weight: 0.6 } };
  const Ground = Areas.extend({
    look() {
      return { fillOpacity: 1, ...GROUND[this.options.key] };
    },
  });

  /* Areas coloured by the kinds of partner known there. */
  const Coverage = Areas.extend({
    step() {
      if (!/(^|&)shade=/.test(this.choice || "")) {
        this.loaded = null; // What is still on its way must not come, and the same shading may be wanted again.
        this.clearLayers();
        return;
      }
      this.load(`${this.detail()}&${this.choice}`);
    },
    ask(choice) {
      this.choice = choice;
      if (this._map) this.step();
    },
    look(feature) {
      return { color: "#fff", weight: 0.8, opacity: 0.9, fillColor: feature.properties.colour, fillOpacity: 0.62 };
    },
  });

  const size = (zoom) => (zoom < 6.5 ? 3.6 : zoom < 7 ? 4.5 : zoom < 9 ? 5.5 : zoom < 11 ? 7 : 9);
  const corners = (count, from, radius) => Array.from({ length: count }, (_, i) => {
    const angle = from + (i * 2 * Math.PI) / count;
    const reach = typeof radius === "function" ? radius(i) : radius;
    return [reach * Math.sin(angle), -reach * Math.cos(angle)];
  });
  const OUTLINES = {
    square: corners(4, Math.PI / 4, 1.25),
    diamond: corners(4, 0, 1.35),
    triangle: corners(3, 0, 1.45),
    star: corners(10, 0, (i) => (i % 2 ? 0.66 : 1.55)),
    hexagon: corners(6, Math.PI / 6, 1.2),
    cross: [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]],
  };

  /* [zoom, lat, lng] of an address's hash; numbers that are none where it names no view. */
  const viewIn = (hash) => (new URLSearchParams(hash.slice(1)).get("at") || "").split("/").map(Number);

  const place = (latlng) => `${latlng.lat},${latlng.lng}`;
  const Symbol_ = L.CircleMarker.extend({
    onAdd(map) {
      const key = place(this._latlng);
      settled.set(key, [...(settled.get(key) || []), this].sort((a, b) => a.options.rank - b.options.rank));
      L.CircleMarker.prototype.onAdd.call(this, map);
      settled.get(key).forEach((one) => one.redraw());
    },
    onRemove(map) {
      const key = place(this._latlng);
      settled.set(key, settled.get(key).filter((one) => one !== this));
      L.CircleMarker.prototype.onRemove.call(this, map);
      settled.get(key).forEach((one) => one.redraw());
    },
    _project() {
      this._radius = size(this._map.getZoom()) * this.options.crowd(this._map.getZoom());
      this._point = this._map.latLngToLayerPoint(this._latlng);
      const here = settled.get(place(this._latlng)) || [];
      const turn = here.indexOf(this);
      if (here.length > 1) {
        const apart = this._radius * (this._map.getZoom() < 9 ? 1.55 : 2.5);
        const reach = apart * Math.sqrt(turn + (here.length > 2 ? 0 : 0.35));
        this._point = this._point.add([reach * Math.cos(turn * SPREAD), reach * Math.sin(turn * SPREAD)]);
      }
      this._updateBounds();
    },
    _updatePath() {
      const canvas = this._renderer;
      const outline = OUTLINES[this.options.symbol];
      if (!outline || !canvas._drawing || this._empty()) {
        L.CircleMarker.prototype._updatePath.call(this);
        return;
      }
      const pen = canvas._ctx;
      pen.beginPath();
      outline.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](this._point.x + x * this._radius, this._point.y + y * this._radius));
      pen.closePath();
      canvas._fillStroke(pen, this);
    },
  });

  const said = (name, form) => {
    const box = document.createElement("span");
    box.textContent = name;
    const more = document.createElement("small");
    more.textContent = form;
    box.append(more);
    return box;
  };

  const Markers = FromUrl.extend({
    fill(collection) {
      this.clearLayers();
      const { colour, symbol, page, rank } = this.options;
      /* Where there are hundreds, they are dots from far away: the shading under them must be seen. */
      const many = collection.features.length > 300;
      const crowd = (zoom) => (many ? (zoom < 8 ? 0.4 : zoom < 9.5 ? 0.65 : 1) : 1);
      for (const { geometry, properties } of collection.features) {
        const [lng, lat] = geometry.coordinates;
        const { faded, expired } = properties;
        const mark = new Symbol_([lat, lng], { symbol, rank, crowd, radius: 6, fillColor: expired ? "#fff" : colour, color: faded || expired ? colour : "#fff", weight: many ? 0.75 : 1.5, fillOpacity: expired ? 0.85 : faded ? 0.18 : 1, bubblingMouseEvents: false });
        mark.bindTooltip(() => said(properties.name, [properties.form, properties.expired].filter(Boolean).join(" · ")), { direction: "top", offset: [0, -6] });
        mark.on("click", () => turvakaart.open(`${page}/${properties.key}`));
        this.addLayer(mark);
      }
    },
  });

  const LEAST = [[6, 30000], [7, 12000], [8, 4500], [9, 1800], [10, 900]];
  const Names = FromUrl.extend({
    onAdd(map) {
      this.chart = map;
      map.on("moveend", this.choose, this);
      FromUrl.prototype.onAdd.call(this, map);
    },
    onRemove(map) {
      map.off("moveend", this.choose, this);
      L.LayerGroup.prototype.onRemove.call(this, map);
    },
    fill(collection) {
      this.towns = collection.features;
      this.choose();
    },
    /* The larger town first; a name that would lie on another one waits for a closer look. */
    choose() {
      if (!this.towns) return;
      const zoom = this.chart.getZoom();
      const least = (LEAST.find(([upTo]) => zoom <= upTo) || [0, 0])[1];
      const seen = this.chart.getBounds().pad(0.1);
      const taken = [];
      this.clearLayers();
      for (const { geometry, properties } of this.towns) {
        const [lng, lat] = geometry.coordinates;
        if (properties.size < least) break;
        if (!seen.contains([lat, lng])) continue;
        const at = this.chart.latLngToLayerPoint([lat, lng]);
        const box = [at.x - 6, at.y - 20, at.x + properties.name.length * 8 + 6, at.y + 4];
        if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
        taken.push(box);
        const label = document.createElement("span");
        label.textContent = properties.name;
        label.className = properties.size > 30000 ? "town large" : "town";
        const icon = L.divIcon({ html: label, className: "", iconSize: [0, 0], iconAnchor: [-7, 16] });
        this.addLayer(L.marker([lat, lng], { icon, pane: this.options.pane, interactive: false, keyboard: false }));
      }
    },
  });

  /* The page: panel, address, controls. */
  const api = {
    ground: (options) => new Ground(options),
    areas: (options) => new Areas(options),
    coverage: (options) => new Coverage(options),
    markers: (options) => new Markers(options),
    names: (options) => new Names(options),
    parts: { DASHES, FromUrl, Mark: Symbol_, WEIGHTS, fetchJson, tell }, // What tiles.js and planning.js build on.
    ready,
    open: () => {},
  };

  function ready(map, layers, about) {
    const panel = document.querySelector(".panel");
    const legend = document.getElementById("legend");
    const detail = document.getElementById("detail");
    const text = document.getElementById("detail-text");
    const grip = panel.querySelector(".grip");
    const phone = matchMedia("(max-width: 820px)");
    const boxes = () => [...panel.querySelectorAll("input[name=layer]")];
    const choice = document.getElementById("choice");
    const parts = () => [...choice.elements].filter((part) => part.matches("select, [name=text]")); // The day is the server's: the whole page changes.
    let ring = null;
    let asked = 0;
    let restoring = true;
    let path = ""; // What is open beside the map, or on its way: the address names it from the first.
    let from = null; // Where the focus was before that opened: there it goes back to.

    const container = map.getContainer();
    container.setAttribute("role", "application");
    container.setAttribute("aria-label", document.querySelector(".frame").getAttribute("aria-label"));
    map.getPane("names").setAttribute("aria-hidden", "true");
    L.control.scale({ imperial: false, position: phone.matches ? "topleft" : "bottomleft" }).addTo(map);

    const home = () => map.fitBounds(about.bounds, { animate: false, paddingBottomRight: [0, phone.matches ? Math.min(190, map.getSize().y / 3) : 0] });
    const lower = (low) => {
      panel.classList.toggle("low", low);
      grip.setAttribute("aria-expanded", String(!low));
    };

    /* The address holds the view, the layers and the choice that differ from the start, and what is open. */
    const state = () => {
      const { lat, lng } = map.getCenter();
      const digits = Math.max(4, Math.ceil(map.getZoom() * 0.301 + 0.14)); // Less than half a point of the screen.
      const found = [`at=${map.getZoom()}/${lat.toFixed(digits)}/${lng.toFixed(digits)}`];
      if (boxes().some((box) => box.checked !== box.defaultChecked)) found.push(`show=${boxes().filter((box) => box.checked).map((box) => box.value)}`);
      for (const part of parts()) if (part.value !== usual(part)) found.push(`${part.name}=${encodeURIComponent(part.value)}`);
      if (path) found.push(`open=${path.replaceAll("%", "%25").replaceAll("&", "%26")}`);
      return `#${found.join("&")}`;
    };
    const write = (push) => {
      if (restoring) return;
      history[push ? "pushState" : "replaceState"](null, "", state());
      carry();
    };
    const carry = () => {
      for (const link of document.querySelectorAll("[data-language]")) link.hash = location.hash;
    };
    const usual = (part) => part.dataset.usual ?? "";
    const asks = () => new URLSearchParams(parts().filter((part) => part.value).map((part) => [part.name, part.value]));

    /* The box or link that stands where one stood before the legend was renewed. */
    const sameAs = (held) => [...panel.querySelectorAll("#layers input, #layers a, #shades a")]
      .find((one) => one.tagName === held.tagName && one.value === held.value && one.pathname === held.pathname);

    /* Layers, counts, fields and legend follow the choice; what the server says replaces what stood there. */
    let shown = asks().toString(); // The choice whose counts and fields stand in the panel.
    let turn = 0;
    async function choose() {
      const asked = asks();
      const only = new URLSearchParams([...asked].filter(([name]) => name !== "shade")).toString();
      for (const box of boxes()) layers[box.value].ask?.(only);
      layers.coverage?.ask(asked.get("shade") === "none" ? "" : asked.toString());
      if (asked.toString() === shown) return;
      const mine = ++turn;
      shown = asked.toString();
      try {
        const answer = await fetch(`${about.pages}legend?${new URLSearchParams([...asked, ...Object.entries(about.when)])}`);
        if (!answer.ok) throw new Error(`${answer.status}`);
        const said = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (mine !== turn) return;
        const on = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
        const held = document.activeElement;
        for (const id of ["layers", "shades"]) document.getElementById(id)?.replaceChildren(...said.getElementById(id).childNodes);
        for (const box of boxes()) box.checked = on.has(box.value);
        for (const part of parts()) {
          if (!part.options) continue; // Words that were typed.
          const now = part.value;
          part.replaceChildren(...said.querySelector(`select[name="${part.name}"]`)?.children ?? part.children);
          part.value = now;
          if (part.selectedIndex < 0) part.selectedIndex = [...part.options].findIndex((option) => option.defaultSelected); // Several values, written otherwise.
        }
        if (!held.isConnected) (sameAs(held) || choice.elements.shade).focus({ preventScroll: true });
        tell("");
        document.getElementById("told").textContent = said.getElementById("matched").textContent;
      } catch {
        if (mine !== turn) return;
        shown = null; // To be asked again.
        tell("failed");
      }
    }
    const chosen = (wanted) => {
      for (const part of parts()) {
        const value = wanted.get(part.name) ?? usual(part);
        if (part.options && ![...part.options].some((option) => option.value === value)) part.add(new Option(value, value));
        part.value = value;
      }
      choose();
    };
    const switchLayers = (wanted) => {
      for (const box of boxes()) {
        box.checked = wanted ? wanted.includes(box.value) : box.defaultChecked;
        const layer = layers[box.value];
        if (box.checked) layer.addTo(map);
        else layer.remove();
      }
    };
    const restore = () => {
      restoring = true; // Only while this runs: what the visitor does before an answer has come is written.
      const wanted = new URLSearchParams(location.hash.slice(1));
      const [zoom, lat, lng] = viewIn(location.hash);
      if (Number.isFinite(zoom + lat + lng)) map.setView([lat, lng], zoom, { animate: false });
      else home();
      switchLayers(wanted.has("show") ? wanted.get("show").split(",") : null);
      chosen(wanted);
      const open = wanted.get("open");
      if (isPath(open)) show(open, false);
      else close(false);
      restoring = false;
      carry();
    };

    const mark = (latlng) => {
      if (ring) ring.remove();
      ring = latlng ? L.circleMarker(latlng, { pane: "selection", radius: 15, color: "#14212b", weight: 2.5, fillColor: "#ffb000", fillOpacity: 0.35, interactive: false }).addTo(map) : null;
    };
    const find = (path) => {
      const button = text.querySelector("[data-on-map]");
      const at = new URLSearchParams((path.split("?")[1] || ""));
      if (at.has("lat")) return L.latLng(at.get("lat"), at.get("lon"));
      if (!button) return null;
      const [, lat, lng] = viewIn(button.hash);
      return L.latLng(lat, lng);
    };

    const isPath = (found) => /^[\w\-:./?=&%~!*'()]+$/.test(found || "") && !found.includes("//");

    /* Back to where one was; on a phone a box for typing would bring its keys up. */
    const refocus = () => {
      if (!phone.matches && from?.isConnected) from.focus();
      if (document.activeElement === document.body || detail.contains(document.activeElement)) (boxes()[0] || panel).focus();
    };

    async function show(wanted, push = true) {
      if (!isPath(wanted)) return;
      const mine = ++asked;
      if (!push) path = wanted; // The address says so already.
      const isFree = push || !/[#&]at=/.test(location.hash); // Nobody has named a view.
      tell("loading");
      const [page, query] = wanted.split("?");
      const extra = new URLSearchParams(query || "");
      extra.set("part", "1");
      for (const [name, day] of Object.entries(about.when)) extra.set(name, day);
      let inside = false;
      try {
        const answer = await fetch(`${about.pages}${page}?${extra}`);
        const html = await answer.text();
        if (mine !== asked) return;
        const parsed = new DOMParser().parseFromString(html, "text/html");
        inside = detail.contains(document.activeElement);
        text.replaceChildren(...parsed.body.childNodes);
      } catch {
        if (mine !== asked) return;
        if (text.dataset.path !== path) fold(); // What stood there is not what the address names.
        tell("failed");
        return;
      }
      path = wanted;
      text.dataset.path = path;
      detail.hidden = false;
      legend.hidden = true;
      lower(false);
      panel.scrollTop = 0;
      const heading = text.querySelector("h1");
      tell("");
      document.getElementById("told").textContent = heading ? heading.textContent : "";
      if (push && !inside) from = document.activeElement;
      if (push || inside) text.focus({ preventScroll: true });
      if (push) write(true); // Before the map moves: its own entry must not replace the one before this.
      const at = find(wanted);
      mark(at);
      if (!at) return;
      const whole = map.getSize();
      const isMiddle = map.latLngToContainerPoint(at).distanceTo(whole.divideBy(2)) < 2; // Under a phone's panel.
      if (phone.matches && (isFree || isMiddle)) map.panTo(map.unproject(map.project(at).add([0, whole.y * 0.28])), { animate: false });
      else if (isFree && !map.getBounds().pad(-0.05).contains(at)) map.panTo(at);
    }
    function fold() {
      const inside = detail.contains(document.activeElement);
      detail.hidden = true;
      legend.hidden = false;
      delete text.dataset.path;
      text.replaceChildren();
      mark(null);
      if (inside) refocus();
    }
    function close(push = true) {
      asked += 1;
      path = "";
      fold();
      tell("");
      write(push);
    }
    api.open = show;

    panel.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (link.matches("[data-on-map]")) {
        event.preventDefault();
        const [zoom, lat, lng] = viewIn(link.hash);
        map.setView([lat, lng], zoom);
        if (phone.matches) lower(true);
      } else if (link.matches("[data-panel]")) {
        event.preventDefault();
        if (link.dataset.at) map.setView(link.dataset.at.split("/").map(Number), Math.max(map.getZoom(), 10));
        show(link.pathname.slice(about.pages.length) + link.search);
      }
    });
    panel.addEventListener("submit", (event) => {
      const form = event.target;
      if (form.matches(".search")) show(`search?q=${encodeURIComponent(new FormData(form).get("q"))}`);
      else if (form.matches("[data-panel]")) show(`${form.action.split(about.pages)[1]}?${new URLSearchParams(new FormData(form))}`);
      else return;
      event.preventDefault();
    });
    panel.querySelector("[data-back]").addEventListener("click", () => close());
    panel.addEventListener("change", ({ target }) => {
      if (target.name === "layer") {
        if (target.checked) layers[target.value].addTo(map);
        else layers[target.value].remove();
      } else if (parts().includes(target)) choose();
      else return;
      write(true);
    });
    choice.addEventListener("submit", (event) => {
      event.preventDefault();
      const day = choice.elements.as_of.value;
      if (day === (about.when.as_of || "")) return;
      const { known } = about.when;
      location.href = `${about.pages}?${new URLSearchParams({ ...(day && { as_of: day }), ...(known && { known }) })}${location.hash}`;
    });
    document.getElementById("all").addEventListener("click", (event) => {
      if (Object.keys(about.when).length) return; // The link leads to today.
      event.preventDefault();
      chosen(new URLSearchParams());
      write(true);
    });
    grip.hidden = false;
    grip.addEventListener("click", () => lower(!panel.classList.contains("low")));
    if (phone.matches) lower(true);

    for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => map.setZoom(map.getZoom() + Number(button.dataset.zoom)));
    document.querySelector("[data-home]").addEventListener("click", home);
    map.on("click", ({ latlng }) => show(`here?lat=${latlng.lat.toFixed(4)}&lon=${latlng.lng.toFixed(4)}`));
    map.on("moveend", () => write(false));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !detail.hidden) close();
    });
    addEventListener("popstate", restore);
    addEventListener("online", () => {
      tell("");
      choose();
      if (path !== (text.dataset.path ?? "")) show(path, false);
    });
    addEventListener("hashchange", () => location.hash !== state() && restore());

    offerBasemaps(map);
    restore();
    document.documentElement.dataset.map = "ready";
    document.dispatchEvent(new CustomEvent("turvakaart:ready", { detail: { map, layers, about } }));
  }

  /* Online backgrounds come only when asked for, and leave quietly when they cannot be reached. */
  function offerBasemaps(map) {
    const field = document.querySelector(".basemaps");
    if (!field) return;
    const credits = document.querySelector("[data-credits]");
    const own = credits.textContent;
    let tiles = null;
    field.hidden = false;
    const choose = (radio) => {
      if (tiles) tiles.remove();
      tiles = null;
      credits.textContent = own;
      if (!radio.value) return;
      let came = 0;
      let failed = 0;
      tiles = L.tileLayer(radio.dataset.url, { maxZoom: Number(radio.dataset.maxZoom) }).addTo(map);
      credits.textContent = `${radio.dataset.credits}, ${own}`;
      tiles.on("tileload", () => (came += 1));
      tiles.on("tileerror", () => {
        failed += 1;
        if (came || failed < 4 || !tiles) return;
        field.querySelector("input").checked = true;
        choose(field.querySelector("input"));
        tell("basemapFailed");
      });
    };
    field.addEventListener("change", (event) => choose(event.target));
  }

  return api;
})();
