/* panel.js: the chart of one family: its lines, its legend, its part of the shared cursor. */
import { groups, moment, show, tick, unitOf, byName } from "./units.js";

const LINES_MAX = 24; /* more cannot be told apart; the rest is named */
const BANDS_MAX = 4; /* bands of more lines would hide each other */
const GAP_REACH = 3; /* pixels */
const SAID_MAX = 6; /* lines that are put into words */
const PALETTE = 8;
const SPREAD = ["min", "avg", "max"];
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];

/* Its legend is ours, below the chart; that of dygraphs wants styles within the page, which our policy refuses. */
Dygraph.PLUGINS = [Dygraph.Plugins.Axes, Dygraph.Plugins.Grid];

/* Charts are drawn one after the other, with time for the browser in between to show the first. */
let turn = Promise.resolve();
function inTurn() {
	turn = turn.then(() => new Promise((done) => setTimeout(done)));
	return turn;
}

export function element(name, classes, text) {
	const made = document.createElement(name);
	if (classes) made.className = classes;
	if (text !== undefined) made.textContent = text;
	return made;
}

export function drawing(name, attributes) {
	const made = document.createElementNS("http://www.w3.org/2000/svg", name);
	for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
	return made;
}

/* What scrolls is reached by keyboard, too. */
export function reachable(scroller) {
	if (scroller.scrollHeight > scroller.clientHeight || scroller.scrollWidth > scroller.clientWidth) scroller.tabIndex = 0;
	else scroller.removeAttribute("tabindex");
}

