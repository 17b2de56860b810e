/* dashboard.mjs: the dashboard in Chromium, beside what the API says. Prints TAP.
 *
 *     AGENT=pid PINDROP=program node dashboard.mjs URL FOLDER     FOLDER has pindrop.lua; see tests/system/test_dashboard
 *
 * Nothing sleeps: until() asks again and again for what has to come, and gives up after a while. Numbers that the page shows
 * are read back from their text and compared with what the agent answers to this program. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { gunzipSync } from "node:zlib";
import { chromium } from "playwright-core";

const [url, work] = process.argv.slice(2);
const output = new URL("output/", import.meta.url).pathname;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const configuration = readFileSync(`${work}/pindrop.lua`, "utf8");
const PATIENCE = 15000; /* ms */

/* --- TAP ------------------------------------------------------------------------------------------------------------- */

let failures = 0;

async function test(name, run) {
	try {
		await run();
		console.log(`ok - ${name}`);
	} catch (error) {
		failures++;
		console.log(`not ok - ${name}\n${String(error.stack ?? error).slice(0, 2000).replace(/^/gm, "#   ")}`);
	}
}

/* --- the agent ------------------------------------------------------------------------------------------------------- */

const get = async (address) => (await fetch(url + address)).json();

/* As editors do. */
function save(text) {
	writeFileSync(`${work}/new`, text);
	renameSync(`${work}/new`, `${work}/pindrop.lua`);
}

/* An answer as it comes over the wire. */
const raw = (path, headers = {}) => new Promise((resolve, reject) => {
	http.get(url + path, { headers, agent: false }, (answer) => {
		const parts = [];
		answer.on("data", (part) => parts.push(part));
		answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
	}).on("error", reject);
});

/* --- the page -------------------------------------------------------------------------------------------------------- */

/* Runs in the page before its scripts: keeps hold of the charts that are made, and of what /api/v1/latest said. */
function watch() {
	let library;
	Object.defineProperty(window, "Dygraph", {
		configurable: true,
		get: () => library,
		set: (value) => {
			library = new Proxy(value, {
				construct(target, words) {
					const chart = Reflect.construct(target, words);
					words[0].chart = chart;
					window.firstChart ??= performance.now();
					return chart;
				},
			});
		},
	});
	window.panel = (name) => [...document.querySelectorAll(".panel")].find((one) => one.querySelector("h3").textContent === name);
	window.chart = (name) => window.panel(name)?.querySelector(".plot").chart;
	/* What is drawn, as a context of a copy: Chromium warns of canvases that are read too often. */
	window.ink = (name) => {
		const all = [...window.panel(name).querySelectorAll(".plot canvas")], copy = document.createElement("canvas");
		copy.width = all[0].width, copy.height = all[0].height;
		const context = copy.getContext("2d", { willReadFrequently: true });
		for (const one of all) context.drawImage(one, 0, 0);
		return context;
	};
	window.rgb = (name) => {
		const context = document.createElement("canvas").getContext("2d");
		context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
		context.fillRect(0, 0, 1, 1);
		return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
	};
}

const browser = await chromium.launch({
	executablePath: "/usr/bin/chromium",
	args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const complaints = [], requests = [], dialogs = [];
let lost = false; /* the agent is away, and the browser may say so */

async function open(options = {}, hash = "") {
	const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: "Asia/Kolkata", ...options });
	const made = await context.newPage();
	await made.addInitScript(watch);
	made.setDefaultTimeout(PATIENCE);
	made.on("console", (message) => { if (["error", "warning"].includes(message.type()) && !lost) complaints.push(`${message.type()}: ${message.text()}`); });
	made.on("pageerror", (error) => complaints.push(`uncaught: ${error.stack}`));
	made.on("request", (request) => requests.push(request.url()));
	made.on("dialog", (dialog) => { dialogs.push(dialog.message()); dialog.dismiss(); });
	await made.goto(`${url}/${hash}`);
	return made;
}

/* Playwright's own way to wait is forbidden by the page's policy. */
async function until(what, condition, argument, where = page) {
	const deadline = Date.now() + PATIENCE;
	for (;;) {
		const result = typeof condition === "function" && condition.inNode ? await condition() : await where.evaluate(condition, argument);
		if (result) return result;
		assert(Date.now() < deadline, `waited in vain: ${what}`);
		await new Promise((done) => setTimeout(done, 20));
	}
}
/* Until a check of what is shown holds; its own words tell what does not. */
async function soon(check) {
	let wrong;
	await until("", here(() => check().then(() => true, (error) => { wrong = error; return false; }))).catch((error) => { throw wrong ?? error; });
}
const here = (condition) => Object.assign(condition, { inNode: true });

/* Requests for a family's series since `mark`, as URLs. */
const asked = (family, mark) => requests.slice(mark).map((one) => new URL(one)).filter((one) => one.pathname === "/api/v1/series" && one.searchParams.get("metric").split(",").some((metric) => metric.startsWith(`${family}.`)) && one.searchParams.get("points") !== "90");
const stretch = (question) => Number(question.searchParams.get("to")) - Number(question.searchParams.get("from"));

/* What a chart shows: its window (s), its rows, its legend. */
const shown = (family, where = page) => where.evaluate((name) => {
	const chart = window.chart(name), all = window.panel(name);
	return {
		window: chart.xAxisRange().map((one) => one / 1000),
		rows: Array.from({ length: chart.numRows() }, (_, row) => [chart.getValue(row, 0) / 1000, ...Array.from({ length: chart.numColumns() - 1 }, (_one, column) => chart.getValue(row, column + 1))]),
		legend: Object.fromEntries([...all.querySelectorAll(".legend li:not(.more)")].map((item) => [item.querySelector(".name").textContent, {
			value: item.querySelector(".value").textContent, spread: [...item.querySelectorAll(".spread span")].map((one) => one.textContent),
		}])),
	};
}, family);

