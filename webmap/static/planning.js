/* The map of the planner's pages, loaded after map.js: one layer whose address the page names, and its look. */
"use strict";
(() => {
  const { FromUrl, Mark, tell } = window.turvakaart.parts;
  const box = document.querySelector("[data-plan]");

  /* What each state looks like: never told apart by colour alone. */
  const DOTS = {
    covered: { stroke: false, fillColor: "#0b5d66", fillOpacity: 0.65 },
    uncovered: { color: "#b3261e", weight: 1.1, fillColor: "#fff", fillOpacity: 0.35 },
    counted: { color: "#51626f", weight: 1, fillColor: "#9aa5ad", fillOpacity: 0.6 },
  };
  const MARKS = {
    gained: { symbol: "diamond", fillColor: "#14803c", color: "#fff" },
    lost: { symbol: "cross", fillColor: "#b3261e", color: "#fff" },
    unit: { symbol: "triangle", fillColor: "#14212b", color: "#fff" },
    added: { symbol: "star", fillColor: "#6a3d9a", color: "#fff" },
    moved: { symbol: "hexagon", fillColor: "#6a3d9a", color: "#fff" },
    closed: { symbol: "cross", fillColor: "#fff", color: "#51626f" },
    missing: { symbol: "square", fillColor: "#fff", color: "#b3261e" },
    there: { symbol: "square", fillColor: "#0b5d66", color: "#fff" },
  };
  const SHAPES = {
    gap: { color: "#7f3b08", weight: 1.5, fillColor: "#d95f02", fillOpacity: 0.5 },
    overlap: { color: "#3f2169", weight: 1.5, dashArray: "5 4", fillColor: "#6a3d9a", fillOpacity: 0.45 },
    sliver: { color: "#b3261e", weight: 3, fill: false },
    outside: { color: "#51626f", weight: 1, dashArray: "1 3", fillColor: "#51626f", fillOpacity: 0.25 },
    pair: { color: "#6a3d9a", weight: 2.5, opacity: 0.75 },
    draft: { color: "#6a3d9a", weight: 2, fillColor: "#6a3d9a", fillOpacity: 0.2 },
    turned: { color: "#7f3b08", weight: 2, dashArray: "5 4", fillColor: "#d95f02", fillOpacity: 0.2 },
    stands: { color: "#51626f", weight: 1, fillOpacity: 0.05 },
    zone: { color: "#fff", weight: 1, fillOpacity: 0.6 },
    fact: { color: "#0b5d66", weight: 2, fillColor: "#0b5d66", fillOpacity: 0.15 },
  };

  const said = ({ title, lines = [], href, link }) => {
    const found = document.createElement("div");
    const heading = document.createElement("strong");
    heading.textContent = title;
    found.append(heading);
    for (const line of lines) {
      const part = document.createElement("div");
      part.textContent = line;
      found.append(part);
    }
    if (href) {
      const more = document.createElement("a");
      more.href = href;
      more.textContent = link || title;
      found.append(more);
    }
    return found;
  };

  /* Features whose properties are facts (OGC API) have a name, and a page of ours. */
  const words = ({ id, properties }) => (box.dataset.link ? { title: properties.name || id, href: properties.url, link: box.dataset.link } : properties);

  const radius = (size, zoom) => Math.max(1.5, Math.min(11, 1.2 + Math.sqrt(size || 0) / 28)) * (zoom < 8 ? 0.85 : zoom < 10 ? 1.4 : 2);
  const once = () => 1;
  /* On one canvas with shapes and lines: another one above them would take their clicks. */
  const drawn = (pane, feature, latlng) => {
    const { state, size } = feature.properties;
    if (DOTS[state]) return L.circleMarker(latlng, { pane, ...DOTS[state], radius: radius(size, 7), bubblingMouseEvents: false });
    return new Mark(latlng, { pane, rank: 0, crowd: once, radius: 6, weight: 1.5, fillOpacity: 1, bubblingMouseEvents: false, ...(MARKS[state] || MARKS.unit) });
  };
  const look = ({ properties: { state = "fact", colour } }) => ({ ...(SHAPES[state] || {}), ...(colour && { fillColor: colour }) });

  const Plan = FromUrl.extend({
    address: () => box.dataset.plan,
    onAdd(map) {
      this.chart = map;
      map.on("zoomend", this.resize, this);
      FromUrl.prototype.onAdd.call(this, map);
    },
    resize() {
      const zoom = this.chart.getZoom();
      this.drawn?.eachLayer((one) => DOTS[one.feature.properties.state] && one.setRadius(radius(one.feature.properties.size, zoom)));
    },
    fill(collection) {
      this.clearLayers();
      const features = (collection.features || [collection]).filter(({ geometry }) => geometry);
      const isPoint = ({ geometry }) => geometry.type === "Point";
      const order = (one) => (DOTS[one.properties.state] ? one.properties.size || 0 : Infinity); // Units above people.
      const sorted = [...features.filter((one) => !isPoint(one)), ...features.filter(isPoint).sort((a, b) => order(a) - order(b))];
      const layer = L.geoJSON({ ...collection, features: sorted }, { pane: this.options.pane, style: (one) => (isPoint(one) ? {} : look(one)), pointToLayer: (...point) => drawn(this.options.pane, ...point), bubblingMouseEvents: false });
      layer.eachLayer((one) => one.bindPopup(() => said(words(one.feature)), { maxWidth: 260 }));
      this.addLayer(layer);
      const thin = layer.getLayers().find((one) => one.feature.geometry.type === "LineString");
      if (thin) this.chart.getRenderer(thin).options.tolerance = 5; // A line must not be hit to the pixel.
      this.drawn = layer;
      this.resize();
      document.dispatchEvent(new CustomEvent("turvakaart:plan-drawn", { detail: { layer } }));
    },
  });
  window.turvakaart.plan = (options) => new Plan(options);

  window.turvakaart.ready = (map, layers, about) => {
    const container = map.getContainer();
    container.setAttribute("role", "application");
    container.setAttribute("aria-label", box.getAttribute("aria-label"));
    map.getPane("names").setAttribute("aria-hidden", "true");
    L.control.scale({ imperial: false, position: "bottomleft" }).addTo(map);
    const [west, south, east, north] = (box.dataset.bounds || "").split(",").map(Number);
    const bounds = Number.isFinite(west + south + east + north) ? [[south, west], [north, east]] : about.bounds;
    const home = () => map.fitBounds(bounds, { animate: false, maxZoom: 13 });
    home();
    for (const button of box.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => map.setZoom(map.getZoom() + Number(button.dataset.zoom)));
    box.querySelector("[data-home]").addEventListener("click", home);
    document.addEventListener("turvakaart:plan", ({ detail }) => {
      box.dataset.plan = detail.address;
      layers.plan.load(detail.address);
    });
    tell("");
    document.documentElement.dataset.map = "ready";
    document.dispatchEvent(new CustomEvent("turvakaart:ready", { detail: { map, layers, about } }));
  };
})();
