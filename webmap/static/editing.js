/* The map of a form: a click sets a point; a shape is drawn in drawing.js. Without this file the fields hold the
   same. */
"use strict";
(() => {
  const box = document.getElementById("editing-map");
  if (!box || !window.L) return;
  box.hidden = false;
  const [west, south, east, north] = box.dataset.bounds.split(",").map(Number);
  const map = L.map(box.querySelector(".canvas"), { maxZoom: 18, minZoom: 4, attributionControl: false, zoomSnap: 0.5 });
  map.fitBounds([[south, west], [north, east]]);
  const style = { color: "#51626f", weight: 1, fillColor: "#f7f5ee", fillOpacity: 0.8, interactive: false };
  for (const address of JSON.parse(box.dataset.ground)) {
    fetch(address)
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
      .then((found) => L.geoJSON(found, { pmIgnore: true, style: () => style, filter: ({ geometry }) => geometry && geometry.type !== "Point" }).addTo(map).bringToBack())
      .catch(() => {}); // The ground is a help; the form is whole without it.
  }

  const point = () => {
    const lat = document.getElementById("lat");
    const lon = document.getElementById("lon");
    const marker = L.circleMarker([0, 0], { radius: 9, color: "#fff", weight: 3, fillColor: "#6a3d9a", fillOpacity: 1 });
    const show = (moves) => {
      const at = [Number(lat.value.replace(",", ".")), Number(lon.value.replace(",", "."))];
      if (!lat.value || !lon.value || !at.every(Number.isFinite)) return marker.remove();
      marker.setLatLng(at).addTo(map);
      if (moves) map.setView(at, Math.max(map.getZoom(), 12));
    };
    map.on("click", ({ latlng }) => {
      lat.value = latlng.lat.toFixed(5);
      lon.value = latlng.wrap().lng.toFixed(5);
      show(false);
    });
    for (const field of [lat, lon]) field.addEventListener("change", () => show(true));
    show(true);
  };

  if (box.dataset.of === "area") window.drawing(box, map);
  else point();
  document.documentElement.dataset.map = "ready";
})();
