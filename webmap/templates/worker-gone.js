/* Nothing is kept any more on this site: what an earlier worker kept goes, and then the worker itself. */
"use strict";
const remove = async () => {
  for (const name of await caches.keys()) if (name.startsWith("turvakaart-")) await caches.delete(name);
  await self.registration.unregister();
};
self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(remove()));
