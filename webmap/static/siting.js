/* A proof that runs in the background: the page asks how far it is and shows what is better by then. */
"use strict";
(() => {
  const result = document.getElementById("result");
  const WAIT_MS = 2000;
  const follow = async () => {
    if (!result.querySelector("[data-follow]")) return;
    const part = new URL(location.href);
    part.searchParams.set("part", "1");
    try {
      const answer = await fetch(part);
      if (!answer.ok) return;
      result.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
      if (!result.querySelector("[data-follow]")) {
        const features = new URL(location.href);
        features.searchParams.set("format", "geojson");
        document.dispatchEvent(new CustomEvent("turvakaart:plan", { detail: { address: features.href } }));
        return;
      }
    } catch {
      /* The next time will tell. */
    }
    setTimeout(follow, WAIT_MS);
  };
  setTimeout(follow, WAIT_MS);
})();
