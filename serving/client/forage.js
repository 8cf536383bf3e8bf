/* Forage in a page: searches, and says what people did with the results. No dependencies; works as <script src> and as a module.

     const forage = Forage.connect();              // or { url, token, track }, where the script comes from elsewhere
     const page = await forage.search("halo");     // draw page.results; each element gets data-forage-id="its entity_id"
     forage.watch(page, listElement);              // from here on: viewed, click, and how long people stayed (dwell)
     forage.record(page, "add_to_cart", entityId); // what else they did
     forage.dwell(entityId);                       // on the page of an item: how long it is looked at, if it was clicked to come here

   Nothing here throws into the page, and a service that is away is the same as one that found nothing. Visitors who ask not to be tracked
   (Global Privacy Control, Do Not Track) are searched for and nothing else: nothing is stored, nothing is said about what they do. */
(() => {
  "use strict";
  const SEEN_MS = 1000; // half of a result for a second counts as viewed, as ads are counted (MRC)
  const DWELLS = [[10000, "dwell_10s"], [60000, "dwell_60s"]];
  const LINGER_MS = 1000, BATCH = 50, ROOM = 1000; // 50 events are some 20 KB: browsers send 64 KB after a page's end
  const RETRY_MS = [1000, 60000]; // first and longest wait
  const RECENT = 20, AWAY_MS = 5000; // a page left so soon after a click was left through it
  const HALF_HOUR = 1800000; // a search's token is good so long

  const stored = (area, key, value) => { // storage may be off, full or forbidden
    try {
      const place = globalThis[area];
      if (value === undefined) return JSON.parse(place.getItem(key));
      place.setItem(key, JSON.stringify(value));
    } catch { /* this visit goes without */ }
    return null;
  };
  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const say = (what, why) => console.warn(`forage: ${what}`, why);
  const quietly = (work) => function (...given) { try { return work.apply(this, given); } catch (error) { return say("failed", error); } };
  const home = quietly((script) => new URL("..", script || new URL("/client/", location.href)).href)(document.currentScript?.src);
  const asksNotTo = () => navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";

  class Told { // events on their way: in batches, again until they are taken; by beacon when the page ends
    constructor(url, clientId) {
      Object.assign(this, { url, clientId, waiting: [], timer: 0, wait: RETRY_MS[0], busy: false });
      addEventListener("pagehide", quietly(() => this.last()));
      document.addEventListener("visibilitychange", () => { if (document.hidden) this.send(); }); // a phone may never show it again
    }

    put(event) {
      if (this.waiting.length < ROOM) this.waiting.push(event);
      this.later(this.waiting.length >= BATCH && this.wait === RETRY_MS[0] ? 0 : LINGER_MS);
    }

    later(ms) {
      if (this.busy || (this.timer && ms)) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.send(), ms);
    }

    body(batch) {
      return JSON.stringify(this.clientId ? { client_id: this.clientId, events: batch } : { events: batch });
    }

    async send() {
      clearTimeout(this.timer);
      this.timer = 0;
      if (this.busy || !this.waiting.length) return;
      this.busy = true;
      const batch = this.waiting.slice(0, BATCH);
      try { // text/plain: what browsers send to other sites without asking there first
        const headers = { "Content-Type": "text/plain;charset=UTF-8" };
        const answer = await fetch(this.url, { method: "POST", headers, body: this.body(batch), keepalive: true, credentials: "omit" });
        if (answer.status === 429 || answer.status >= 500) throw new Error(answer.status);
        this.waiting = this.waiting.filter((event) => !batch.includes(event)); // a refusal for good is not said again
        this.wait = RETRY_MS[0];
        const { refused = [], error } = await answer.json();
        if (error || refused.length) say("refused", error || refused);
      } catch {
        this.wait = Math.min(2 * this.wait, RETRY_MS[1]);
      }
      this.busy = false;
      if (this.waiting.length) this.later(this.wait > RETRY_MS[0] ? this.wait : LINGER_MS);
    }

    last() { // what is under way may be cut off: it goes again, an id counts once
      while (this.waiting.length) {
        const batch = this.waiting.slice(0, BATCH);
        if (!navigator.sendBeacon(this.url, new Blob([this.body(batch)], { type: "text/plain;charset=UTF-8" }))) return;
        this.waiting = this.waiting.slice(batch.length);
      }
    }
  }

  class Client {
    constructor({ url = home, token = "", track = !asksNotTo() } = {}) {
      const base = String(url).replace(/\/+$/, "");
      Object.assign(this, { base, token, track, clientId: null, watched: new WeakMap() });
      if (!track) return;
      this.clientId = stored("localStorage", "forage.client") || newId();
      stored("localStorage", "forage.client", this.clientId);
      this.told = new Told(`${base}/events`, this.clientId);
    }

    /** The answer of /search; where there is none, a page without results and with `error`. `more`: as the API has it (k, context, ...). */
    async search(query, more = {}) {
      const who = this.track ? { client_id: this.clientId, recent: stored("sessionStorage", "forage.recent") || [] } : { explore: false };
      const headers = { "Content-Type": "application/json", ...(this.token && { Authorization: `Bearer ${this.token}` }) };
      try {
        const body = JSON.stringify({ query, ...who, ...more });
        const answer = await fetch(`${this.base}/search`, { method: "POST", headers, body, credentials: "omit" });
        const plain = await answer.json();
        if (answer.ok) return plain;
        throw new Error(plain.error?.message || answer.status);
      } catch (error) {
        const away = `no answer from ${this.base}; does it run, and is ${location.origin} among its FORAGE_ORIGINS?`;
        say("search failed", error);
        return { results: [], degraded: [], error: error instanceof TypeError ? away : String(error.message) };
      }
    }

    /** Say that somebody did something with a result of a page: add_to_cart, purchase, play, like, dismiss, ... */
    record(page, kind, entityId) {
      if (!this.track || !page?.search_id) return;
      const position = page.results.find((one) => one.entity_id === entityId)?.position;
      const event = { type: "action", action_id: newId(), search_id: page.search_id, kind, entity_id: entityId, token: page.token };
      this.told.put(position ? { ...event, position } : event);
      if (kind === "viewed" || kind === "dismiss") return;
      const others = (stored("sessionStorage", "forage.recent") || []).filter((one) => one !== entityId);
      stored("sessionStorage", "forage.recent", [...others, entityId].slice(-RECENT));
    }

    /** Watch the elements with data-forage-id below `root`: seen, clicked, stayed with. Again for every page that is drawn there. */
    watch(page, root) {
      this.watched.get(root)?.abort();
      if (!this.track || !page?.search_id) return;
      const stop = new AbortController();
      this.watched.set(root, stop);
      const clicked = quietly((event) => {
        const item = event.target.closest("[data-forage-id]");
        if (!item || (event.type === "auxclick" && event.button !== 1)) return;
        const kind = event.target.closest("[data-forage-kind]")?.dataset.forageKind || "click";
        this.record(page, kind, item.dataset.forageId);
        if (kind === "click") this.leaving(page, item.dataset.forageId, stop.signal);
      });
      for (const type of ["click", "auxclick"]) root.addEventListener(type, clicked, { capture: true, signal: stop.signal });
      this.views(page, root, stop.signal);
    }

    views(page, root, signal) {
      const timers = new Map();
      const observer = new IntersectionObserver(quietly((entries) => {
        for (const { target, isIntersecting } of entries) {
          clearTimeout(timers.get(target));
          if (isIntersecting) timers.set(target, setTimeout(quietly(() => {
            observer.unobserve(target);
            if (!document.hidden) this.record(page, "viewed", target.dataset.forageId);
          }), SEEN_MS));
        }
      }), { threshold: 0.5 });
      for (const item of root.querySelectorAll("[data-forage-id]")) observer.observe(item);
      signal.addEventListener("abort", () => { observer.disconnect(); timers.forEach(clearTimeout); });
    }

    leaving(page, entityId, signal) { // how long until they come back, from another tab or by the back button
      const { search_id, token } = page, at = Date.now(), results = page.results.filter((one) => one.entity_id === entityId);
      stored("sessionStorage", "forage.clicked", { page: { search_id, token, results }, entityId, at });
      let left = 0;
      const heard = new AbortController(), options = { signal: heard.signal };
      signal.addEventListener("abort", () => heard.abort(), options);
      const gone = () => { if (!left && Date.now() - at < AWAY_MS) left = at; };
      const back = quietly(() => {
        if (!left) return;
        heard.abort();
        for (const [ms, kind] of DWELLS) if (Date.now() - left >= ms) this.record(page, kind, entityId);
      });
      document.addEventListener("visibilitychange", () => (document.hidden ? gone() : back()), options);
      addEventListener("pagehide", gone, options);
      addEventListener("pageshow", back, options);
    }

    /** On the page of an item: count the time it is looked at, if its result was clicked to come here. Returns what ends the counting. */
    dwell(entityId) {
      const from = this.track && stored("sessionStorage", "forage.clicked");
      if (!from || from.entityId !== entityId || Date.now() - from.at > HALF_HOUR) return () => {};
      let looked = 0;
      const left = [...DWELLS];
      const timer = setInterval(() => {
        looked += document.hidden ? 0 : 1000;
        while (left.length && looked >= left[0][0]) this.record(from.page, left.shift()[1], entityId);
        if (!left.length) clearInterval(timer);
      }, 1000);
      return () => clearInterval(timer);
    }
  }

  for (const name of ["record", "watch", "dwell"]) Client.prototype[name] = quietly(Client.prototype[name]);
  globalThis.Forage = { connect: (options) => new Client(options || {}) };
})();
