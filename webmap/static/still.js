/* A map without the panel: on paper, or in a frame on another page. Loaded after map.js, before the map. */
"use strict";
window.turvakaart.still = (map, layers, about) => {
  const box = document.querySelector("[data-still]");
  const container = map.getContainer();
  const list = (text) => text.split(",").filter(Boolean);

  map.getPane("names").setAttribute("aria-hidden", "true");
  L.control.scale({ imperial: false, position: "bottomleft" }).addTo(map);

  /* `at` is zoom/lat/lng or "", `show` the layers' keys, `choice` the filter and the shading as in an
     address. Returns the keys that are shown. */
  const see = (at, show, choice) => {
    const only = new URLSearchParams(choice);
    layers.coverage?.ask(only.get("shade") === "none" ? "" : only.toString());
    only.delete("shade");
    for (const key of list(box.dataset.layers)) layers[key]?.ask?.(only.toString());
    const [zoom, lat, lng] = at.split("/").map(Number);
    if (Number.isFinite(zoom + lat + lng)) map.setView([lat, lng], zoom, { animate: false });
    else map.fitBounds(about.bounds, { animate: false });
    const wanted = list(show);
    for (const key of list(box.dataset.layers)) {
      if (!layers[key]) continue;
      if (wanted.includes(key)) layers[key].addTo(map);
      else layers[key].remove();
    }
    return wanted;
  };
  return { container, see, at: box.dataset.at, show: box.dataset.show, choice: box.dataset.choice };
};
