/* Hands the present view on: to paper, as a picture, as a link, to another site's page. */
"use strict";
document.addEventListener("turvakaart:ready", ({ detail: { map } }) => {
  const box = document.querySelector(".share");
  const words = box.dataset;
  const told = document.getElementById("told");
  const paper = box.querySelector("[data-paper]");
  const code = box.querySelector("textarea");
  const boxes = () => [...document.querySelectorAll(".panel input[name=layer]")]; // The legend is renewed.
  const byHand = box.querySelector(".by-hand");
  const SHEET = [718, 597]; // The map's points on a sheet: print.css gives it 203 by 160 mm, or 190 by 158.

  let fading = 0;
  const say = (which) => {
    told.textContent = words[which];
    told.classList.remove("visually-hidden");
    clearTimeout(fading);
    fading = setTimeout(() => told.classList.add("visually-hidden"), 6000);
  };

  /* What the address asks, without what is open beside the map. */
  const asked = () => {
    const found = new URLSearchParams(location.hash.slice(1));
    found.delete("open");
    return found;
  };
  /* Slashes and commas may stand in an address as they are, and people read addresses. */
  const plain = (params) => params.toString().replaceAll("%2F", "/").replaceAll("%2C", ",").replaceAll("%3A", ":");
  const joined = (path, query, hash = "") => path + (query && `?${query}`) + (hash && `#${hash}`);
  const search = () => new URLSearchParams(location.search);

  /* The address says nothing of a view that nobody has changed: a link says it, for other screens and years. */
  const view = () => {
    const found = new URLSearchParams(location.hash.slice(1));
    const { lat, lng } = map.getCenter();
    if (!found.has("at")) found.set("at", `${map.getZoom()}/${lat.toFixed(4)}/${lng.toFixed(4)}`);
    if (!found.has("show")) found.set("show", boxes().filter((one) => one.checked).map((one) => one.value));
    return plain(found);
  };
  const same = () => {
    const query = search();
    if (!query.has("as_of")) query.set("as_of", words.now.slice(0, 10));
    if (!query.has("known")) query.set("known", words.known);
    return joined(location.origin + location.pathname, plain(query), view());
  };

  const follow = () => {
    const query = search();
    for (const [name, value] of asked()) query.set(name, value);
    if (query.has("at")) {
      /* Paper has another size than this screen: it shall show what is seen here. */
      const [width, height] = [map.getSize().x, map.getSize().y];
      const closer = Math.log2(Math.min(SHEET[0] / width, SHEET[1] / height));
      const { lat, lng } = map.getCenter();
      const zoom = Math.floor(2 * (map.getZoom() + closer)) / 2;
      query.set("at", `${Math.max(map.getMinZoom(), zoom)}/${lat.toFixed(4)}/${lng.toFixed(4)}`);
    }
    paper.search = plain(query);

    const frame = document.createElement("iframe");
    frame.setAttribute("src", location.origin + joined(words.embed, plain(search()), plain(asked())));
    frame.setAttribute("title", words.embedTitle);
    frame.setAttribute("width", "100%");
    frame.setAttribute("height", "480");
    frame.setAttribute("loading", "lazy");
    code.value = frame.outerHTML;
  };

  const copy = async (text) => {
    byHand.hidden = true;
    try {
      await navigator.clipboard.writeText(text);
      say("copied");
    } catch {
      byHand.hidden = false;
      const field = byHand.querySelector("input");
      field.value = text;
      field.focus();
      field.select();
      say("byHand");
    }
  };
  const texts = { view: () => joined(location.origin + location.pathname, plain(search()), view()), same, code: () => code.value };

  for (const way of box.querySelectorAll("[hidden]")) way.hidden = way === byHand;
  for (const button of box.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(texts[button.dataset.copy]()));
  follow();
  map.on("moveend", follow);
  addEventListener("hashchange", follow);
  addEventListener("popstate", follow);
  document.querySelector(".panel").addEventListener("change", follow);
  paper.addEventListener("focus", follow);

  /* --- The picture */

  const DENSITY = 2; // Points of the picture for one of the screen.
  const EDGE = 20;
  const INK = "#14212b";
  const QUIET = "#51626f";

  const load = (address) => new Promise((done, refused) => {
    if (window.htmlToImage) {
      done();
      return;
    }
    const script = document.createElement("script");
    script.src = address;
    script.addEventListener("load", done);
    script.addEventListener("error", () => {
      script.remove();
      refused(new Error(address));
    });
    document.head.append(script);
  });

  const drawing = (svg) => new Promise((done, refused) => {
    const copied = svg.cloneNode(true);
    copied.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const image = new Image();
    image.addEventListener("load", () => done(image));
    image.addEventListener("error", refused);
    image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copied))}`;
  });

  const isOurs = (node) => node.tagName !== "IMG" || new URL(node.src, location.href).origin === location.origin;

  const readAll = (blob) => new Promise((done, refused) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result));
    reader.addEventListener("error", refused);
    reader.readAsDataURL(blob);
  });

  /* Our fonts, to travel inside the picture. html-to-image would look for them through a <base> element,
     which our policy forbids. */
  const fonts = async () => {
    const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules].filter((rule) => rule instanceof CSSFontFaceRule).map((rule) => [rule.cssText, sheet.href]));
    const whole = rules.map(async ([text, from]) => {
      const [said, address] = text.match(/url\("?([^")]+)"?\)/);
      const answer = await fetch(new URL(address, from));
      if (!answer.ok) throw new Error(`${answer.status}`);
      return text.replace(said, `url("${await readAll(await answer.blob())}")`);
    });
    return (await Promise.all(whole)).join("\n");
  };

  /* The map as it is seen. Its canvases are drawn anew with the picture's points, then as before. */
  const chart = async () => {
    const container = map.getContainer();
    const fontEmbedCSS = await fonts();
    const before = L.Browser.retina;
    const redraw = (retina) => {
      L.Browser.retina = retina;
      map.eachLayer((layer) => layer instanceof L.Canvas && layer._reset());
    };
    if (!before) redraw(true);
    try {
      return await window.htmlToImage.toCanvas(container, { pixelRatio: DENSITY, filter: isOurs, fontEmbedCSS, backgroundColor: getComputedStyle(container).backgroundColor });
    } finally {
      if (!before) redraw(before);
    }
  };

  /* Where each text goes in lines no wider than the picture: [[item, x, row]], and how many rows. */
  const inLines = (widths, most) => {
    let x = 0;
    let row = 0;
    const places = widths.map((width) => {
      if (x && x + width > most) {
        x = 0;
        row += 1;
      }
      const place = [x, row];
      x += width;
      return place;
    });
    return [places, widths.length ? row + 1 : 0];
  };

  const compose = async () => {
    const picture = await chart();
    const { x: width, y: height } = map.getSize();
    const canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d");
    const font = (size, weight) => (pen.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`);

    const layers = [...boxes().filter((one) => one.checked).map((one) => one.closest(".layer")), ...document.querySelectorAll("#shades li")];
    const symbols = await Promise.all(layers.map((one) => drawing(one.querySelector("svg"))));
    const names = layers.map((one) => (one.querySelector(".layer-name") || one).textContent.trim().replace(/\s+/g, " "));
    font(14, 560);
    const [places, rows] = inLines(names.map((name) => pen.measureText(name).width + 48), width - 2 * EDGE);
    font(11, 400);
    const credits = words.credits.split(/(?<=,) /);
    const [spots, lines] = inLines(credits.map((one) => pen.measureText(`${one} `).width), width - 2 * EDGE);

    const head = 56;
    const foot = 14 + rows * 26 + lines * 16 + 12;
    canvas.width = width * DENSITY;
    canvas.height = (head + height + foot) * DENSITY;
    pen.scale(DENSITY, DENSITY);
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, width, head + height + foot);
    pen.drawImage(picture, 0, head, width, height);
    pen.textBaseline = "middle";

    pen.fillStyle = INK;
    font(20, 720);
    pen.fillText(words.name, EDGE, head / 2);
    const after = EDGE + pen.measureText(words.name).width + 14;
    pen.fillStyle = QUIET;
    font(14, 400);
    pen.fillText(words.day, after, head / 2 + 2, width - after - EDGE);

    names.forEach((name, i) => {
      const [x, row] = places[i];
      const y = head + height + 14 + row * 26;
      pen.drawImage(symbols[i], EDGE + x, y + 2, 18, 18);
      pen.fillStyle = INK;
      font(14, 560);
      pen.fillText(name, EDGE + x + 26, y + 11);
    });
    credits.forEach((one, i) => {
      const [x, row] = spots[i];
      pen.fillStyle = QUIET;
      font(11, 400);
      pen.fillText(one, EDGE + x, head + height + 14 + rows * 26 + row * 16 + 10);
    });
    return canvas;
  };

  const save = (blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    const day = search().get("as_of") || words.now.slice(0, 10);
    link.download = `turvakaart-${words.file}-${day}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  const button = box.querySelector("[data-picture]");
  button.addEventListener("click", async () => {
    button.disabled = true;
    say("painting");
    try {
      await load(words.painter);
      const isWhole = [...map.getContainer().querySelectorAll("img")].every(isOurs);
      const canvas = await compose();
      const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
      save(blob);
      say(isWhole ? "painted" : "paintedWithout");
    } catch {
      say("notPainted");
    } finally {
      button.disabled = false;
    }
  });
});
