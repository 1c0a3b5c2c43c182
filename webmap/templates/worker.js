/* Keeps what has been seen, and what one visit brings along, for use without a network.

   A set holds one state of program and data, whole: map, layers, guides, cases, by their versioned
   addresses. What was seen besides lies in rooms of limited size. Nothing is ever sent anywhere. */
"use strict";
const HOUSE = {{ house|tojson }};
const BASE = HOUSE.base;
const SETS = "turvakaart-set-";
const OWN = SETS + HOUSE.version;
const ROOMS = { answers: 200, pages: 200, tiles: 300, files: 100 };
const SAVED = "X-Saved-At";
const PATIENCE_MS = 3000;
const PAUSE_MS = 20;
const CUT_OFF = [502, 503, 504]; // A gateway answers so for a server that it cannot reach.
const INSIDE = ['<article class="page">', "</article>"];
const underway = new Map(); // language -> the promise of its set

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const absolute = (address) => new URL(address, location.origin);
const room = (name) => caches.open(`turvakaart-${name}`);
const isHtml = (answer) => (answer.headers.get("Content-Type") || "").startsWith("text/html");
const isPart = (url) => url.searchParams.get("part") === "1";
const within = (url) => url.pathname.slice(BASE.length);
const languageOf = (url) => {
  const [first] = within(url).split("/");
  return HOUSE.languages.includes(first) ? first : HOUSE.languages[0];
};
const isHome = (url) => within(url) === `${languageOf(url)}/`;
const listOf = (language) => `${BASE}${language}/offline.json`;
const whole = (url) => {
  const page = new URL(url);
  page.searchParams.delete("part");
  return page;
};

/* Pages for print, frames in other pages, and what is somebody's own are not ours to answer. */
const isLeftAlone = (url) => {
  const path = within(url);
  return url.origin !== location.origin || !url.pathname.startsWith(BASE) || path === "sw.js" || /^(account|[^/]+\/(offline\.json$|print\b|embed\b|account\b|edit\b))/.test(path);
};

/* Whether an answer still is what the server would say, by the lifetime that the server gave it. */
const isFresh = (answer) => {
  const life = /max-age=(\d+)/.exec(answer.headers.get("Cache-Control") || "");
  return Boolean(life) && Date.now() < savedAt(answer) + Number(life[1]) * 1000;
};
const savedAt = (answer) => Date.parse(answer.headers.get(SAVED)) || 0;

/* --- Keeping */

async function store(cache, url, answer) {
  const headers = new Headers(answer.headers);
  headers.delete("Content-Encoding");
  headers.delete("Content-Length");
  headers.set(SAVED, new Date().toISOString());
  await cache.put(url, new Response(await answer.blob(), { status: 200, headers }));
}

const isKeepable = (answer) => answer.status === 200 && answer.type === "basic" && !answer.redirected && !/no-store/.test(answer.headers.get("Cache-Control") || "");

const roomFor = (url, answer) => {
  if (within(url).startsWith("api/tiles/")) return "tiles";
  if (/^[^/]+\/search$/.test(within(url))) return ""; // What a person types is nobody's to keep.
  if (isHtml(answer)) return /^[^/]+\/here$/.test(within(url)) ? "answers" : "pages";
  return /max-age=[1-9]/.test(answer.headers.get("Cache-Control") || "") ? "files" : "";
};

/* What has just been seen. A page of the set is renewed; the map only while it is the same, or its layers would be of another state. */
async function remember(url, answer) {
  if (!isKeepable(answer)) return;
  try {
    const own = await caches.open(OWN);
    if (isPart(url) && (await match(own, whole(url)))) return;
    const known = await match(own, url);
    if (known && (!isHome(url) || (await known.text()) === (await answer.clone().text()))) await store(own, url, answer);
    else if (!known && roomFor(url, answer)) await storeIn(roomFor(url, answer), url, answer);
  } catch (error) {
    await complain(error);
  }
}

async function storeIn(name, url, answer) {
  const cache = await room(name);
  await cache.delete(url, { ignoreVary: true }); // What is put again is the youngest.
  await store(cache, url, answer);
  const kept = await cache.keys();
  for (const old of kept.slice(0, Math.max(0, kept.length - ROOMS[name]))) await cache.delete(old, { ignoreVary: true });
}

/* What is used again stays longest: the tile, with the time at which it came. */
async function touch(url, answer) {
  if (!within(url).startsWith("api/tiles/")) return;
  const cache = await room("tiles");
  await cache.delete(url, { ignoreVary: true });
  await cache.put(url, answer);
}

const ask = async (address) => {
  const answer = await fetch(address, { cache: "no-cache", priority: "low" });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer;
};

async function complain(error) {
  if (error.name !== "QuotaExceededError") return;
  for (const client of await clients.matchAll()) client.postMessage({ full: true });
}

/* The whole set of a language, one address at a time; begun again where it was cut off. */
function keep(language) {
  if (!underway.has(language)) underway.set(language, keepAll(language).catch(complain).finally(() => underway.delete(language)));
  return underway.get(language);
}