/* "4.10 GB" of bytes -> 4.1e9. */
function number(text, unit) {
	if (text === "unknown") return null;
	const word = unit === "percent" ? "%" : unit.replace(/^bytes/, "B").replace(/^seconds/, "s");
	const [, figure, rest] = /^(?:min |avg |max )?(-?[\d.]+) ?(.*)$/.exec(text) ?? assert.fail(`no number: "${text}"`);
	assert(rest.endsWith(word), `"${text}" has not the unit ${word}`);
	const prefix = { "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, m: 1e-3, "µ": 1e-6, n: 1e-9 }[rest.slice(0, rest.length - word.length).trim()];
	assert(prefix, `"${text}" has a strange prefix`);
	return Number(figure) * prefix;
}

/* As exact as three digits are, or the tenth of a percent. */
function same(text, value, unit, what) {
	const read = number(text, unit);
	if (value === null || value === undefined) return assert.equal(read, null, `${what}: "${text}", and it is unknown`);
	assert(read !== null && Math.abs(read - value) <= Math.max(unit === "percent" ? 0.0501 : 1e-9, 0.0051 * Math.abs(value)), `${what}: "${text}", and it is ${value}`);
}

/* The row of a series that is nearest to a time, as the page would find it: [time, min, avg, max]. */
function nearest(series, time) {
	const rows = series.avg.map((value, i) => [series.start + i * series.step, series.min[i], value, series.max[i]]);
	return rows.reduce((best, row) => Math.abs(row[0] - time) < Math.abs(best[0] - time) ? row : best);
}

/* The window moves at once, its rows come later. */
const drawn = (family, from, to, where = page) => until(`${family} is drawn from ${from} to ${to}`, ([name, begin, end]) => {
	const chart = window.chart(name), count = chart?.numRows() ?? 0;
	if (count < 3) return false;
	const [left, right] = chart.xAxisRange(), time = (row) => chart.getValue(row, 0) / 1000, step = time(1) - time(0);
	return Math.abs(left / 1000 - begin) < 2 && Math.abs(right / 1000 - end) < 2 && Math.abs(time(0) - begin) < 2 * step + 2 && Math.abs(time(count - 1) - end) < 2 * step + 12;
}, [family, from, to], where);

const view = async (hash) => { const mark = requests.length; await page.evaluate((to) => { location.hash = to; }, hash); return mark; };
/* The last five minutes: rows of a second, in which a hole of some seconds shows. */
const live = async () => { await view("#range=300"); await until("five minutes", () => { const [from, to] = window.chart("wave").xAxisRange(); return Math.abs(to - from - 300000) < 2000 && window.chart("wave").numRows() > 200; }); };
const box = (family) => page.evaluate((name) => { const plot = window.panel(name).querySelector(".plot"); plot.scrollIntoView({ block: "center" }); const { x, y, width, height } = plot.getBoundingClientRect(); return { x, y, width, height }; }, family);
const text = (selector) => page.locator(selector).textContent();

let page = await open();
const began = Math.floor(Date.now() / 1000);
/* A past in which nothing moves, of the finest tier. */
const PAST = { from: began - 300, to: began - 20 };
const past = `#from=${PAST.from}&to=${PAST.to}`;

/* --- the first picture ----------------------------------------------------------------------------------------------- */

await test("a chart for each family", async () => {
	const { families } = await get("/api/v1/metrics");
	await until("all charts", (names) => names.every((name) => window.chart(name)), families.map((one) => one.name));
	for (const family of families) assert.equal(await page.evaluate((name) => window.panel(name).querySelector(".help").textContent, family.name), family.help);
	console.log(`# first chart after ${Math.round(await page.evaluate(() => window.firstChart))} ms`);
});

await test("tabs choose among units; where there is one, it stands there", async () => {
	const { families } = await get("/api/v1/metrics");
	const tabs = (name) => page.evaluate((one) => [...window.panel(one).querySelectorAll(".tabs > *")].map((all) => [all.localName, all.textContent]), name);
	assert.deepEqual(await tabs("disk.io"), [["button", "bytes/s"], ["button", "count/s"], ["button", "seconds/s"]]);
	assert.deepEqual(await tabs("wave"), [["span", "hPa"]]);
	assert.deepEqual(await tabs("steady"), [["span", "bytes/s"]]);
	for (const { name } of families) assert((await tabs(name)).length, name);
});

await test("live points arrive without another question for the past", async () => {
	const mark = requests.length, before = await until("rows", () => window.chart("wave").numRows());
	const { rows } = await until("three more rows", here(async () => { const one = await shown("wave"); return one.rows.length >= before + 3 && one; }));
	assert.deepEqual(asked("wave", mark), []);
	const { series: [series] } = await get("/api/v1/series?metric=wave.level&from=-10s");
	for (const [time, [, value]] of rows.slice(-3)) assert(Math.abs(nearest(series, time)[2] - value) < 0.5, `${value} at ${time}`);
});

await test("a steady counter is a steady rate", async () => {
	const mark = (await shown("steady")).rows.length;
	const { rows } = await until("two more rows", here(async () => { const one = await shown("steady"); return one.rows.length >= mark + 2 && one; }));
	for (const [, cell] of rows.slice(-2)) assert(Math.abs(cell[1] - 1000) < 200, `${cell[1]} a second`);
});

/* --- a machine that stands still ------------------------------------------------------------------------------------- */

await test("the button stops sampling", async () => {
	assert.match(await text("#state"), /^sampling/);
	assert.equal(await text("#switch"), "Stop");
	await page.click("#switch");
	await until("the state", () => /^stopped/.test(document.getElementById("state").textContent) && document.getElementById("switch").textContent === "Start");
	assert.equal((await get("/api/v1/latest")).state, "stopped");
});

await test("tiles show what /api/v1/latest says", async () => {
	const [latest, { families }] = await Promise.all([get("/api/v1/latest"), get("/api/v1/metrics")]);
	const tiles = { CPU: ["cpu", "usage"], Memory: ["memory.vm", "percent"], Swap: ["memory.swap", "percent"], "Fullest disk": ["disk.space", "used_percent"] };
	for (const [title, [family, field]] of Object.entries(tiles)) {
		const place = families.find((one) => one.name === family).fields.findIndex((one) => one.name === field);
		const all = Object.values(latest.families[family].instances).map((values) => values[place]).filter((value) => value !== null);
		await soon(async () => {
			const value = await page.evaluate((name) => [...document.querySelectorAll(".tile")].find((one) => one.querySelector("h3").textContent === name).querySelector(".value").textContent, title);
			same(value, all.length ? Math.max(...all) : null, "percent", title);
		});
	}
});

await test("legends show what /api/v1/latest says", async () => {
	const [latest, { families }] = await Promise.all([get("/api/v1/latest"), get("/api/v1/metrics")]);
	const heads = { cpu: "usage", "memory.vm": "percent", wave: "level", "cpu.core": "usage", hostile: "a", crowd: "a" };
	let lines;
	/* A live window is drawn anew when it has moved by a pixel. */
	await soon(async () => {
		lines = 0;
		for (const [name, field] of Object.entries(heads)) {
			const family = families.find((one) => one.name === name), place = family.fields.findIndex((one) => one.name === field);
			for (const [label, { value }] of Object.entries((await shown(name)).legend)) {
				const values = latest.families[name].instances[family.instance ? label : ""];
				assert(values, `${name} has no instance ${label}`);
				same(value, values[place], family.fields[place].unit, `${name} ${label}`);
				lines++;
			}
		}
	});
	assert(lines > 30, `${lines} lines`);
});

await test("tables show aggregates and plugins", async () => {
	const row = (id, name) => page.evaluate(([table, first]) => [...document.querySelectorAll(`#${table} tbody tr`)].map((one) => [...one.cells].map((cell) => cell.textContent)).find((cells) => cells[0] === first), [id, name]);
	const { aggregates } = await get("/api/v1/aggregates");
	for (const one of aggregates) assert(await row("aggregates", one.name), one.name);
	await soon(async () => same((await row("aggregates", "calm"))[1], aggregates.find((one) => one.name === "calm").value, "hPa", "calm"));
	for (const { name, interval } of (await get("/health")).families) assert.equal((await row("health", name))[2], `${interval} s`);
});

/* --- hostile names --------------------------------------------------------------------------------------------------- */

await test("names are shown as they are, and do nothing", async () => {
	const { families } = await get("/api/v1/metrics");
	const { legend } = await shown("hostile");
	assert.deepEqual(Object.keys(legend).sort(), families.find((one) => one.name === "hostile").instances.map((one) => one.name).sort());
	assert(Object.keys((await shown("crowd")).legend).includes("<img src=y onerror=alert(5)>"));
	assert.equal(await page.locator("img, iframe, b, i, main script, [onerror], [onmouseover]").count(), 0);
	assert.deepEqual(dialogs, []);
});

await test("more lines than can be told apart are counted", async () => {
	assert.equal(Object.keys((await shown("crowd")).legend).length, 24);
	assert.equal(await page.evaluate(() => window.panel("crowd").querySelector(".more").textContent), "and 7 more, not drawn");
});

/* --- the past -------------------------------------------------------------------------------------------------------- */

/* How many of the points (values that the agent tells) have the line's colour where they should be drawn. */
const struck = (family, points, colour, height = 3) => page.evaluate(([name, all, variable, reach]) => {
	const chart = window.chart(name), context = window.ink(name), want = window.rgb(variable);
	return all.filter(([time, value]) => {
		const x = Math.round(chart.toDomXCoord(time * 1000)), y = Math.round(chart.toDomYCoord(value));
		const { data } = context.getImageData(x - 1, y - reach, 3, 2 * reach + 1);
		for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 90 && want.every((part, at) => Math.abs(part - data[i + at]) < 60)) return true;
		return false;
	}).length;
}, [family, points, colour, height]);

