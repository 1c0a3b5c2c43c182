/* The map in a frame on another page: one may look around; everything else opens in a tab of its own. */
"use strict";
window.turvakaart.ready = (map, layers, about) => {
  const { container, see, at, show, choice } = window.turvakaart.still(map, layers, about);
  const link = document.querySelector("[data-whole]");
  const hash = () => new URLSearchParams(location.hash.slice(1));
  container.setAttribute("role", "application");
  container.setAttribute("aria-label", document.querySelector(".frame").getAttribute("aria-label"));

  let shown = "";
  let chosen = "";
  /* What an address chooses besides the view; the frame's own choice where it says nothing. */
  const choiceIn = (found) => {
    for (const name of ["at", "show", "open"]) found.delete(name);
    return found.toString() || choice;
  };
  const view = () => {
    const { lat, lng } = map.getCenter();
    return `at=${map.getZoom()}/${lat.toFixed(4)}/${lng.toFixed(4)}&show=${shown}${chosen && `&${chosen}`}`;
  };
  const whole = (more = "") => `${link.pathname}${link.search}#${view()}${more}`;
  const restore = () => {
    chosen = choiceIn(hash());
    shown = see(hash().get("at") ?? at, hash().get("show") ?? show, chosen).join(",");
    for (const line of document.querySelectorAll("[data-key]")) line.hidden = !shown.split(",").includes(line.dataset.key);
    link.href = whole();
  };
  const open = (path) => window.open(whole(`&open=${path.replaceAll("%", "%25").replaceAll("&", "%26")}`), "_blank", "noopener");

  restore();
  addEventListener("hashchange", restore);
  map.on("moveend", () => (link.href = whole()));
  map.on("click", ({ latlng }) => open(`here?lat=${latlng.lat.toFixed(4)}&lon=${latlng.lng.toFixed(4)}`));
  window.turvakaart.open = open;
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => map.setZoom(map.getZoom() + Number(button.dataset.zoom)));
  document.documentElement.dataset.map = "ready";
};