function colour(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/* Of what a line has in the window. A row counts for as long as it stands for. */
class Extent {
	constructor() {
		this.least = Infinity, this.most = -Infinity, this.sum = 0, this.weight = 0;
	}

	take([low, mean, high], weight) {
		if (mean === null) return;
		this.least = Math.min(this.least, low ?? mean), this.most = Math.max(this.most, high ?? mean);
		this.sum += weight * mean, this.weight += weight;
	}
}

/* A line of the chart: one field of one instance. */
function linesOf(family, group) {
	const instances = family.instance
		? family.instances.filter((one) => one.present).map((one) => one.name).sort(byName)
		: [""];
	const lines = [];
	for (const instance of instances)
		for (const field of group.fields)
			lines.push({
				instance, field: field.name, place: family.fields.indexOf(field),
				label: [instance, instance && group.fields.length === 1 ? "" : field.name].filter(Boolean).join(" "),
			});
	return lines;
}

/* The second time around the palette, lines are dashed. */
function dashOf(place) {
	return DASHES[Math.floor(place / PALETTE) % DASHES.length];
}

/* A unit where one must stand. */
function wordOf(unit) {
	return unit === "/s" ? "count/s" : unit || "count";
}

export class Panel {
	/* `page` has the view, hears of gestures, and hands out gaps: see dashboard.js. */
	constructor(family, page) {
		this.page = page;
		this.chosen = 0;
		this.rows = [];
		this.build();
		this.describe(family);
	}

	build() {
		this.root = element("figure", "panel");
		this.title = element("h3");
		this.help = element("span", "help");
		this.links = element("span", "links");
		this.tabs = element("span", "tabs");
		this.plot = element("div", "plot");
		this.cursor = element("div", "cursor");
		this.drag = element("div", "drag");
		this.note = element("div", "note");
		this.empty = element("div", "empty", "nothing is known of this time");
		this.legend = element("ul", "legend");
		const caption = element("figcaption"), frame = element("div", "frame");
		caption.append(this.title, this.help, this.links, this.tabs);
		frame.append(this.plot, this.cursor, this.drag, this.note, this.empty);
		this.root.append(caption, frame, this.legend);
		this.plot.tabIndex = 0;
		this.plot.setAttribute("role", "img");
		this.tabs.setAttribute("role", "group");
		this.listen();
	}

	/* The family as the catalogue has it now. */
	describe(family) {
		this.family = family;
		this.groups = groups(family);
		this.chosen = Math.min(this.chosen, this.groups.length - 1);
		this.title.textContent = family.name;
		this.help.textContent = family.help;
		this.help.title = family.help;
		this.root.setAttribute("aria-label", family.name);
		this.tabs.setAttribute("aria-label", `What is drawn of ${family.name}`);
		/* With nothing to choose it says the unit of the axis. */
		this.tabs.replaceChildren(...this.groups.length > 1 ? this.groups.map((group, place) => this.tab(group, place)) : [element("span", "unit", wordOf(this.groups[0].unit))]);
		this.choose(this.chosen);
	}

	tab(group, place) {
		const word = group.fields.length === 1 ? group.fields[0].name.replaceAll("_", " ") : wordOf(group.unit);
		const button = element("button", "", word);
		button.type = "button";
		button.title = group.fields.map((field) => `${field.name}: ${field.help}`).join("\n");
		button.addEventListener("click", () => { this.choose(place); this.load(); });
		return button;
	}

	choose(place) {
		this.chosen = place;
		this.group = this.groups[place];
		this.tabs.querySelectorAll("button").forEach((tab, at) => tab.setAttribute("aria-pressed", at === place));
		this.all = linesOf(this.family, this.group);
		this.lines = this.all.slice(0, LINES_MAX);
		this.banded = this.lines.length <= BANDS_MAX;
		this.rows = [];
		this.extents = null;
		this.fill();
		this.link();
	}

	metrics() {
		return this.group.fields.map((field) => `${this.family.name}.${field.name}`).join(",");
	}

	link() {
		const { from, to } = this.page.words(), fields = this.group.fields.map((field) => field.name).join(",");
		const graph = `/graph/${this.family.name}.png?from=${from}&to=${to}&fields=${fields}`;
		const rows = `/api/v1/series?metric=${this.metrics()}&from=${from}&to=${to}`;
		const places = [["PNG", `${graph}&theme=${this.page.theme()}`, "as a picture, drawn by rrdtool"], ["rrdtool", `${graph}&as=command`, "the rrdtool command that draws it"], ["CSV", `${rows}&format=csv`, "as numbers"]];
		/* They stay the same elements, so that one that has the focus keeps it. */
		if (!this.links.children.length) this.links.append(...places.map(() => element("a")));
		places.forEach(([word, address, title], place) => {
			const made = this.links.children[place];
			made.textContent = word;
			made.href = address;
			made.title = title;
			made.setAttribute("aria-label", `${this.family.name} ${title}`);
		});
	}

	/* --- data -------------------------------------------------------------------------------------------------- */

	/* About one for each pixel and a half. The chart's own width would make the browser lay out the page before anything is
	 * asked for, which the first chart would wait for. */
	points() {
		return Math.max(100, Math.min(2000, Math.round(innerWidth / (innerWidth > 1000 ? 3 : 1.5))));
	}

	/* Asks for the time that is shown. An answer that comes when something else is shown already is dropped. */
	async load() {
		const { from, to } = this.page.view, asked = (this.asked = {});
		const question = (instance) => `/api/v1/series?metric=${this.metrics()}&from=${Math.floor(from)}&to=${Math.ceil(to)}&points=${this.points()}${instance === null ? "" : `&instance=${encodeURIComponent(instance)}`}`;
		/* Of very many instances only those that are drawn are asked for. */
		const instances = this.all.length > LINES_MAX ? [...new Set(this.lines.map((line) => line.instance))] : [null];
		/* Not asked for again while it is on its way: where answers take longer than a tick, none would ever be the last one. */
		this.tail = 0;
		this.torn = false;
		const answers = await Promise.all(instances.map((instance) => this.page.past(question(instance)))).catch((error) => { this.torn = true; throw error; });
		await inTurn();
		if (asked !== this.asked) return;
		this.take(answers.flatMap((answer) => answer.series));
	}

	take(series) {
		const found = this.lines.map((line) => series.find((one) => (one.instance ?? "") === line.instance && one.metric === `${this.family.name}.${line.field}`));
		const first = found.find(Boolean);
		this.step = first ? first.step : 1;
		this.rows = (first ? first.avg : []).map((_, i) => [
			(first.start + i * first.step) * 1000,
			...found.map((one) => one ? [one.min[i], one.avg[i], one.max[i]] : [null, null, null]),
		]);
		const newest = this.page.newest(this.family.name), values = this.page.values(this.family.name);
		this.cut(newest);
		this.rows.forEach((row, at) => { row.weight = at ? (row[0] - this.rows[at - 1][0]) / 1000 : this.step; });
		/* Rates are not known before the second sample. */
		if (values && this.page.view.range && this.lines.some((line) => (values.get(line.instance)?.[line.place] ?? null) !== null)) this.add(newest, values);
		this.draw();
	}

	/* The last point is not whole yet: what is known of it ends with the sample before the newest, and the newest ones follow it one
	 * by one. */
	cut(newest) {
		const end = (newest - this.family.interval) * 1000;
		let part = null;
		while (this.rows.length && this.rows.at(-1)[0] > newest * 1000) part = this.rows.pop();
		if (part && end > (this.rows.at(-1)?.[0] ?? 0) && part.slice(1).some((cell) => cell[1] !== null)) this.rows.push([end, ...part.slice(1)]);
	}

	/* What came since: `values` has those of each instance. True: they are so many, or some before them are missing, so that
	 * the past should be read anew. */
	append(time, values) {
		if (!this.rows.length || time * 1000 <= this.rows.at(-1)[0]) return false;
		if (time - this.rows.at(-1)[0] / 1000 > 2.5 * this.family.interval + this.step) this.torn = true;
		this.add(time, values);
		this.tail++;
		const begin = this.page.view.from * 1000;
		while (this.rows.length > 2 && this.rows[1][0] < begin) this.rows.shift();
		/* The picture waits until it has moved by a pixel; what is said in words does not. */
		this.tell();
		if (this.page.cursor === null) this.point(null);
		if (!this.known) this.follow();
		return this.torn || this.tail > 120;
	}

	/* A row of its own; it stands for the time since the one before, as a row of the files does for its step. */
	add(time, values) {
		const before = this.rows.at(-1)?.[0] ?? (time - this.family.interval) * 1000;
		if (time * 1000 <= before) return;
		const row = [time * 1000, ...this.lines.map((line) => {
			const value = values.get(line.instance)?.[line.place] ?? null;
			return [value, value, value];
		})];
		row.weight = Math.min(time - before / 1000, this.family.interval);
		this.rows.push(row);
		this.extents?.forEach((extent, place) => extent.take(row[place + 1], row.weight));
	}

	/* --- picture ----------------------------------------------------------------------------------------------- */

	options() {
		const unit = this.group.unit, { from, to } = this.page.view;
		return {
			labels: ["time", ...this.lines.map((line, place) => `${place} ${line.label}`)],
			colors: this.lines.map((_, place) => colour(`--c${place % PALETTE}`)),
			series: Object.fromEntries(this.lines.map((line, place) => [`${place} ${line.label}`, { strokePattern: dashOf(place) }])),
			customBars: this.banded, fillAlpha: 0.18, strokeWidth: 1.3, connectSeparatedPoints: false,
			legend: "never", interactionModel: {}, highlightCircleSize: 0, drawPoints: false,
			gridLineColor: colour("--grid"), axisLineColor: colour("--line"), gridLineWidth: 1,
			valueRange: unit === "percent" ? [0, 100.5] : null, includeZero: true, xRangePad: 0,
			dateWindow: [from * 1000, to * 1000],
			axes: { y: { axisLabelWidth: 58, axisLabelFormatter: (value) => tick(value, unit), pixelsPerLabel: 30 }, x: { axisLabelWidth: 64, pixelsPerLabel: 74 } },
			underlayCallback: (canvas, area, chart) => this.shade(canvas, area, chart),
		};
	}

	values() {
		return this.banded ? this.rows.map(([time, ...cells]) => [new Date(time), ...cells])
			: this.rows.map(([time, ...cells]) => [new Date(time), ...cells.map((cell) => cell[1])]);
	}

	draw() {
		if (!this.rows.length) {
			const { from, to } = this.page.view, nothing = this.lines.map(() => [null, null, null]);
			this.rows = [[from * 1000, ...nothing], [to * 1000, ...nothing]];
		}
		this.chart?.destroy();
		this.chart = this.lines.length ? new Dygraph(this.plot, this.values(), this.options()) : null;
		this.summarize();
		this.point(this.page.cursor);
		reachable(this.legend);
	}

	/* The window has moved, or rows were added. Until the rows of what was chosen come, the chart is that of before. */
	follow() {
		if (!this.rows.length) return;
		const { from, to } = this.page.view;
		this.chart?.updateOptions({ file: this.values(), dateWindow: [from * 1000, to * 1000] });
		this.summarize();
		this.point(this.page.cursor);
	}

	gaps() {
		return this.page.gaps.filter((gap) => (gap.family === null || gap.family === this.family.name) &&
			(gap.instance === null || this.lines.some((line) => line.instance === gap.instance)) &&
			(gap.field === null || this.group.fields.some((field) => field.name === gap.field)));
	}

	/* The one that is nearest; a hair of a gap is met by who comes close, by hand or from row to row. */
	gapAt(time) {
		const { from, to } = this.page.view, reach = Math.max(500 * this.step, GAP_REACH * 1000 * (to - from) / (this.plot.clientWidth || 800));
		const distance = (gap) => Math.max(0, gap.from * 1000 - time, time - gap.to * 1000);
		const near = this.gaps().filter((gap) => distance(gap) <= reach);
		return near.length ? near.reduce((best, one) => distance(one) < distance(best) ? one : best) : null;
	}

	/* At least a hair wide, so that a missed second shows in a day. */
	shade(canvas, area, chart) {
		canvas.fillStyle = colour("--shade");
		for (const gap of this.gaps()) {
			const left = Math.max(area.x, chart.toDomXCoord(gap.from * 1000)), right = Math.min(area.x + area.w, chart.toDomXCoord(gap.to * 1000));
			if (right >= area.x && left <= area.x + area.w) canvas.fillRect(left, area.y, Math.max(1.5, right - left), area.h);
		}
	}

	/* --- legend ------------------------------------------------------------------------------------------------ */

	fill() {
		this.figures = this.lines.map(() => ({ value: element("span", "value"), spread: SPREAD.map((word) => element("span", word)) }));
		const items = this.lines.map((line, place) => {
			const item = element("li"), swatch = drawing("svg", { viewBox: "0 0 20 8", "aria-hidden": "true" });
			swatch.append(drawing("line", { x1: 0, y1: 4, x2: 20, y2: 4, "stroke-width": 2, "stroke-dasharray": dashOf(place).join(" "), class: `stroke${place % PALETTE}` }));
			const name = element("span", "name", line.label);
			name.title = `${line.label}: ${this.family.fields[line.place].help}`;
			item.append(swatch, name, this.figures[place].value);
			const spread = element("span", "spread figure");
			spread.append(...this.figures[place].spread);
			if (this.banded) item.append(spread);
			return item;
		});
		if (this.all.length > this.lines.length) items.push(element("li", "more", `and ${this.all.length - this.lines.length} more, not drawn`));
		this.legend.classList.toggle("few", this.banded);
		this.legend.replaceChildren(...items);
		reachable(this.legend);
	}

	/* Least, mean and most of each line in the window, anew; tell() says them. */
	summarize() {
		this.extents = this.lines.map(() => new Extent());
		for (const row of this.rows) this.extents.forEach((extent, place) => extent.take(row[place + 1], row.weight));
		this.tell();
	}

	tell() {
		const unit = this.group.unit, words = [];
		this.known = this.extents.some((extent) => extent.weight > 0);
		this.empty.style.display = this.known ? "none" : "grid";
		this.extents.forEach(({ least, sum, weight, most }, place) => {
			const { spread } = this.figures[place], texts = weight ? [least, sum / weight, most].map((value) => show(value, unit)) : [];
			SPREAD.forEach((word, at) => { spread[at].textContent = weight ? `${word} ${texts[at]}` : ""; });
			if (weight && words.length < SAID_MAX) words.push(`${this.lines[place].label} between ${texts[0]} and ${texts[2]}, ${texts[1]} on average`);
		});
		const { from, to } = this.page.view;
		this.plot.setAttribute("aria-label", `${this.family.name}, ${moment(from * 1000)} to ${moment(to * 1000)}: ${words.join("; ") || "nothing is known"}. Left and right move the cursor, plus and minus zoom.`);
	}

	rowAt(time) {
		let low = 0, high = this.rows.length - 1;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (this.rows[middle][0] < time) low = middle + 1; else high = middle;
		}
		return low > 0 && time - this.rows[low - 1][0] < this.rows[low][0] - time ? low - 1 : low;
	}

	/* Puts the cursor to a time (ms), which may be another chart's; null: none, and the newest values are shown. */
	point(time) {
		const row = this.rows[time === null ? this.rows.length - 1 : this.rowAt(time)];
		const left = time === null || !this.chart || !row ? -1 : this.chart.toDomXCoord(row[0]);
		this.cursor.style.display = left >= 0 && left <= this.plot.clientWidth ? "block" : "none";
		this.cursor.style.left = `${left}px`;
		this.lines.forEach((_, place) => { this.figures[place].value.textContent = row ? show(row[place + 1][1], this.group.unit) : ""; });
		const gap = time === null ? null : this.gapAt(time);
		this.note.style.display = gap ? "block" : "none";
		this.note.textContent = gap ? gap.words : "";
	}

	/* --- gestures ---------------------------------------------------------------------------------------------- */

	leftOf(event) {
		return event.clientX - this.plot.getBoundingClientRect().left;
	}

	timeAt(event) {
		return this.chart ? this.chart.toDataXCoord(this.leftOf(event)) : null;
	}

	listen() {
		let begun = null;
		this.plot.addEventListener("pointerdown", (event) => {
			if (event.button !== 0 || event.pointerType === "touch" || !this.chart) return;
			begun = { left: this.leftOf(event), time: this.timeAt(event), pan: event.shiftKey };
			this.plot.setPointerCapture(event.pointerId);
			event.preventDefault();
			this.plot.focus({ preventScroll: true });
		});
		this.plot.addEventListener("pointermove", (event) => {
			this.page.point(this.timeAt(event));
			if (!begun || begun.pan) return;
			this.drag.style.display = "block";
			this.drag.style.left = `${Math.min(begun.left, this.leftOf(event))}px`;
			this.drag.style.width = `${Math.abs(this.leftOf(event) - begun.left)}px`;
		});
		this.plot.addEventListener("pointerup", (event) => {
			const end = this.timeAt(event), start = begun, moved = start && Math.abs(this.leftOf(event) - start.left) > 4;
			begun = null;
			this.drag.style.display = "none";
			if (!moved) return;
			if (start.pan) this.page.move((start.time - end) / 1000);
			else this.page.zoom(Math.min(start.time, end) / 1000, Math.max(start.time, end) / 1000);
		});
		this.plot.addEventListener("pointerleave", () => this.page.point(null));
		this.plot.addEventListener("pointercancel", () => { begun = null; this.drag.style.display = "none"; });
		this.plot.addEventListener("dblclick", () => this.page.back());
		this.plot.addEventListener("blur", () => this.page.point(null));
		this.plot.addEventListener("keydown", (event) => this.key(event));
	}

	key(event) {
		const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
		if (!sign || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || !this.rows.length) return;
		const at = this.page.cursor === null ? this.rows.length - (sign < 0 ? 0 : 1) : this.rowAt(this.page.cursor);
		const row = this.rows[Math.max(0, Math.min(this.rows.length - 1, at + sign))];
		this.page.point(row[0]);
		this.page.say([moment(row[0]), this.note.textContent, ...this.lines.slice(0, SAID_MAX).map((line, place) => `${line.label} ${this.figures[place].value.textContent}`)].filter(Boolean).join(", "));
		event.preventDefault();
	}
}