await test("a chart is drawn where its values are", async () => {
	const mark = await view(past);
	await drawn("wave", PAST.from, PAST.to);
	const question = asked("wave", mark).at(-1), { series: [series] } = await get(question.pathname + question.search);
	const points = series.avg.map((value, i) => [series.start + i * series.step, value]).filter(([, value], i) => value !== null && series.avg[i - 1] !== null && series.avg[i + 1] !== null).slice(1, -1);
	assert(points.length > 50, `${points.length} points`);
	const count = await struck("wave", points, "--c0");
	assert(count > 0.97 * points.length, `${count} of ${points.length} points`);
	assert.equal(await struck("wave", points.map(([time]) => [time, 5]), "--c0"), 0, "and nowhere else");
});

await test("legends tell least, mean and most of what is shown", async () => {
	const { legend: { level: { spread } } } = await shown("wave");
	const { series: [series] } = await get(`/api/v1/series?metric=wave.level&from=${PAST.from}&to=${PAST.to}&points=2000`);
	const known = series.avg.filter((value, i) => value !== null && series.start + i * series.step <= PAST.to);
	assert.deepEqual(spread.map((one) => one.split(" ")[0]), ["min", "avg", "max"]);
	[Math.min(...known), known.reduce((sum, one) => sum + one, 0) / known.length, Math.max(...known)].forEach((value, at) => same(spread[at], value, "hPa", spread[at]));
});

