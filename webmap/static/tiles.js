/* Big layers of areas: numbers far away, vector tiles closer by, and over these what has changed since.
   Loaded only by a map that has such a layer; clicks are answered by the server, as everywhere. */
"use strict";
(() => {
  const { DASHES, FromUrl, WEIGHTS, fetchJson, tell } = turvakaart.parts;
  const GRID = 0.05; // Degrees to which a frame is widened, so that a small move asks nothing new.
  const { painter: address } = document.currentScript.dataset;
  const today = () => new Date().toISOString().slice(0, 10);

  /* protomaps-leaflet is as large as everything else of ours: the view of the whole country does without. */
  let loading = null;
  const painter = () => {
    loading ||= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = resolve;
      script.onerror = () => {
        loading = null;
        reject(new Error(address));
      };
      document.head.append(script);
    });
    return loading;
  };

  /* The tiles as protomaps-leaflet asks for them. Failing quietly: an abort is neither logged nor kept. */
  const source = (template) => ({
    async getZxy(z, x, y, signal) {
      const url = template.replace("{z}", z).replace("{x}", x).replace("{y}", y);
      try {
        const answer = await fetch(url, { signal });
        if (!answer.ok) throw new Error(`${answer.status}`);
        return answer.status === 204 ? undefined : { data: await answer.arrayBuffer() };
      } catch (error) {
        if (error.name !== "AbortError") tell("failed");
        throw new DOMException("", "AbortError");
      }
    },
  });

  /* How many areas there are, as a number in each larger one. */
  const Tallies = FromUrl.extend({
    fill(collection) {
      const { colour, rank } = this.options;
      this.clearLayers();
      for (const { geometry, properties } of collection.features) {
        const [lng, lat] = geometry.coordinates;
        const label = document.createElement("span");
        label.className = "tally";
        label.style.setProperty("--tally", colour);
        label.textContent = properties.number.toLocaleString(document.documentElement.lang);
        const icon = L.divIcon({ html: label, className: "", iconSize: [0, 0], iconAnchor: [0, -20 * rank] });
        this.addLayer(L.marker([lat, lng], { icon, pane: "names", interactive: false, keyboard: false, zIndexOffset: 1000 }));
      }
    },
  });

  const Tiles = L.LayerGroup.extend({
    initialize(options) {
      L.LayerGroup.prototype.initialize.call(this, [], options);
      this.tallies = new Tallies({ ...options, url: options.far });
      this.gone = new Set();
      this.over = this.drawn([]);
    },
    onAdd(map) {
      this.chart = map;
      L.LayerGroup.prototype.onAdd.call(this, map);
      map.on("moveend", this.step, this);
      this.step();
    },
    onRemove(map) {
      map.off("moveend", this.step, this);
      L.LayerGroup.prototype.onRemove.call(this, map);
    },
    /* Only a closer look needs the painter and what is newer than the tiles. */
    async prepare() {
      if (this.prepared) return;
      this.prepared = true;
      try {
        const [found] = await Promise.all([this.options.changes ? fetchJson(this.options.changes) : null, painter()]);
        if (found) this.overlay(found);
        this.sheet = this.painted();
        this.step();
      } catch {
        this.prepared = false;
        tell("failed");
      }
    },
    overlay({ cut, features, gone }) {
      if (cut) tell("behind");
      this.gone = new Set(gone);
      this.over = this.drawn(features);
    },
    /* What is to be seen at this zoom. Leaflet rounds half zooms up for tiles, so this does as well. */
    step() {
      const zoom = Math.round(this.chart.getZoom());
      const near = zoom >= this.options.from;
      this.show(this.tallies, !near);
      this.show(this.over, near);
      if (this.sheet) this.show(this.sheet, near);
      if (!near) this.tallies.load(this.chart.getZoom() < 8 ? this.options.far : this.options.middle);
      else if (this.options.tiles) this.prepare();
      else this.fetchFrame();
    },
    show(layer, wanted) {
      if (wanted && !this.hasLayer(layer)) this.addLayer(layer);
      if (!wanted && this.hasLayer(layer)) this.removeLayer(layer);
    },
    painted() {
      const { colour, day, first, last, line, pane, tiles } = this.options;
      const on = day || today();
      const width = WEIGHTS[line];
      const dash = DASHES[line] && DASHES[line].split(" ").map(Number);
      const filter = (_zoom, { props }) =>
        (props.valid_from || "") <= on && (!props.valid_to || props.valid_to > on) && !this.gone.has(props.key);
      const look = { color: colour, width, opacity: 0.7, dash, dashColor: colour, dashWidth: width };
      return protomapsL.leafletLayer({
        url: source(tiles),
        minZoom: first + 1,
        maxDataZoom: last,
        paintRules: [{ dataLayer: "areas", symbolizer: new protomapsL.LineSymbolizer(look), filter }],
        labelRules: [],
        attribution: "",
        pane,
      });
    },
    drawn(features) {
      const { colour, line, pane } = this.options;
      const style = { fill: false, color: colour, opacity: 0.7, weight: WEIGHTS[line], dashArray: DASHES[line] };
      return L.geoJSON({ type: "FeatureCollection", features }, { interactive: false, pane, style });
    },
    /* Without tiles: what meets the frame, said when it is not all. */
    async fetchFrame() {
      const seen = this.chart.getBounds();
      const low = (value) => Math.floor(value / GRID) * GRID;
      const high = (value) => Math.ceil(value / GRID) * GRID;
      const frame = [low(seen.getWest()), low(seen.getSouth()), high(seen.getEast()), high(seen.getNorth())];
      const box = frame.map((value) => value.toFixed(2)).join();
      if (this.frame === box) return;
      this.frame = box;
      try {
        const found = await fetchJson(`${this.options.url}&bbox=${box}`);
        if (this.frame !== box) return;
        this.removeLayer(this.over);
        this.over = this.drawn(found.features);
        tell(found.cut ? "cut" : "");
        this.step();
      } catch {
        this.frame = null;
        tell("failed");
      }
    },
  });

  turvakaart.tiles = (options) => new Tiles(options);
})();
