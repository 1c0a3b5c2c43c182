/* The map for a sheet of paper: it stands still, and printing is offered once everything is drawn. */
"use strict";
(() => {
  L.Browser.retina = true; // Twice the points: paper shows more of them than most screens.

  /* Layers load in ways of their own, so what is still to come is counted where all of them pass. */
  let underway = 0;
  let failed = false;
  const { fetch } = window;
  window.fetch = async (...request) => {
    underway += 1;
    try {
      const answer = await fetch(...request);
      failed ||= !answer.ok;
      return answer;
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      underway -= 1;
    }
  };

  const frame = () => new Promise((done) => {
    requestAnimationFrame(done);
    setTimeout(done, 100); // A page in the background gets no frames.
  });
  const drawn = async (map) => {
    await document.fonts.ready;
    for (let quiet = 0; quiet < 12;) {
      await frame();
      let loading = underway > 0;
      map.eachLayer((layer) => (loading ||= layer.isLoading?.() ?? false));
      quiet = loading ? 0 : quiet + 1;
    }
  };

  /* A sheet is wider than a phone: on the screen it is made smaller, the print takes its true size. */
  const fit = () => {
    const sheet = document.querySelector(".paper");
    const room = document.documentElement.clientWidth - 2 * (innerWidth < 600 ? 8 : 24);
    document.querySelector(".preview").style.setProperty("--scale", Math.min(1, room / sheet.offsetWidth));
  };

  window.turvakaart.ready = async (map, layers, about) => {
    const told = document.getElementById("told");
    const button = document.querySelector("[data-print]");
    told.textContent = told.dataset.loading;
    for (const way of ["dragging", "touchZoom", "doubleClickZoom", "scrollWheelZoom", "boxZoom", "keyboard"]) map[way].disable();
    const { container, see, at, show, choice } = window.turvakaart.still(map, layers, about);
    container.removeAttribute("tabindex");
    fit();
    addEventListener("resize", fit);
    see(at, show, choice);

    /* CSS knows 96 points in 25.4 mm, so the paper has a scale that can be told. */
    const { y } = map.getSize().divideBy(2);
    const across_m = map.distance(map.containerPointToLatLng([0, y]), map.containerPointToLatLng([100, y]));
    const ratio = Number((across_m / ((100 / 96) * 0.0254)).toPrecision(2));
    const said = document.createElement("span");
    said.className = "ratio";
    said.textContent = `1 : ${ratio.toLocaleString(document.documentElement.lang)}`;
    container.querySelector(".leaflet-control-scale").append(said);

    await drawn(map);
    told.textContent = failed ? told.dataset.failed : told.dataset.drawn;
    told.classList.remove("visually-hidden");
    button.hidden = failed;
    button.addEventListener("click", () => print());
    document.documentElement.dataset.map = failed ? "failed" : "ready";
  };
})();