await test("the cursor shows the same moment in all charts", async () => {
	const plot = await box("cpu"), { families } = await get("/api/v1/metrics");
	const { series: [wave] } = await get(`/api/v1/series?metric=wave.level&from=${PAST.from}&to=${PAST.to}&points=2000`);
	const times = wave.avg.flatMap((value, i) => value === null ? [] : [wave.start + i * wave.step]);
	const values = [];
	for (const time of [times[10], times.at(-10)]) {
		await page.mouse.move(plot.x + await page.evaluate((at) => window.chart("cpu").toDomXCoord(at * 1000), time), plot.y + plot.height / 2);
		const word = await until("the moment", () => document.getElementById("moment").textContent);
		const moment = Date.parse(`${word.replace(" ", "T")}+05:30`) / 1000;
		assert(moment > PAST.from && moment < PAST.to, word);
		for (const [name, field] of [["wave", "level"], ["cpu", "usage"], ["memory.vm", "percent"]]) {
			const { series: [series] } = await get(`/api/v1/series?metric=${name}.${field}&from=${PAST.from}&to=${PAST.to}&points=2000`);
			const { unit } = families.find((one) => one.name === name).fields.find((one) => one.name === field);
			const { value } = (await shown(name)).legend[field];
			/* The moment is told in whole seconds. */
			const near = [0, 1].map((more) => nearest(series, moment + more)[2]);
			assert(near.some((one) => { try { return same(value, one, unit, name), true; } catch { return false; } }), `${name} at ${moment}: "${value}" and not ${near}`);
			values.push(value);
		}
		assert.equal(await page.evaluate(() => new Set([...document.querySelectorAll(".cursor")].filter((one) => one.checkVisibility()).map((one) => one.closest(".panel"))).size), await page.locator(".panel").count());
	}
	assert.notEqual(values[0], values[3], "the cursor has moved");
	await page.mouse.move(2, 2);
	await until("no cursor", () => document.getElementById("moment").textContent === "" && ![...document.querySelectorAll(".cursor")].some((one) => one.checkVisibility()));
});

await test("coarse rows are drawn with the band from least to most", async () => {
	const from = began - 18000, to = began - 7200, mark = await view(`#from=${from}&to=${to}`);
	await drawn("wave", from, to);
	const question = asked("wave", mark).at(-1), { series: [series] } = await get(question.pathname + question.search);
	assert(series.step >= 60);
	const points = series.avg.map((value, i) => [series.start + i * series.step, value, series.max[i]]).filter(([, value], i) => value !== null && i > 0 && i < series.avg.length - 1 && series.avg[i - 1] !== null && series.avg[i + 1] !== null);
	assert(await struck("wave", points, "--c0", 2) > 0.95 * points.length, "the mean");
	const rows = (await shown("wave")).rows.filter(([, cell]) => cell[1] !== null);
	assert(rows.length >= points.length);
	for (const [time, cell] of rows) {
		const [, ...want] = nearest(series, time);
		assert.deepEqual(cell, want, `at ${time}`);
	}
	const band = await page.evaluate((all) => {
		const chart = window.chart("wave"), context = window.ink("wave");
		return all.filter(([time, mean, most]) => {
			const [, , , alpha] = context.getImageData(Math.round(chart.toDomXCoord(time * 1000)), Math.round(chart.toDomYCoord(mean + 0.7 * (most - mean))), 1, 1).data;
			return alpha > 20;
		}).length;
	}, points.filter(([, mean, most]) => most - mean > 2));
	assert(band > 20, `${band} pixels of the band`);
});

/* --- a hole ---------------------------------------------------------------------------------------------------------- */

await test("the button starts it again", async () => {
	/* One or two samples that are missing are made up for by the next one: see heartbeat in README.md. */
	await until("a hole", here(async () => Date.now() / 1000 - (await get("/api/v1/latest")).time > 5));
	await live();
	await page.click("#switch");
	await until("the state", () => /^sampling/.test(document.getElementById("state").textContent) && document.getElementById("switch").textContent === "Stop");
	assert.equal((await get("/api/v1/latest")).state, "running");
});

let hole; /* what has stopped left in the files */
await test("the hole shows in the live chart, with its reason", async () => {
	({ gaps: [hole] } = await until("the gap", here(async () => { const all = await get("/api/v1/gaps?metric=wave&from=-1m"); return all.gaps.some((one) => one.reason === "stopped") && { gaps: all.gaps.filter((one) => one.reason === "stopped") }; })));
	const middle = 1000 * (hole.from + hole.to) / 2;
	await until("unknown rows in it", ([from, to]) => {
		const chart = window.chart("wave");
		for (let row = 0; row < chart.numRows(); row++) {
			const time = chart.getValue(row, 0) / 1000;
			if (time > from && time < to && chart.getValue(row, 1)[1] === null) return true;
		}
		return false;
	}, [hole.from, hole.to]);
	const plot = await box("wave");
	const left = await page.evaluate((time) => window.chart("wave").toDomXCoord(time), middle);
	await page.mouse.move(plot.x + left, plot.y + plot.height / 2);
	await until("the reason", (words) => { const note = window.panel("wave").querySelector(".note"); return note.checkVisibility() && note.textContent === words; }, hole.words);
	await page.mouse.move(2, 2);
	await until("no reason", () => !window.panel("wave").querySelector(".note").checkVisibility());
});

