/* Work in the background: the page asks how far it is, and goes on when it is done. */
"use strict";
(() => {
  const place = document.getElementById("underway");
  const told = document.getElementById("told");
  const far = document.getElementById("far");
  // Read aloud when a stage begins and at every quarter of it, not every second.
  const aloud = document.getElementById("said");
  let last = "";
  const say = (said) => {
    const now = `${said.stage} ${said.total ? Math.floor((4 * said.done) / said.total) : 0}`;
    if (now !== last) aloud.textContent = said.told;
    last = now;
  };
  const WAIT_MS = 1000;
  const follow = async () => {
    try {
      const answer = await fetch(place.dataset.follow, { headers: { Accept: "application/json" } });
      if (answer.redirected || answer.status === 404) return location.reload();
      if (answer.ok) {
        const said = await answer.json();
        if (said.next) return location.replace(said.next);
        if (said.is_over) return location.reload();
        told.textContent = said.told;
        say(said);
        if (said.total) {
          far.max = said.total;
          far.value = said.done;
        } else {
          far.removeAttribute("value");
        }
      }
    } catch {
      /* The next time will tell. */
    }
    setTimeout(follow, WAIT_MS);
  };
  setTimeout(follow, WAIT_MS);
})();
