/* dashboard.js: the page: what is shown (the view), what is new (the agent is asked once a tick), and who hears of it. */
import { Panel, drawing, element, reachable } from "./panel.js";
import { byName, moment, show, span } from "./units.js";

const RANGES = [["15 m", 900], ["1 h", 3600], ["6 h", 21600], ["24 h", 86400], ["7 d", 604800], ["30 d", 2592000], ["1 y", 31536000]];
const SHORTEST = 10; /* s: nobody zooms in further */
const SLOW = 10000; /* ms: between looks at health and aggregates */
const SOON = 5000, LATE = 30000; /* ms: what the agent has at hand, and what may wait for its disk */
const TILES_PAST = 900; /* s: what the sparklines show */

const find = (id) => document.getElementById(id);
const now = () => Date.now() / 1000;

/* --- the agent ---------------------------------------------------------------------------------------------------- */

async function get(address, patience = SOON, options = {}) {
	const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(patience), ...options });
	const document_ = await answer.json();
	if (!answer.ok && answer.status !== 503) throw new Error(document_.error);
	return document_;
}

/* The values of each family's instances, counters as rates: what panels and tiles are told. */
class Latest {
	constructor() {
		this.before = {};
		this.values = {};
		this.times = {};
	}

	/* Takes an answer of /api/v1/latest in; returns the names of the families that have a new sample. */
	take(answer, families) {
		const fresh = [];
		for (const family of families) {
			const sample = answer.families[family.name], before = this.before[family.name];
			if (!sample || sample.time === null || before?.time === sample.time) continue;
			this.before[family.name] = sample;
			this.values[family.name] = new Map(Object.entries(sample.instances).map(([instance, values]) => [instance, this.rates(family, values, before?.instances[instance], sample.time - before?.time)]));
			this.times[family.name] = sample.time;
			if (before) fresh.push(family.name);
		}
		return fresh;
	}

	/* A counter that went down began anew: its rate is unknown. */
	rates(family, values, before, elapsed) {
		return values.map((value, place) => {
			if (family.fields[place]?.kind !== "counter") return value;
			const last = before?.[place] ?? null;
			return value === null || last === null || value < last ? null : (value - last) / elapsed;
		});
	}
}

/* --- the four tiles ------------------------------------------------------------------------------------------------ */

function placeOf(family, name) {
	return family.fields.findIndex((field) => field.name === name);
}

/* The newest values of some fields, also before there are any. */
function valuesOf(latest, family, instance, names) {
	const values = latest.values[family.name]?.get(instance);
	return names.map((name) => values?.[placeOf(family, name)]);
}

/* What each is made of: a metric in percent, and how to say more of it. */
const TILES = [
	{ title: "CPU", family: "cpu", field: "usage", detail: () => "" },
	{ title: "Memory", family: "memory.vm", field: "percent", detail: (latest, family) => { const [available, total] = valuesOf(latest, family, "", ["available", "total"]); return total ? `${show(total - available, "bytes")} of ${show(total, "bytes")}` : ""; } },
	{ title: "Swap", family: "memory.swap", field: "percent", detail: (latest, family) => { const [used, total] = valuesOf(latest, family, "", ["used", "total"]); return total ? `${show(used, "bytes")} of ${show(total, "bytes")}` : "none"; } },
	{ title: "Fullest disk", family: "disk.space", field: "used_percent", detail: (latest, family, instance) => { const [free] = valuesOf(latest, family, instance, ["free"]); return instance === null ? "" : `${instance}, ${show(free, "bytes")} free`; } },
];

