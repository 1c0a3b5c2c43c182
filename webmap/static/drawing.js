/* A shape is drawn: several parts, holes, corners that are dragged, added, removed and set on neighbours' borders.

   Leaflet-Geoman does the drawing (MIT, 77 kB on the wire, only where an area is edited; two releases a month in
   2026). What was compared with it: terra-draw refuses polygons with holes ("Feature has holes") and knows no
   multipolygons; Leaflet.Editable cannot set corners on borders, and its last release is of 2024. What Geoman's
   free edition lacks is here: undo, a keyboard way to corners, names for screen readers, and the field of the form,
   which holds all of it as GeoJSON and stays the way without this file. Its toolbar is not used: the buttons are
   the page's own. */
"use strict";
window.drawing = (box, map) => {
  const field = document.getElementById("shape");
  const told = box.querySelector(".corners");
  const button = (name) => box.querySelector(`[data-do=${name}]`);
  const own = { color: "#6a3d9a", weight: 2, fillOpacity: 0.12 };
  const beside = { color: "#51626f", weight: 1, dashArray: "4 4", fill: false, interactive: false, pmIgnore: true, snapIgnore: false };
  const faint = { ...own, fillOpacity: 0.05, interactive: false, pmIgnore: true, snapIgnore: true };
  const MOST = 80; // More handles than this hide the shape: those nearest to the pointer, or the middle, are shown.
  const ISLES = 30; // So many parts have handles at once, the largest in view.
  const snaps = { snappable: true, snapDistance: 12, allowSelfIntersection: true };
  const parts = L.featureGroup().addTo(map);
  const neighbours = L.geoJSON(null, { style: () => beside, ...beside }).addTo(map);
  let before = null; // The shape as it is, faint, until one begins to change it.
  let mode = ""; // "part" or "hole" while a line is drawn, "take" while parts and holes can be taken away.
  let steps = [""];
  let at = 0;

  // --- The field, and its history

  const round = (value) => Number(value.toFixed(7));
  const ringsOf = (layer) => layer.toGeoJSON(7).geometry.coordinates;
  const text = () => {
    const coordinates = parts.getLayers().map(ringsOf).filter((rings) => rings[0] && rings[0].length > 3);
    return coordinates.length ? JSON.stringify({ type: "MultiPolygon", coordinates }) : "";
  };
  const count = () => {
    const rings = parts.getLayers().map(ringsOf);
    return { corners: rings.flat().reduce((sum, ring) => sum + ring.length - 1, 0), parts: rings.length, holes: rings.flat().length - rings.length };
  };
  const tell = () => {
    if (mode) return void (told.textContent = told.dataset[mode]);
    const counts = count();
    told.textContent = counts.parts ? told.dataset.drawn.replace(/\{(\w+)\}/g, (_, name) => counts[name]) : "";
    if (counts.corners > MOST) told.textContent += ` ${told.dataset.many}`;
  };
  const show = () => {
    const isDrawn = parts.getLayers().length > 0;
    const isLine = mode === "part" || mode === "hole";
    for (const name of ["finish", "back", "stop"]) button(name).hidden = !isLine;
    button("draw").hidden = isLine;
    button("load").hidden = isLine || !box.dataset.shape;
    for (const name of ["part", "hole", "take"]) button(name).hidden = isLine || !isDrawn;
    button("clear").hidden = isLine || (!isDrawn && steps.length < 2);
    button("undo").hidden = button("redo").hidden = isLine || steps.length < 2;
    button("undo").disabled = at === 0;
    button("redo").disabled = at === steps.length - 1;
    button("take").setAttribute("aria-pressed", String(mode === "take"));
    tell();
  };
  const keep = () => {
    field.value = text();
    if (field.value !== steps[at]) {
      steps = [...steps.slice(0, at + 1), field.value];
      at = steps.length - 1;
    }
    show();
  };

  // --- Parts

  const label = (icon) => icon.setAttribute("aria-label", icon.classList.contains("marker-icon-middle") ? told.dataset.between : told.dataset.corner);
  map.on("layeradd", ({ layer }) => {
    const icon = layer instanceof L.Marker && layer.getElement();
    if (icon && icon.classList.contains("marker-icon")) label(icon);
  });
  const near = () => parts.eachLayer((layer) => layer.pm.enabled() && layer.pm.applyLimitFilters({ latlng: map.getCenter() }));
  const grip = () => {
    const frame = map.getBounds().pad(0.1);
    const size = (layer) => layer.getBounds().getNorthWest().distanceTo(layer.getBounds().getSouthEast());
    const seen = mode ? [] : parts.getLayers().filter((layer) => frame.intersects(layer.getBounds())).sort((one, other) => size(other) - size(one));
    const held = new Set(seen.slice(0, ISLES));
    parts.eachLayer((layer) => {
      if (!held.has(layer)) layer.pm.disable();
      else if (!layer.pm.enabled()) layer.pm.enable({ ...snaps, limitMarkersToCount: MOST, removeVertexOn: "dblclick contextmenu" });
    });
    near();
  };
  const changed = () => {
    for (const icon of box.querySelectorAll(".marker-icon")) label(icon);
    keep();
  };
  const add = (rings) => {
    const layer = L.polygon(rings.map((ring) => ring.slice(0, -1).map(([lon, lat]) => [lat, lon])), own).addTo(parts);
    layer.on("pm:edit", changed);
    // With a limit of handles Geoman makes them anew when one goes, and forgets that they snap.
    layer.on("pm:vertexremoved", () => queueMicrotask(() => {
      layer.pm.disable();
      grip();
    }));
    layer.on("pm:remove", () => {
      parts.removeLayer(layer); // Its last corners were removed.
      changed();
    });
    layer.on("click", (event) => mode === "take" && take(layer, event.latlng));
  };
  const read = (found) => {
    const polygons = { Polygon: () => [found.coordinates], MultiPolygon: () => found.coordinates }[found.type]();
    parts.eachLayer((layer) => layer.pm.disable());
    parts.clearLayers();
    for (const rings of polygons) add(rings);
    grip();
  };
  const inside = ([x, y], ring) => ring.reduce((isIn, [x1, y1], i) => {
    const [x2, y2] = ring[(i + ring.length - 1) % ring.length];
    return y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1 ? !isIn : isIn;
  }, false);
  const take = (layer) => {
    parts.removeLayer(layer);
    stop();
    keep();
  };
  /* A hole is not a part of the polygon, so that a click into it reaches the map alone. */
  map.on("click", ({ latlng }) => {
    if (mode !== "take") return;
    for (const layer of parts.getLayers()) {
      const [outer, ...holes] = ringsOf(layer);
      const left = holes.filter((ring) => !inside([latlng.lng, latlng.lat], ring));
      if (left.length === holes.length) continue;
      layer.setLatLngs([outer, ...left].map((ring) => ring.slice(0, -1).map(([lon, lat]) => [lat, lon])));
      stop();
      return keep();
    }
  });

  // --- Lines that are being drawn

  const pen = () => map.pm.Draw[mode === "hole" ? "Cut" : "Polygon"];
  const begin = (name) => {
    mode = name;
    if (before) before.remove();
    grip();
    around();
    if (name !== "take") map.pm.enableDraw(name === "hole" ? "Cut" : "Polygon", { ...snaps, allowSelfIntersection: false, tooltips: false, templineStyle: own, hintlineStyle: { ...own, dashArray: "5 5" }, pathOptions: own, cursorMarker: false });
    show();
  };
  const stop = () => {
    mode = "";
    map.pm.disableDraw();
    grip();
    show();
  };
  const corners = () => (pen()._layer ? pen()._layer.getLatLngs().length : 0);
  const finish = () => {
    if (corners() < 3) return void (told.textContent = told.dataset.few);
    pen()._finishShape();
  };
  map.on("pm:create", ({ layer }) => {
    const { coordinates } = layer.toGeoJSON(7).geometry;
    layer.remove();
    add(coordinates);
    stop();
    keep();
  });
  map.on("pm:cut", ({ layer, originalLayer }) => {
    const { geometry, features } = layer.toGeoJSON(7);
    const left = (features || [{ geometry }]).map((one) => one.geometry);
    layer.remove();
    parts.removeLayer(originalLayer);
    for (const one of left) for (const rings of one.type === "Polygon" ? [one.coordinates] : one.coordinates) add(rings);
    stop();
    keep();
  });

  map.on("pm:drawend", () => (mode === "part" || mode === "hole") && stop());

  // --- Neighbours, whose borders corners are set on

  let asked = "";
  const around = async () => {
    if (!mode && !parts.getLayers().length) return;
    const frame = map.getBounds().pad(0.2);
    const bbox = [frame.getWest(), frame.getSouth(), frame.getEast(), frame.getNorth()].map((one) => one.toFixed(4)).join(",");
    if (bbox === asked) return;
    asked = bbox;
    const address = new URL(box.dataset.around, location.href);
    address.searchParams.set("bbox", bbox);
    try {
      const answer = await fetch(address);
      if (!answer.ok || bbox !== asked) return;
      const found = await answer.json();
      neighbours.clearLayers().addData(found);
      neighbours.bringToBack();
    } catch {
      asked = ""; // Borders to snap to are a help: one draws without them.
    }
  };
  map.on("moveend", () => {
    if (parts.getLayers().length) grip();
    around();
  });

  // --- Buttons and keys

  const go = (step) => {
    at = Math.max(0, Math.min(steps.length - 1, at + step));
    mode = "";
    read(steps[at] ? JSON.parse(steps[at]) : { type: "MultiPolygon", coordinates: [] });
    field.value = steps[at];
    show();
  };
  const acts = {
    load: async () => {
      const answer = await fetch(box.dataset.shape);
      if (!answer.ok) return;
      if (before) before.remove();
      mode = "";
      read(await answer.json());
      map.fitBounds(parts.getBounds());
      around();
      keep();
    },
    draw: () => {
      read({ type: "MultiPolygon", coordinates: [] });
      keep();
      begin("part");
    },
    part: () => begin("part"),
    hole: () => begin("hole"),
    take: () => (mode === "take" ? stop() : begin("take")),
    undo: () => go(-1),
    redo: () => go(1),
    back: () => corners() && pen()._removeLastVertex(),
    finish,
    stop,
    clear: () => {
      read({ type: "MultiPolygon", coordinates: [] });
      if (before) before.addTo(map);
      neighbours.clearLayers();
      asked = "";
      keep();
    },
  };
  for (const one of box.querySelectorAll("[data-do]")) one.addEventListener("click", () => acts[one.dataset.do]());
  field.form.addEventListener("submit", () => (mode === "part" || mode === "hole") && corners() > 2 && finish());

  const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  const gripped = (icon) => parts.getLayers().flatMap((layer) => (layer.pm.enabled() ? layer.pm._markerGroup.getLayers().map((marker) => [layer, marker]) : [])).find(([, marker]) => marker.getElement() === icon);
  const canvas = map.getContainer();
  canvas.addEventListener("keydown", (event) => {
    if (mode && event.key === "Escape") return stop();
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !mode) {
      event.preventDefault();
      go(event.shiftKey ? 1 : -1);
      return canvas.focus();
    }
    const [layer, marker] = (event.target.classList.contains("marker-icon") && gripped(event.target)) || [];
    if (marker && marker.leftM && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      return marker.fire("click", { latlng: marker.getLatLng() });
    }
    if (!marker || marker.leftM) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      marker.fire("contextmenu");
      return canvas.focus(); // The corner that had it is gone.
    }
    const way = ARROWS[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation(); // Or the map would move too.
    const by = event.shiftKey ? 1 : 10;
    const to = map.unproject(map.project(marker.getLatLng()).add([way[0] * by, way[1] * by]));
    const { snapDistance } = layer.pm.options;
    layer.pm.options.snapDistance = -1; // A border that holds on to every small step could never be left.
    marker.fire("dragstart");
    marker.setLatLng([round(to.lat), round(to.lng)]);
    marker.fire("dragend");
    layer.pm.options.snapDistance = snapDistance;
  }, true);

  // --- What the field holds already, or the shape that there is

  map.doubleClickZoom.disable();
  try {
    if (field.value) read(JSON.parse(field.value));
    if (field.value) map.fitBounds(parts.getBounds());
  } catch {
    parts.clearLayers(); // WKT, or something that the server will speak about.
  }
  steps = [text()];
  if (parts.getLayers().length) around();
  else if (box.dataset.shape) {
    fetch(box.dataset.shape)
      .then((answer) => answer.json())
      .then((found) => {
        before = L.geoJSON(found, faint);
        if (!parts.getLayers().length && !mode) before.addTo(map);
        map.fitBounds(before.getBounds());
      })
      .catch(() => {});
  }
  show();
};
