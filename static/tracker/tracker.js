// @ts-check
// See tracker.d.ts.
/** @typedef {(...args: any[]) => any} F */
((/** @type {F} */ init) => {
  /** @type {any} */
  const page = globalThis;
  const { currentScript: script } = page.document;
  // tracker.mjs calls it.
  if (!script) page[Symbol.for("tracker.init")] = init;
  else {
    const { q = [] } = page.track ?? {};
    page.track = init(script.dataset, script.src);
    for (const call of q) page.track(...call);
  }
})((options, base) => {
  const { site, endpoint = "e", query = "strip", storage = "session", sample = 1, privacy, bots } = options;
  /** @type {any} */
  const page = globalThis;
  const { document, location, navigator, navigation, history, crypto } = page;
  const url = () => new URL(endpoint, base);

  /** @type {any[]} */
  let queue = [], flying = queue, beaconed = queue;
  /** @type {F[]} */
  const hooks = [];
  let dropped = 0, tries = 0, timer = 0, lastAck = 0, errors = 0, paid = -5e3, since = 0, ms = 0, scroll = 0;
  let common = {};

  /** @type {F} */
  const debug = (...what) => "debug" in options && page.console.info("[track]", ...what);
  /** @type {(run: F) => F} */
  const safe = (run) => (...args) => {
    try {
      return run(...args);
    } catch (error) {
      debug(error);
    }
  };
  const on = (types = "", run = debug) => {
    for (const type of types.split(" ")) addEventListener(type, safe(run), true);
  };
  const wants = (name = "") => !/off|false/.test(options[name]);
  const without = (list = queue, items = queue) => list.filter((item) => !items.includes(item));

  // Null removes.
  const stored = safe((storage, key, value) => {
    if (!storage) return;
    if (value === undefined) return JSON.parse(page[storage][key] ?? null);
    if (value === null) delete page[storage][key];
    else page[storage][key] = JSON.stringify(value);
  });
  const tab = storage !== "none" && "sessionStorage";
  const shared = tab && "localStorage";
  const durable = storage === "local" && shared;

  const uuidv7 = () =>
    `0${Date.now().toString(16)}-7xxx-axxx-xxxxxxxxxxxx`
      .replace(/x/g, () => (crypto.getRandomValues(new Uint8Array(1))[0] & 15).toString(16))
      .replace(/.{8}/, "$&-");
  const key = "track.q:" + uuidv7();
  const persist = () => {
    while (queue.length > 500 || JSON.stringify(queue).length > 5e5) {
      queue = without(queue, without(queue, flying).slice(0, 1));
      debug("queue is full", ++dropped);
    }
    stored(durable, key, queue[0] ? queue : null);
  };

  // Queries may hold tokens.
  const clean = (address = "") => {
    const told = new URL(address, document.baseURI);
    for (const name of [...told.searchParams.keys()]) {
      if (query !== "keep" && !query.split(",").includes(name)) told.searchParams.delete(name);
    }
    if (options.hash !== "route") told.hash = "";
    told.username = told.password = "";
    return told.href.slice(0, 2048);
  };
  let address = clean(location);
  let referrer = document.referrer ? clean(document.referrer) : undefined;
  let off = stored("localStorage", "track.off");
  /** @type {any} */
  let session;

  const add = safe((k, p, id, now) => {
    const t = Date.now();
    session = stored(tab, "track.sid") ?? session;
    if (!(t - session?.at < 18e5)) {
      const told = stored(shared, "track.rate");
      const rate = t - told?.at < 864e5 ? told.rate : +sample;
      session = { id: tab ? uuidv7() : undefined, n: 0, rate, on: Math.random() < rate };
    }
    const reason = off && "off" ||
      privacy !== "ignore" && (navigator.globalPrivacyControl || navigator.doNotTrack === "1") && "privacy" ||
      bots !== "allow" && navigator.webdriver && "bots" || !session.on && "sample";
    if (reason) return debug("ignored", k, reason);
    // 20 a second, 100 at once
    paid = Math.max(paid, performance.now() - 5e3) + 50;
    if (paid > performance.now()) return debug("too many", k, paid -= 50, ++dropped);
    /** @type {any} */
    let e = { id, n: session.n, t, k: `${k}`.slice(0, 200), u: address, r: referrer, p: { ...common, ...p } };
    for (const hook of hooks) e = e && hook(e);
    if (!e) return debug("track.use", k);
    let json = JSON.stringify(e);
    const { size } = new Blob([json]);
    if (size > 16384) json = JSON.stringify({ ...e, p: { _truncated: size } });
    session.n++;
    session.at = t;
    stored(tab, "track.sid", session);
    const head = JSON.stringify({
      v: 1,
      site: site || location.hostname,
      sid: session.id,
      rate: session.rate,
      privacy: privacy === "ignore" ? privacy : undefined,
      bots: bots === "allow" ? bots : undefined,
    });
    queue = queue.concat({ head, id, t, json, size });
    persist();
    if (now) flush();
    else if (!timer) later(tries < 8 ? options.flush ?? 1000 : 6e4);
  });

  /** @type {F} */
  const track = (name, props, how) => {
    const id = how?.id ?? uuidv7();
    add(name, props, id, how?.now);
    return id;
  };

  const stop = () => {
    off = 1;
    queue = [];
    persist();
  };

  // An event may have 16 KB.
  const take = (from = queue, max = 3e4) => {
    let sum = 0;
    return from.slice(0, 50).filter(({ head, size }) => head === from[0].head && sum < max && (sum += size));
  };

  const bodyOf = (batch = queue) => {
    const head = batch[0].head.slice(0, -1);
    const e = batch.map(({ json }) => json);
    return `${head},"sent":${Date.now()},"try":${tries},"drop":${dropped},"e":[${e}]}`;
  };

  const deliver = async (batch = queue) => {
    /** @type {any} */
    let response, answer, retryAt;
    const told = dropped;
    flying = flying.concat(batch);
    try {
      // Text: no preflight.
      response = await fetch(url(), {
        method: "POST",
        body: bodyOf(batch),
        keepalive: true,
        credentials: "omit",
        signal: AbortSignal.timeout?.(3e4),
      });
      if (response.status === 200) answer = await response.json();
    } catch (error) {
      debug(error);
    }
    flying = without(flying, batch);
    const { status = 0, headers } = response ?? {};
    const ok = status === 204 || answer?.now;
    const isDone = ok || /4(0[013]|1[03]|22)/.test(status);
    if (isDone) {
      queue = without(queue, batch);
      tries = 0;
      dropped = ok ? Math.max(0, dropped - told) : dropped + batch.length;
      if (ok) {
        lastAck = Date.now();
        stored(shared, "track.rate", answer?.rate >= 0 ? { rate: answer.rate, at: lastAck } : null);
        if (answer?.off) stop();
      }
      persist();
    } else if (!flying[0] && ++tries < 8) {
      const backoffMs = Math.min(6e4, 500 * 2 ** tries) * (0.5 + Math.random());
      const waitMs = Math.max(backoffMs, headers?.get("Retry-After") * 1000 || 0);
      later(waitMs);
      retryAt = Date.now() + waitMs;
    }
    const detail = { ids: batch.map(({ id }) => id), status, retryAt, answer };
    debug(detail);
    document.dispatchEvent(new CustomEvent(ok ? "track:sent" : "track:failed", { detail }));
    if (isDone) send();
  };

  // One at a time: they share 64 KB.
  const send = () => {
    clearTimeout(timer);
    timer = 0;
    if (queue[0] && !flying[0] && !document.prerendering) deliver(take());
  };
  const later = (waitMs = 0) => {
    clearTimeout(timer);
    timer = page.setTimeout(send, waitMs);
  };
  const flush = () => {
    tries = 0;
    send();
  };

  const leave = () => {
    measure();
    depart();
    since = 0;
    const isSameSite = `.${url().hostname}`.endsWith(location.hostname.replace(/^(www\.)?/, "."));
    const beacon = safe((body) => isSameSite && navigator.sendBeacon(url(), body));
    let left = without(without(queue, flying), beaconed), max = 3e4;
    while (left[0]) {
      const batch = take(left, max);
      // True is no answer.
      if (beacon(bodyOf(batch))) beaconed = beaconed.concat(batch);
      else if (isSameSite && max > 8e3 && (max /= 2)) continue;
      else deliver(batch);
      left = without(left, batch);
    }
  };

  const look = () => {
    const now = performance.now();
    if (since) ms += now - since;
    since = !document.hidden && document.hasFocus() ? now : 0;
  };
  const measure = () => {
    const seen = 100 * (page.scrollY + page.innerHeight) / document.documentElement.scrollHeight;
    scroll = Math.max(scroll, Math.min(100, Math.round(seen)));
  };
  const depart = () => {
    look();
    if (ms && wants("engagement")) track("engagement", { ms: Math.round(ms), scroll });
    ms = scroll = 0;
  };

  const turn = () => {
    const to = clean(location);
    if (to === address) return;
    depart();
    referrer = address;
    return address = to;
  };
  const trackPage = () => {
    turn();
    return track("pageview", { title: document.title });
  };
  const trackAuto = () => wants("auto") && trackPage();
  // Routers set the title later.
  const moved = safe(() => {
    measure();
    setTimeout(safe(() => turn() && trackAuto()));
  });

  /** @type {F} */
  const trackTagged = ({ attributes, dataset }, props = {}) => {
    for (const { name, value } of attributes) {
      if (/^data-track-prop-/.test(name)) props[name.slice(16)] = value;
    }
    track(dataset.trackEvent, props);
  };

  const start = safe(() => {
    on("click auxclick", (event) => {
      if (event.button > 1) return;
      const nearest = (selector = "") => event.composedPath().find((each = page) => each.matches?.(selector));
      const tagged = nearest("[data-track-event]:not(form)");
      if (tagged) return trackTagged(tagged);
      const link = nearest("a[*|href], area[href]");
      const to = link && new URL(link.href.baseVal ?? link.href, document.baseURI);
      if (!to?.host) return;
      const isFile = link.matches("[download]") ||
        /\.(csv|dmg|docx?|exe|gz|mp[34]|pdf|pptx?|xlsx?|zip)$/i.test(to.pathname);
      if (isFile ? wants("downloads") : to.host !== location.host && wants("outbound")) {
        track(isFile ? "download" : "outbound", { href: clean(to) });
      }
    });
    on("submit", ({ target }) => {
      if (target.matches("[data-track-event]")) trackTagged(target);
      else if (wants("forms")) {
        const { name, id } = target.attributes;
        track("form", { name: name?.value, id: id?.value });
      }
    });
    on("error unhandledrejection", ({ message, reason = message, filename, lineno, colno }) => {
      if (!reason || !wants("errors") || ++errors > 10) return;
      const source = filename && `${clean(filename)}:${lineno}:${colno}`;
      track("error", { message: `${reason.message ?? reason}`.slice(0, 500), source });
    });
    on("focus blur", look);
    on("scroll", measure);
    const turned = safe(() => {
      if (document.hidden) return leave();
      look();
      beaconed = [];
      if (!timer) send();
    });
    // After the page's own handlers.
    addEventListener("visibilitychange", turned);
    on("pagehide", leave);
    on("online", flush);
    on("pageshow", ({ persisted }) => persisted && trackAuto());
    if (navigation) navigation.addEventListener("currententrychange", moved);
    else {
      for (const name of ["pushState", "replaceState"]) {
        const original = history[name];
        /** @type {F} */
        history[name] = (...args) => {
          original.apply(history, args);
          moved();
        };
      }
      on("popstate hashchange", moved);
    }
    look();
    trackAuto();
    if (!timer) send();
    if (!durable) return;
    const replay = safe((lock) => {
      const names = Object.keys(page[durable]).filter((name) =>
        lock && !off && /^track.q:/.test(name) && name !== key
      );
      queue = names.flatMap((name) => stored(durable, name)).concat(queue);
      queue = queue.filter((item) => item?.t > Date.now() - 864e5);
      persist();
      for (const name of names) stored(durable, name, null);
      if (!timer) send();
    });
    navigator.locks?.request("track.q", { ifAvailable: true }, replay).catch(debug) ?? replay(1);
  });
  if (document.prerendering) on("prerenderingchange", start);
  else start();

  return Object.assign(track, {
    page: trackPage,
    use: (hook = debug) => void hooks.push(hook),
    set: (props = {}) => void (common = { ...common, ...props }),
    flush,
    optOut: () => {
      stored("localStorage", "track.off", 1);
      stop();
    },
    optIn: () => {
      off = stored("localStorage", "track.off", null);
    },
    status: () => ({ queued: queue.length, dropped, lastAck }),
  });
});