class Tile {
	constructor(what, family) {
		this.what = what;
		this.family = family;
		this.place = placeOf(family, what.field);
		this.past = [];
		this.root = element("div", "tile");
		this.value = element("p", "value");
		this.detail = element("span");
		this.trend = element("span", "figure");
		this.line = drawing("polyline", {});
		this.svg = drawing("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" });
		this.svg.append(this.line);
		const below = element("p", "detail");
		below.append(this.detail, this.trend);
		this.root.append(element("h3", "", what.title), this.value, this.svg, below);
	}

	/* Of a family with instances: the one that has most. */
	instance(latest) {
		const all = [...(latest.values[this.family.name] ?? [])].filter(([, values]) => values[this.place] !== null);
		return all.length ? all.reduce((most, one) => one[1][this.place] > most[1][this.place] ? one : most)[0] : null;
	}

	metric() {
		return `${this.family.name}.${this.what.field}`;
	}

	take(series, latest) {
		const mine = series.find((one) => one.metric === this.metric());
		this.past = mine ? mine.avg.map((value, i) => [mine.start + i * mine.step, value]).filter(([, value]) => value !== null) : [];
		this.show(latest);
	}

	newest(latest) {
		const instance = this.instance(latest);
		return instance === null ? null : latest.values[this.family.name].get(instance)[this.place];
	}

	show(latest) {
		this.value.textContent = show(this.newest(latest), "percent");
		this.detail.textContent = this.what.detail(latest, this.family, this.instance(latest));
		this.trend.textContent = this.slope();
		const end = now(), height = Math.max(5, ...this.past.map(([, one]) => one)) * 1.05;
		this.line.setAttribute("points", this.past.map(([time, one]) => `${(100 * (1 - (end - time) / TILES_PAST)).toFixed(2)},${(30 - 30 * one / height).toFixed(2)}`).join(" "));
	}

	append(latest) {
		const time = latest.times[this.family.name], value = this.newest(latest);
		if (value !== null && (!this.past.length || time - this.past.at(-1)[0] >= TILES_PAST / 90)) this.past.push([time, value]);
		while (this.past.length && this.past[0][0] < now() - TILES_PAST) this.past.shift();
		this.show(latest);
	}

	/* The last third beside the first: steady below half a point. */
	slope() {
		const third = Math.floor(this.past.length / 3);
		if (third < 3) return "";
		const mean = (part) => part.reduce((sum, [, value]) => sum + value, 0) / part.length;
		const change = mean(this.past.slice(-third)) - mean(this.past.slice(0, third));
		const length = span(Math.round((this.past.at(-1)[0] - this.past[0][0]) / 60) * 60);
		return Math.abs(change) < 0.5 ? `→ steady for ${length}` : `${change > 0 ? "↗ +" : "↘ −"}${Math.abs(change).toFixed(1)} in ${length}`;
	}
}

/* --- the page ------------------------------------------------------------------------------------------------------ */

class Page {
	constructor() {
		this.latest = new Latest();
		this.panels = new Map();
		this.tiles = [];
		this.families = [];
		this.gaps = [];
		this.cursor = null;
		this.before = []; /* views to go back to */
		this.drawn = 0;
		this.past = (address) => get(address, LATE);
		this.show(this.fromHash() ?? { range: 3600 }, false);
	}

	/* --- what is shown: the last `range` seconds, live, or a stretch --------------------------------------------- */

	fromHash() {
		const words = new URLSearchParams(location.hash.slice(1)), range = Number(words.get("range"));
		const from = Number(words.get("from")), to = Number(words.get("to"));
		if (range >= SHORTEST) return { range };
		return from > 0 && to - from >= SHORTEST ? { from, to } : null;
	}

	show(view, load = true) {
		this.view = view.range ? { range: view.range, from: now() - view.range, to: now() } : { from: view.from, to: view.to };
		const hash = view.range ? `#range=${view.range}` : `#from=${Math.round(view.from)}&to=${Math.round(view.to)}`;
		if (location.hash !== hash) history.replaceState(null, "", hash);
		for (const button of find("ranges").children) button.setAttribute("aria-pressed", Number(button.dataset.range) === view.range);
		find("back").disabled = this.before.length === 0;
		this.tellView();
		if (load) this.load();
	}