await test("gaps are shaded", async () => {
	const { gaps } = await get("/api/v1/gaps?metric=wave&from=-1h");
	await view(`#from=${Math.floor(hole.from) - 30}&to=${Math.ceil(hole.to) + 5}`);
	await drawn("wave", Math.floor(hole.from) - 30, Math.ceil(hole.to) + 5);
	assert(gaps.length > 0);
	const share = await until("the shade", ([from, to]) => {
		const chart = window.chart("wave"), area = chart.getArea(), context = window.ink("wave"), want = window.rgb("--shade");
		const shaded = (time) => {
			const { data } = context.getImageData(Math.round(chart.toDomXCoord(time * 1000)), area.y, 1, area.h);
			let count = 0;
			for (let i = 0; i < data.length; i += 4) count += data[i + 3] > 200 && want.every((part, at) => Math.abs(part - data[i + at]) < 4);
			return count / area.h;
		};
		const inside = shaded((from + to) / 2);
		return inside > 0.5 && { inside, outside: shaded(to + 2) };
	}, [hole.from, hole.to]);
	assert(share.inside > 0.8 && share.outside < 0.2, JSON.stringify(share));
});

await test("a gap of a hair tells its reason, too", async () => {
	await page.click('#ranges button[data-range="86400"]');
	await until("a day", () => { const [from, to] = window.chart("wave").xAxisRange(); return Math.abs(to - from - 86400000) < 2000; });
	const plot = await box("wave"), { gaps } = await get("/api/v1/gaps?metric=wave");
	const left = await page.evaluate((time) => window.chart("wave").toDomXCoord(time), 500 * (hole.from + hole.to));
	for (const beside of [-1.5, 1.5]) {
		await page.mouse.move(plot.x + left + beside, plot.y + plot.height / 2);
		const note = await until("a reason", () => { const one = window.panel("wave").querySelector(".note"); return one.checkVisibility() && one.textContent; });
		assert(gaps.some(({ words }) => words === note), note);
	}
	await page.mouse.move(plot.x + left - 200, plot.y + plot.height / 2);
	await until("no reason", () => !window.panel("wave").querySelector(".note").checkVisibility());
	await page.mouse.move(2, 2);
});

await test("every chart is there as a picture, as a command, and as numbers", async () => {
	const links = await page.evaluate(() => [...document.querySelectorAll(".panel .links a")].map((one) => [one.textContent, one.getAttribute("href")]));
	assert.equal(links.length, 3 * await page.locator(".panel").count());
	const types = { PNG: /^image\/png$/, rrdtool: /^text\/plain/, CSV: /^text\/csv/ };
	for (const [word, href] of links) {
		if (href.includes("crowd") || href.includes("hostile")) continue; /* they take a while: one file after the other */
		const { status, headers, body } = await raw(href);
		assert.equal(status, 200, `${href}: ${body.subarray(0, 200)}`);
		assert.match(headers["content-type"], types[word], href);
	}
});

/* --- where one is, and goes ------------------------------------------------------------------------------------------ */

await test("range buttons load each", async () => {
	let before = 0, first = 0;
	for (const range of [900, 3600, 21600, 86400, 604800, 2592000, 31536000]) {
		const mark = requests.length;
		await page.click(`#ranges button[data-range="${range}"]`);
		const [question] = await until(`a question for ${range} s`, here(() => asked("wave", mark).length && asked("wave", mark)));
		assert(Math.abs(stretch(question) - range) <= 2, `${stretch(question)} s of ${range}`);
		const { series: [{ step }] } = await get(question.pathname + question.search);
		assert(step >= before && (range < 31536000 || step > 100 * first), `step ${step} after ${before}`);
		first ||= step;
		before = step;
		await until("the chart", (length) => { const [from, to] = window.chart("wave").xAxisRange(); return Math.abs(to - from - 1000 * length) < 2000; }, range);
		assert.equal(await page.evaluate(() => location.hash), `#range=${range}`);
		assert.equal(await page.evaluate(() => [...document.querySelectorAll("#ranges [aria-pressed=true]")].map((one) => one.dataset.range).join()), String(range));
	}
});

await test("a year has all that is known, also the row that is not whole yet", async () => {
	const mark = requests.length;
	await page.click('#ranges button[data-range="31536000"]');
	const [question] = await until("a question for a year", here(() => asked("wave", mark).length && asked("wave", mark)));
	const { to, series: [series] } = await get(question.pathname + question.search);
	const known = series.avg.map((value, i) => [series.start + i * series.step, series.min[i], value, series.max[i]]).filter(([, , value]) => value !== null);
	assert(known.length > 0 && known.at(-1)[0] > to, "the test's past ends in such a row");
	/* Of one sample, least and most are the same. */
	await soon(async () => {
		const rows = (await shown("wave")).rows.filter(([, cell]) => cell[1] !== null && cell[0] !== cell[2]);
		assert.deepEqual(rows.map(([, cell]) => cell), known.map(([, ...cell]) => cell));
		assert(rows.at(-1)[0] <= Date.now() / 1000, "nothing is later than now");
	});
});