async function keepAll(language) {
  if (navigator.connection && navigator.connection.saveData) return;
  const own = await caches.open(OWN);
  if (!(await match(own, listOf(language)))) {
    const list = await (await ask(listOf(language))).json();
    if (list.version !== HOUSE.version) return renew();
    for (const address of list.addresses) {
      if (await match(own, address)) continue;
      await store(own, address, await ask(address));
      await pause(PAUSE_MS);
    }
    // The data may have changed on the way: such a set is of two states, and goes.
    const last = await ask(listOf(language));
    if ((await last.clone().json()).version !== HOUSE.version) {
      for (const address of list.addresses) if (!HOUSE.core.includes(address)) await own.delete(address, { ignoreVary: true });
      return renew();
    }
    await store(own, listOf(language), last);
  }
  await clearOld();
  for (const client of await clients.matchAll()) client.postMessage({ saved: language });
}

const renew = () => self.registration.update().catch(() => {});

const setNames = async () => (await caches.keys()).filter((name) => name.startsWith(SETS)).sort((a, b) => (b === OWN) - (a === OWN));
const languagesIn = async (name) => {
  const cache = await caches.open(name);
  const found = await Promise.all(HOUSE.languages.map(async (language) => (await match(cache, listOf(language))) && language));
  return found.filter(Boolean);
};

/* An old set goes as soon as nobody would miss it. */
async function clearOld() {
  const here = await languagesIn(OWN);
  for (const name of await setNames()) {
    if (name !== OWN && (await languagesIn(name)).every((language) => here.includes(language))) await caches.delete(name);
  }
}

/* --- Answering */

const match = (cache, url) => cache.match(url, { ignoreVary: true });

async function find(url) {
  for (const name of [...(await setNames()), ...Object.keys(ROOMS).map((one) => `turvakaart-${one}`)]) {
    const found = (await caches.has(name)) && (await match(await caches.open(name), url));
    if (found) return found;
  }
  return isPart(url) ? cut(await find(whole(url))) : null;
}

/* The inside of a page, as the panel beside the map wants it. */
async function cut(page) {
  if (!page || !isHtml(page)) return null;
  const html = await page.text();
  const [from, to] = [html.indexOf(INSIDE[0]), html.lastIndexOf(INSIDE[1])];
  return from < 0 ? null : new Response(html.slice(from + INSIDE[0].length, to), { status: page.status, headers: page.headers });
}

async function said(page, sentence, status = 200) {
  const notice = `<p class="notice" data-kept>${sentence}</p>`;
  const html = (await page.text()).replace("<!--kept-->", () => notice);
  return new Response(html, { status, headers: page.headers });
}

function shown(kept, url) {
  if (!isHtml(kept)) return kept;
  const { kept: sentence, locale } = HOUSE.words[languageOf(url)];
  const when = new Date(savedAt(kept)).toLocaleString(locale, { dateStyle: "long", timeStyle: "short" });
  return said(kept, sentence.replace("{when}", when));
}

async function absent(request, url) {
  if (within(url).startsWith("static/")) return (await caches.match(url, { ignoreSearch: true, ignoreVary: true })) || Response.error();
  if (!isPart(url) && request.mode !== "navigate") return Response.error();
  if (url.pathname === BASE) return Response.redirect(BASE + ((await languagesIn(OWN))[0] || languageOf(url)) + "/");
  const part = new URL(url);
  part.searchParams.set("part", "1");
  const home = `${BASE}${languageOf(url)}/`;
  if (!isPart(url) && (await find(part)) && (await find(absolute(home)))) {
    const open = (url.pathname + url.search).slice(home.length).replaceAll("%", "%25").replaceAll("&", "%26");
    return Response.redirect(`${home}#open=${open}`); // It was seen in the panel, so there it opens.
  }
  const help = await find(absolute(`${home}offline${isPart(url) ? "?part=1" : ""}`));
  return help ? said(help, HOUSE.words[languageOf(url)].unseen, 503) : Response.error();
}

async function answer(event, url) {
  const kept = await find(url);
  if (kept && isFresh(kept)) {
    event.waitUntil(touch(url, kept.clone()));
    return kept;
  }
  const asked = fetch(event.request);
  event.waitUntil(asked.then((came) => remember(url, came.clone())).catch(() => {}));
  const came = await Promise.race(kept ? [asked, pause(PATIENCE_MS)] : [asked]).catch(() => null);
  if (came && !(kept && CUT_OFF.includes(came.status))) return came;
  return kept ? shown(kept, url) : absent(event.request, url);
}

/* --- Life */

async function install() {
  const own = await caches.open(OWN);
  try {
    for (const address of HOUSE.core) await store(own, address, await ask(address));
  } catch (error) {
    await complain(error);
    throw error;
  }
  for (const name of await setNames()) {
    for (const language of name === OWN ? [] : await languagesIn(name)) await keep(language);
  }
  await self.skipWaiting();
}

async function take({ keep: language, seen }) {
  for (const address of seen) {
    const url = absolute(address);
    if (!isLeftAlone(url) && !(await find(url))) await ask(url).then((came) => remember(url, came)).catch(() => {});
  }
  if (language) await keep(language);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(clearOld().then(() => clients.claim())));
self.addEventListener("message", (event) => event.waitUntil(take(event.data)));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || event.request.headers.has("Range") || isLeftAlone(url)) return;
  event.respondWith(answer(event, url));
});