	tellView() {
		const { from, to, range } = this.view;
		find("shown").textContent = range ? `last ${RANGES.find(([, length]) => length === range)?.[0] ?? span(range)}, live` : `${moment(from * 1000)} – ${moment(to * 1000)}`;
	}

	/* The view as arguments of a request. */
	words() {
		const { from, to, range } = this.view;
		return range ? { from: `-${range}s`, to: "now" } : { from: Math.floor(from), to: Math.ceil(to) };
	}

	go(view) {
		this.before.push(this.view.range ? { range: this.view.range } : { from: this.view.from, to: this.view.to });
		this.show(view);
	}

	zoom(from, to) {
		const missing = Math.max(0, SHORTEST - (to - from)) / 2;
		this.go({ from: from - missing, to: to + missing });
	}

	scale(factor) {
		const { from, to } = this.view, middle = this.cursor === null ? (from + to) / 2 : this.cursor / 1000;
		const length = Math.max(SHORTEST, Math.min(31536000 * 10, (to - from) * factor)), end = Math.min(middle + length / 2, now());
		this.zoom(end - length, end);
	}

	/* Nothing is later than now. */
	move(seconds) {
		const { from, to } = this.view, by = Math.min(seconds, now() - to);
		if (by < 0 || (by > 0 && !this.view.range)) this.go({ from: from + by, to: to + by });
	}

	back() {
		const view = this.before.pop();
		if (view) this.show(view);
	}

	theme() {
		return document.documentElement.dataset.theme;
	}

	newest(family) {
		return this.latest.times[family] ?? now();
	}

	values(family) {
		return this.latest.values[family];
	}

	point(time) {
		this.cursor = time;
		for (const panel of this.panels.values()) panel.point(time);
		find("moment").textContent = time === null ? "" : moment(time);
	}

	/* For those who do not see the cursor: only what was moved by a key is said. */
	say(words) {
		find("said").textContent = words;
	}

	/* --- reading ------------------------------------------------------------------------------------------------- */

	async catalogue() {
		this.families = (await get("/api/v1/metrics")).families;
		const wanted = new Set(this.families.map((family) => family.name)), host = find("history");
		for (const [name, panel] of this.panels)
			if (!wanted.has(name)) panel.root.remove(), this.panels.delete(name);
		for (const family of this.families) {
			if (this.panels.has(family.name)) this.panels.get(family.name).describe(family);
			else this.panels.set(family.name, new Panel(family, this));
		}
		/* One that is in its place stays there: moved, it would lose the focus. */
		this.families.forEach((family, place) => {
			const { root } = this.panels.get(family.name);
			if (host.children[place] !== root) host.insertBefore(root, host.children[place] ?? null);
		});
		this.tiles = TILES.flatMap((what) => {
			const family = this.families.find((one) => one.name === what.family);
			return family ? [new Tile(what, family)] : [];
		});
		find("now").hidden = this.tiles.length === 0;
		find("now").replaceChildren(...this.tiles.map((tile) => tile.root));
	}

	async load() {
		for (const panel of this.panels.values()) panel.link();
		try {
			/* Charts need not wait for the reasons of their gaps. */
			await Promise.all([...[...this.panels.values()].map((panel) => panel.load()), this.loadGaps()]);
		} catch (error) {
			this.lost(error);
		}
	}

	async loadGaps() {
		const { from, to } = this.view, answer = await get(`/api/v1/gaps?from=${Math.floor(from)}&to=${Math.ceil(to)}`);
		const same = JSON.stringify(answer.gaps) === JSON.stringify(this.gaps);
		this.gaps = answer.gaps;
		/* To draw all charts once more takes longer than all answers, and mostly shows nothing new. */
		if (!same) for (const panel of this.panels.values()) panel.follow();
	}