/* Charts of a week are drawn anew every ten seconds, with what is asked for then. */
await test("under a live chart stands what is now, in every range", async () => {
	await page.click('#ranges button[data-range="604800"]');
	await until("a week", () => { const [from, to] = window.chart("wave").xAxisRange(); return Math.abs(to - from - 604800000) < 2000; });
	/* What only rises shows what is late: the value, or the most that there was. */
	const seen = new Set(), begin = Date.now();
	while (Date.now() - begin < 8000 && seen.size < 5) {
		const { value, spread } = (await shown("climb")).legend.height;
		assert(number(value, "steps") <= number(spread[2], "steps"), `${value}, and ${spread[2]}`);
		seen.add(value);
		await new Promise((done) => setTimeout(done, 20));
	}
	assert(seen.size >= 5, `within eight seconds only ${[...seen].join(", ")}`);
});

await test("dragging loads finer rows, Esc goes back", async () => {
	await page.click('#ranges button[data-range="21600"]');
	await until("six hours", () => { const [from, to] = window.chart("wave").xAxisRange(); return Math.abs(to - from - 21600000) < 2000; });
	let mark = requests.length;
	const plot = await box("wave"), area = await page.evaluate(() => window.chart("wave").getArea());
	await page.mouse.move(plot.x + area.x + area.w * 0.94, plot.y + plot.height / 2);
	await page.mouse.down();
	await page.mouse.move(plot.x + area.x + area.w * 0.98, plot.y + plot.height / 2, { steps: 5 });
	await page.mouse.up();
	const [finer] = await until("finer rows", here(() => asked("wave", mark).length && asked("wave", mark)));
	assert(Math.abs(stretch(finer) - 0.04 * 21600) < 60, `${stretch(finer)} s`);
	assert(Math.abs(Number(finer.searchParams.get("to")) - (Date.now() / 1000 - 0.02 * 21600)) < 60);
	const coarse = await get("/api/v1/series?metric=wave.level&from=-6h&points=500"), fine = await get(finer.pathname + finer.search);
	assert(fine.series[0].step < coarse.series[0].step && fine.series[0].tier < coarse.series[0].tier);
	await drawn("wave", Number(finer.searchParams.get("from")), Number(finer.searchParams.get("to")));
	const { rows } = await shown("wave");
	assert.equal(Math.round(rows[1][0] - rows[0][0]), fine.series[0].step);
	mark = requests.length;
	await page.keyboard.press("Escape");
	const [back] = await until("the way back", here(() => asked("wave", mark).length && asked("wave", mark)));
	assert(Math.abs(stretch(back) - 21600) <= 2);
	assert.equal(await page.evaluate(() => location.hash), "#range=21600");
});

await test("a link shows what it was made from", async () => {
	await view(past);
	await drawn("wave", PAST.from, PAST.to);
	await page.reload();
	await drawn("wave", PAST.from, PAST.to);
	const second = await open({}, past);
	await drawn("wave", PAST.from, PAST.to, second);
	assert.equal(await second.locator("#shown").textContent(), await text("#shown"));
	await second.context().close();
	await page.click("#closer");
	const hash = await page.evaluate(() => location.hash), [from, to] = hash.match(/\d+/g).map(Number);
	assert(Math.abs(to - from - (PAST.to - PAST.from) / 2) <= 2, hash);
	await page.reload();
	await drawn("wave", from, to);
});

await test("buttons and Shift with arrows pan", async () => {
	await view(past);
	await drawn("wave", PAST.from, PAST.to);
	const half = (PAST.to - PAST.from) / 2;
	let { from, to } = PAST;
	for (const [act, by] of [[() => page.click("#earlier"), -half], [() => page.keyboard.press("Shift+ArrowLeft"), -half], [() => page.click("#later"), half], [() => page.keyboard.press("Shift+ArrowRight"), half]]) {
		from += by, to += by;
		const mark = requests.length;
		await act();
		await drawn("wave", from, to);
		assert.equal(Number(asked("wave", mark)[0].searchParams.get("from")), from);
	}
	await page.click("#farther");
	/* Half of what came is later than now: the window ends now. */
	const wide = await until("twice the window", ([length]) => { const found = location.hash.match(/\d+/g).map(Number); return found[1] - found[0] >= length - 2 && found; }, [4 * half]);
	assert(Math.abs(wide[1] - wide[0] - 4 * half) <= 2 && wide[1] <= Date.now() / 1000 + 1, String(wide));
	await drawn("wave", ...wide);
	await page.click("#back");
	await drawn("wave", PAST.from, PAST.to);
	await page.click('#ranges button[data-range="900"]');
	await page.click("#later");
	assert.equal(await page.evaluate(() => location.hash), "#range=900", "nothing is later than now");
});

/* --- by keyboard ----------------------------------------------------------------------------------------------------- */

await test("Tab reaches all there is, visibly", async () => {
	await view(past);
	await drawn("crowd", PAST.from, PAST.to);
	await page.evaluate(() => { document.activeElement.blur(); getSelection().removeAllRanges(); window.scrollTo(0, 0); });
	const all = await page.evaluate(() => {
		const found = [...document.querySelectorAll("a[href], button:not(:disabled), [tabindex='0']")].filter((one) => one.checkVisibility());
		found.forEach((one, at) => { one.dataset.place = at; });
		return found.length;
	});
	const seen = [];
	await page.locator("body").press("Tab");
	for (let i = 0; i <= all; i++) {
		const one = await page.evaluate(() => { const style = getComputedStyle(document.activeElement); return { place: Number(document.activeElement.dataset.place), outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1, name: document.activeElement.getAttribute("aria-label") || document.activeElement.textContent }; });
		if (Number.isNaN(one.place)) { await page.keyboard.press("Tab"); continue; } /* the page itself, between the last and the first */
		assert(one.outline, `no outline at ${one.name}`);
		assert(one.name.trim(), `no name at ${one.place}`);
		seen.push(one.place);
		await page.keyboard.press("Tab");
	}
	seen.splice(0, seen.length, ...seen.slice(seen.indexOf(0)), ...seen.slice(0, seen.indexOf(0)));
	assert.deepEqual(seen, [...Array(all).keys()], "in the order in which they stand");
});

