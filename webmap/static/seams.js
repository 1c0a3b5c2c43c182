/* The small map of a planner's page: pieces between areas, each with its size. Loaded after map.js, before the map. */
"use strict";
(() => {
  const { FromUrl } = window.turvakaart.parts;
  const LOOKS = {
    gap: { color: "#8c1d2f", fillColor: "#c8374d", dashArray: null },
    overlap: { color: "#4b2a7b", fillColor: "#7a55b0", dashArray: "5 4" },
  };
  const SMALL_M2 = 4e6; // From far away it would not be seen.

  const said = ({ label, size, names }) => {
    const box = document.createElement("span");
    box.textContent = `${label}, ${size}`;
    const more = document.createElement("small");
    more.textContent = names;
    box.append(more);
    return box;
  };

  const Pieces = FromUrl.extend({
    fill(collection) {
      this.clearLayers();
      const look = ({ properties }) => ({ ...LOOKS[properties.kind], weight: 2, fillOpacity: 0.45 });
      const drawn = L.geoJSON(collection, { pane: this.options.pane, style: look });
      drawn.eachLayer((layer) => layer.bindTooltip(() => said(layer.feature.properties), { sticky: true }));
      this.addLayer(drawn);
      for (const feature of collection.features) {
        const { area_m2: area, lat, lon } = feature.properties;
        if (area > SMALL_M2) continue;
        const mark = L.circleMarker([lat, lon], { ...look(feature), pane: this.options.pane, radius: 6 });
        this.addLayer(mark.bindTooltip(() => said(feature.properties), { direction: "top" }));
      }
    },
  });

  window.turvakaart.pieces = (options) => new Pieces(options);
  window.turvakaart.ready = (map, _layers, about) => {
    const container = map.getContainer();
    container.setAttribute("role", "application");
    container.setAttribute("aria-label", document.querySelector(".small-map").getAttribute("aria-label"));
    L.control.scale({ imperial: false, position: "bottomleft" }).addTo(map);
    map.scrollWheelZoom.disable(); // The page is to be scrolled past the map.
    map.options.zoomSnap = 0.25;
    map.fitBounds(about.bounds, { animate: false });
    for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => map.setZoom(map.getZoom() + Number(button.dataset.zoom)));
    for (const link of document.querySelectorAll("[data-piece]")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        const [zoom, lat, lon] = link.dataset.piece.split("/").map(Number);
        map.setView([lat, lon], zoom);
        container.scrollIntoView({ block: "center" });
        container.focus({ preventScroll: true });
      });
    }
    document.documentElement.dataset.map = "ready";
  };
})();