	async loadTiles() {
		const ask = async (tiles, instance) => {
			if (!tiles.length || instance === null) return;
			const of = tiles[0].family.instance ? `&instance=${encodeURIComponent(instance)}` : "";
			const { series } = await this.past(`/api/v1/series?metric=${tiles.map((tile) => tile.metric()).join(",")}&from=-${TILES_PAST}s&points=90${of}`);
			for (const tile of tiles) tile.take(series, this.latest);
		};
		const many = this.tiles.filter((tile) => tile.family.instance);
		await Promise.all([ask(this.tiles.filter((tile) => !tile.family.instance)), ...many.map((tile) => ask([tile], tile.instance(this.latest)))]);
	}

	/* --- once a tick --------------------------------------------------------------------------------------------- */

	interval() {
		return 1000 * Math.max(1, Math.min(60, ...this.families.map((family) => family.interval)));
	}

	async tick() {
		const answer = await get("/api/v1/latest");
		if (answer.catalogue !== this.number) {
			await this.catalogue();
			this.latest.before = {}; /* its fields may stand in another order */
			this.number = answer.catalogue;
			this.latest.take(answer, this.families);
			await Promise.all([this.load(), this.loadTiles()]);
		}
		const fresh = this.latest.take(answer, this.families);
		this.found(answer.state);
		this.advance(fresh);
	}

	/* A live window goes on with the time; it is drawn anew when it has moved by a pixel. */
	advance(fresh) {
		for (const tile of this.tiles) if (fresh.includes(tile.family.name)) tile.append(this.latest);
		if (!this.view.range) return;
		const old = fresh.map((name) => this.panels.get(name)).filter((panel) => panel?.append(this.latest.times[panel.family.name], this.latest.values[panel.family.name]));
		this.view.to = now();
		this.view.from = this.view.to - this.view.range;
		const width = find("history").clientWidth || 800;
		if (Date.now() - this.drawn < 1000 * this.view.range / width) return;
		this.drawn = Date.now();
		if (old.length) this.load();
		else for (const panel of this.panels.values()) panel.follow();
	}

	found(state) {
		const line = find("state");
		this.state = state;
		this.missing = null;
		line.classList.toggle("bad", state !== "running");
		const words = `${state === "running" ? "sampling" : "stopped: nothing is sampled"}${this.status && this.status !== "ok" ? `, ${this.status}` : ""}`;
		if (line.textContent !== words) line.textContent = words;
		find("switch").textContent = state === "running" ? "Stop" : "Start";
		find("switch").disabled = false;
	}

	lost(error) {
		this.missing ??= Date.now();
		find("state").classList.add("bad");
		find("state").textContent = error instanceof TypeError || error.name === "TimeoutError" ? `the agent does not answer since ${moment(this.missing)}; trying again` : error.message;
		find("switch").disabled = true;
	}

	/* --- now and then: health, aggregates, gaps of a live window ------------------------------------------------------------------------- */

	async look() {
		const [health, aggregates] = await Promise.all([get("/health"), get("/api/v1/aggregates"), this.view.range && this.loadGaps()]);
		this.status = health.status;
		this.tellTrouble(health);
		fillTable("aggregates", aggregates.aggregates.map((one) => [one.name, one.text ?? show(one.value, one.unit ?? ""), one.instance === null ? one.of : `${one.of} of ${one.instance}`, `${one.fn} over ${one.over}`]), [1]);
		fillTable("health", health.families.sort((a, b) => byName(a.name, b.name)).map((one) => [one.name, one.plugin, span(one.interval), one.duration === null ? "" : show(one.duration, "seconds"), one.missed, one.errors, [one.error, ...one.stuck.map((stuck) => `${stuck.instance ?? stuck} hangs`)].filter(Boolean).join("; ")]), [2, 3, 4, 5], 6);
		for (const table of document.querySelectorAll(".tables section")) reachable(table);
	}