await test("arrows move the cursor, + and - zoom, Esc goes back", async () => {
	await page.evaluate(() => window.panel("wave").querySelector(".plot").focus());
	await page.keyboard.press("ArrowLeft");
	const first = await text("#moment");
	await page.keyboard.press("ArrowLeft");
	const second = await text("#moment");
	assert.equal(Date.parse(first) - Date.parse(second), 1000, `${second}, ${first}`);
	await page.keyboard.press("ArrowRight");
	assert.equal(await text("#moment"), first);
	const { value } = (await shown("wave")).legend.level;
	assert.equal(await text("#said"), `${first}, level ${value}`, "and it is said");
	for (const [key, factor] of [["+", 0.5], ["-", 1], ["Escape", 0.5], ["Escape", 1]]) {
		await page.keyboard.press(key);
		await until(`the window after ${key}`, ([length]) => { const [from, to] = window.chart("wave").xAxisRange(); return Math.abs((to - from) / 1000 - length) < 2; }, [factor * (PAST.to - PAST.from)]);
	}
});

await test("ranges, tabs and buttons obey keys", async () => {
	await page.focus('#ranges button[data-range="3600"]');
	await page.keyboard.press("Enter");
	await until("an hour", () => location.hash === "#range=3600" && document.activeElement.dataset.range === "3600");
	const mark = requests.length;
	await page.evaluate(() => window.panel("cpu").querySelectorAll(".tabs button")[1].focus());
	await page.keyboard.press("Space");
	await until("the other fields", here(() => asked("cpu", mark).some((one) => !one.searchParams.get("metric").includes("cpu.usage"))));
	assert(await page.evaluate(() => document.activeElement === window.panel("cpu").querySelectorAll(".tabs button")[1] && document.activeElement.getAttribute("aria-pressed") === "true"));
	await until("its legend", () => window.panel("cpu").querySelectorAll(".legend li").length > 3);
});

await test("the focus stays when charts are read anew", async () => {
	await page.evaluate(() => window.panel("wave").querySelector(".links a").focus());
	const mark = requests.length;
	await page.keyboard.press("+");
	await until("other rows", here(() => asked("wave", mark).length));
	assert(await page.evaluate(() => document.activeElement === window.panel("wave").querySelector(".links a")));
	await page.click('#ranges button[data-range="900"]');
});

/* --- what changes in the agent ----------------------------------------------------------------------------------------- */

const ADDED = 'collector "added" { interval = "1s", help = "came later", metrics = { depth = { kind = "gauge", unit = "fathoms" } }, sample = function() return { depth = 7 } end }\n';

await test("a collector that is added appears by itself, with unit and help", async () => {
	await page.evaluate(() => window.panel("wave").querySelector(".plot").focus());
	save(configuration + ADDED);
	await until("its chart", () => window.chart("added"));
	assert.equal(await page.evaluate(() => window.panel("added").querySelector(".help").textContent), "came later");
	await until("its values", () => /^7 fathoms$/.test(window.panel("added").querySelector(".legend .value").textContent));
	assert(await page.evaluate(() => document.activeElement === window.panel("wave").querySelector(".plot")), "the focus stays");
});

await test("one that is removed goes", async () => {
	save(configuration);
	await until("its end", () => !window.panel("added") && window.panel("wave"));
});

await test("a mistake in the configuration is told", async () => {
	save(`${configuration}plugin "cpuu" {}\n`);
	await until("the mistake", () => { const trouble = document.getElementById("trouble"); return trouble.checkVisibility() && trouble.textContent.includes('"cpuu"'); });
});

/* --- light and dark, wide and narrow: while the agent is asked again for its health ----------------------------------- */

save(configuration);
mkdirSync(output, { recursive: true });

const audit = async (where) => {
	const session = await where.context().newCDPSession(where);
	await session.send("Runtime.evaluate", { expression: axe });
	const { result } = await session.send("Runtime.evaluate", { expression: "axe.run(document, { resultTypes: ['violations'] }).then((all) => JSON.stringify(all.violations.map((one) => [one.impact, one.id, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200) + ' ' + node.failureSummary)])))", awaitPromise: true, returnByValue: true });
	return JSON.parse(result.value);
};

for (const [name, options] of [["light", {}], ["dark", { colorScheme: "dark" }], ["narrow", { viewport: { width: 360, height: 740 } }], ["dark narrow", { colorScheme: "dark", viewport: { width: 360, height: 740 } }]]) {
	const one = await open(options);
	await test(`${name}: as the system wants it`, async () => {
		await until("all charts", (count) => document.querySelectorAll(".panel").length >= count && [...document.querySelectorAll(".plot")].every((plot) => plot.chart) && document.querySelector("#health tbody tr"), 6, one);
		const ground = await one.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
		assert(ground.every((part) => options.colorScheme ? part < 64 : part > 192), String(ground));
	});
	await test(`${name}: nothing serious says axe`, async () => {
		const serious = (await audit(one)).filter(([impact]) => impact === "serious" || impact === "critical");
		assert.deepEqual(serious, []);
	});
	await test(`${name}: no scrolling aside`, async () => {
		assert(await one.evaluate(() => document.scrollingElement.scrollWidth <= document.documentElement.clientWidth));
	});
	await test(`${name}: a picture of it, with sparklines`, async () => {
		await until("sparklines", () => [...document.querySelectorAll(".tile polyline")].every((line) => line.hasAttribute("points")), undefined, one);
		await one.screenshot({ path: `${output}${name.replace(" ", "-")}.png`, fullPage: true });
	});
	if (name === "dark") {
		const theme = () => one.evaluate(() => document.documentElement.dataset.theme);
		await test("the theme that is chosen stays", async () => {
			assert.equal(await theme(), "dark");
			await one.click("#theme");
			assert.equal(await theme(), "light");
			await one.reload();
			assert.equal(await theme(), "light");
		});
	}
	if (name === "light") {
		await test("the theme goes with the system's", async () => {
			await one.emulateMedia({ colorScheme: "dark" });
			await until("dark", () => document.documentElement.dataset.theme === "dark", undefined, one);
		});
	}
	await one.context().close();
}

