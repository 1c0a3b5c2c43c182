/* The map of a form: a click sets a point; corners of a shape are dragged, added and removed. Without this file
   the fields hold the same. */
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
      .then((found) => L.geoJSON(found, { style: () => style, filter: ({ geometry }) => geometry && geometry.type !== "Point" }).addTo(map).bringToBack())
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

  const shape = () => {
    const field = document.getElementById("shape");
    const told = box.querySelector(".corners");
    const group = L.featureGroup().addTo(map);
    const MOST = 120; // More handles than this hide the shape; then one zooms in.
    let rings = []; // Polygons as rings of [lon, lat], each without its last corner, which repeats the first.
    let drawing = false;

    const inView = (frame) => rings.flat(2).filter(([lon, lat]) => frame.contains([lat, lon])).length;
    const isCrowded = () => inView(map.getBounds().pad(0.1)) > MOST;
    const save = () => {
      const closed = rings.map((polygon) => polygon.map((ring) => [...ring, ring[0]]));
      field.value = rings.length && rings.every((polygon) => polygon[0].length > 2) ? JSON.stringify({ type: "MultiPolygon", coordinates: closed }) : "";
      told.textContent = told.dataset.drawn.replace("{count}", rings.flat(2).length);
      if (isCrowded()) told.textContent += `. ${told.dataset.many}`;
    };
    const icon = (between) => L.divIcon({ className: between ? "corner between" : "corner", iconSize: between ? [14, 14] : [20, 20] });
    const handle = (ring, at) => {
      const [lon, lat] = ring[at];
      const marker = L.marker([lat, lon], { icon: icon(false), draggable: true, keyboard: false, title: box.dataset.corner });
      marker.on("dragend", () => {
        const to = marker.getLatLng().wrap();
        ring[at] = [Number(to.lng.toFixed(6)), Number(to.lat.toFixed(6))];
        show();
      });
      marker.on("dblclick", () => {
        if (ring.length > 3) ring.splice(at, 1);
        show();
      });
      return marker;
    };
    const middle = (ring, at) => {
      const [one, two] = [ring[at], ring[(at + 1) % ring.length]];
      const marker = L.marker([(one[1] + two[1]) / 2, (one[0] + two[0]) / 2], { icon: icon(true), keyboard: false });
      marker.on("click", () => {
        ring.splice(at + 1, 0, [(one[0] + two[0]) / 2, (one[1] + two[1]) / 2]);
        show();
      });
      return marker;
    };
    const show = () => {
      group.clearLayers();
      const frame = map.getBounds().pad(0.1);
      const isFull = isCrowded();
      for (const polygon of rings) {
        L.polygon(polygon.map((ring) => ring.map(([lon, lat]) => [lat, lon])), { color: "#6a3d9a", weight: 2, fillOpacity: 0.12, interactive: false }).addTo(group);
        for (const ring of polygon) {
          ring.forEach(([lon, lat], at) => {
            if (isFull || !frame.contains([lat, lon])) return;
            handle(ring, at).addTo(group);
            if (!drawing && ring.length > 2) middle(ring, at).addTo(group);
          });
        }
      }
      save();
    };
    const read = (found) => {
      const all = found.type === "Polygon" ? [found.coordinates] : found.coordinates;
      rings = all.map((polygon) => polygon.map((ring) => ring.slice(0, -1)));
    };
    const acts = {
      load: async () => {
        const answer = await fetch(box.dataset.shape);
        if (!answer.ok) return;
        drawing = false;
        read(await answer.json());
        map.fitBounds(L.polygon(rings.map((polygon) => polygon.map((ring) => ring.map(([lon, lat]) => [lat, lon])))).getBounds());
        show();
      },
      draw: () => {
        drawing = true;
        rings = [[[]]];
        show();
      },
      clear: () => {
        drawing = false;
        rings = [];
        show();
      },
    };
    for (const button of box.querySelectorAll("[data-do]")) button.addEventListener("click", () => acts[button.dataset.do]());
    map.on("click", ({ latlng }) => {
      if (!drawing) return;
      const at = latlng.wrap();
      rings[0][0].push([Number(at.lng.toFixed(6)), Number(at.lat.toFixed(6))]);
      show();
    });
    map.doubleClickZoom.disable();
    map.on("moveend", () => rings.length && show());
    try {
      if (field.value) read(JSON.parse(field.value));
      if (rings.length) show();
    } catch {
      rings = []; // WKT, or something that the server will speak about.
    }
    if (box.dataset.shape && !rings.length) {
      fetch(box.dataset.shape)
        .then((answer) => answer.json())
        .then((found) => map.fitBounds(L.geoJSON(found, { style: { color: "#6a3d9a", weight: 2, fillOpacity: 0.05, interactive: false } }).addTo(map).getBounds()))
        .catch(() => {});
    }
  };

  (box.dataset.of === "area" ? shape : point)();
  document.documentElement.dataset.map = "ready";
})();