	tellTrouble(health) {
		const lines = [...health.configuration.mistakes.map((mistake) => `The configuration that was saved last is not in force: ${mistake}`), ...health.configuration.refused, ...health.reasons.filter((reason) => !health.configuration.mistakes.some((mistake) => reason.includes(mistake)))];
		const host = find("trouble"), text = lines.join("\n");
		if (host.textContent === text) return;
		host.hidden = lines.length === 0;
		host.replaceChildren(...lines.map((line) => element("p", "", line)));
	}

	/* --- buttons and keys ------------------------------------------------------------------------------------------ */

	listen() {
		find("ranges").replaceChildren(...RANGES.map(([word, range]) => {
			const button = element("button", "", word);
			button.type = "button";
			button.dataset.range = range;
			button.setAttribute("aria-pressed", range === this.view.range);
			button.addEventListener("click", () => { this.before = []; this.show({ range }); });
			return button;
		}));
		const width = () => this.view.to - this.view.from;
		const acts = { earlier: () => this.move(-width() / 2), later: () => this.move(width() / 2), closer: () => this.scale(0.5), farther: () => this.scale(2), back: () => this.back(), switch: () => this.turn(), theme: () => turnTheme(this) };
		for (const [id, act] of Object.entries(acts)) find(id).addEventListener("click", act);
		addEventListener("keydown", (event) => {
			const act = { "+": acts.closer, "=": acts.closer, "-": acts.farther, Escape: acts.back, ArrowLeft: event.shiftKey && acts.earlier, ArrowRight: event.shiftKey && acts.later }[event.key];
			if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
			event.preventDefault();
			act();
		});
		addEventListener("hashchange", () => { const view = this.fromHash(); if (view) this.show(view); });
		addEventListener("resize", () => { clearTimeout(this.resized); this.resized = setTimeout(() => { for (const panel of this.panels.values()) panel.chart?.resize(); this.load(); }, 200); });
		document.addEventListener("visibilitychange", () => { if (!document.hidden) this.wake(); });
	}

	async turn() {
		find("switch").disabled = true;
		try {
			this.found((await get(this.state === "running" ? "/stop" : "/start", LATE, { method: "POST" })).state);
		} catch (error) {
			this.lost(error);
		}
	}

	/* The tab was hidden, and nothing was read: what lies in between comes from the files. */
	wake() {
		if (this.view.range) this.show({ range: this.view.range });
		this.loadTiles().catch(() => {});
	}

	async run() {
		let looked = 0;
		for (;;) {
			if (!document.hidden) {
				try {
					await this.tick();
					if (Date.now() - looked >= SLOW) {
						looked = Date.now();
						await this.look();
						this.found(this.state);
					}
				} catch (error) {
					this.lost(error);
				}
			}
			await new Promise((done) => setTimeout(done, this.interval()));
		}
	}
}

function fillTable(id, rows, numbers, bad) {
	find(id).tBodies[0].replaceChildren(...rows.map((cells) => {
		const row = element("tr");
		row.append(...cells.map((cell, place) => element("td", numbers.includes(place) ? "number" : place === bad ? "bad" : "", cell)));
		return row;
	}));
}

/* --- light and dark -------------------------------------------------------------------------------------------------- */

/* Who lets nothing be kept sees the system's theme. */
function keep(theme) {
	try { localStorage.setItem("theme", theme); } catch { /* forbidden */ }
}

function kept() {
	try { return localStorage.getItem("theme"); } catch { return null; }
}

function setTheme(theme) {
	document.documentElement.dataset.theme = theme;
}

function turnTheme(page) {
	const theme = page.theme() === "dark" ? "light" : "dark";
	setTheme(theme);
	keep(theme);
	for (const panel of page.panels.values()) panel.draw(), panel.link();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
setTheme(kept() ?? (dark.matches ? "dark" : "light"));

const page = new Page();
page.listen();
find("host").textContent = location.host;
dark.addEventListener("change", () => { if (!kept()) setTheme(dark.matches ? "dark" : "light"), page.panels.forEach((panel) => panel.draw()); });
page.run();