await test("the mistake goes when the file is right", async () => {
	await until("no trouble", () => !document.getElementById("trouble").textContent.includes("cpuu"));
});

/* --- what is sent ------------------------------------------------------------------------------------------------------ */

await test("headers say what a browser may do", async () => {
	const { status, headers } = await raw("/");
	assert.equal(status, 200);
	const policy = Object.fromEntries(headers["content-security-policy"].split(";").map((one) => { const [name, ...rest] = one.trim().split(" "); return [name, rest.join(" ")]; }));
	assert.deepEqual(policy, { "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:", "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'" });
	assert.equal(headers["x-content-type-options"], "nosniff");
	assert.equal(headers["referrer-policy"], "same-origin");
	assert.equal(headers["content-type"], "text/html; charset=utf-8");
});

await test("assets: packed and plain are equal, 304 where nothing is new, and small", async () => {
	const own = new Set(requests.map((one) => new URL(one)).filter((one) => one.href.startsWith(url)).map((one) => one.pathname).filter((path) => path === "/" || path.startsWith("/assets/")));
	let size = 0;
	assert(own.size >= 6, [...own].join(" "));
	for (const path of own) {
		const packed = await raw(path, { "Accept-Encoding": "gzip, deflate, br" }), plain = await raw(path);
		assert.equal(packed.headers["content-encoding"], "gzip", path);
		assert.equal(plain.headers["content-encoding"], undefined, path);
		assert(gunzipSync(packed.body).equals(plain.body), path);
		assert.match(packed.headers.etag, /^"[0-9a-f]{16}"$/);
		const again = await raw(path, { "If-None-Match": packed.headers.etag });
		assert.equal(again.status, 304, path);
		assert.equal(again.body.length, 0);
		assert.equal((await raw(path, { "If-None-Match": '"0"' })).status, 200);
		size += packed.body.length;
	}
	console.log(`# ${size} bytes, gzipped`);
	assert(size < 100000, `${size} bytes`);
	assert.equal((await raw("/assets/nothing.js")).status, 404);
	assert.equal((await raw("/assets/../../etc/passwd")).status, 404);
});

/* --- without the agent --------------------------------------------------------------------------------------------------- */

await test("one that hangs is told, and that it goes on", async () => {
	process.kill(Number(process.env.AGENT), "SIGSTOP");
	try {
		await until("the words", () => /does not answer/.test(document.getElementById("state").textContent));
	} finally {
		process.kill(Number(process.env.AGENT), "SIGCONT");
	}
	await until("the state", () => /^sampling/.test(document.getElementById("state").textContent) && !document.getElementById("switch").disabled);
});

await test("the agent's death is told", async () => {
	await live();
	lost = true;
	process.kill(Number(process.env.AGENT), "SIGKILL");
	await until("the words", () => /does not answer/.test(document.getElementById("state").textContent) && document.getElementById("switch").disabled);
});

let successor;
await test("… and that it is back", async () => {
	const before = (await shown("wave")).rows.at(-1)[0];
	await until("a hole", here(() => Date.now() / 1000 > before + 6));
	writeFileSync(`${work}/pindrop.lua`, configuration.replace(/listen = "[^"]*"/, `listen = "${new URL(url).host}"`));
	const log = openSync(`${work}/log`, "a");
	successor = spawn(process.env.PINDROP, ["-c", `${work}/pindrop.lua`], { stdio: ["ignore", log, log] });
	writeFileSync(`${work}/successor`, String(successor.pid));
	await until("the state", () => /^sampling/.test(document.getElementById("state").textContent) && !document.getElementById("switch").disabled);
	lost = false;
	await until("points", (time) => { const chart = window.chart("wave"); return chart.getValue(chart.numRows() - 1, 0) / 1000 > time; }, before);
	await until("the gap", here(async () => (await get("/api/v1/gaps?metric=wave&from=-1m")).gaps.some((one) => one.reason === "agent_down")));
	await until("unknown rows where it was away", (time) => {
		const chart = window.chart("wave");
		for (let row = 0; row < chart.numRows(); row++)
			if (chart.getValue(row, 0) / 1000 > time && chart.getValue(row, 1)[1] === null) return true;
		return false;
	}, before);
});

/* --- all along ------------------------------------------------------------------------------------------------------------ */

await test("nothing was asked of others", async () => {
	assert(requests.length > 100);
	assert.deepEqual(requests.filter((one) => !one.startsWith(`${url}/`) && !one.startsWith("data:")), []);
});
await test("no dialog, no complaint in the console", async () => {
	assert.deepEqual(dialogs, []);
	assert.deepEqual(complaints, []);
});

await browser.close();
if (successor) {
	const ended = new Promise((done) => successor.once("exit", done));
	successor.kill("SIGTERM");
	await test("the agent ends as asked", async () => assert.equal(await ended, 0));
	rmSync(`${work}/successor`);
}
process.exitCode = failures ? 1 : 0;
