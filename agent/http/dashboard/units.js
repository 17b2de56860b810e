/* units.js: numbers, spans and names for people. Pure. */

const PREFIXES = ["", "k", "M", "G", "T", "P"];
const LOW = ["", "m", "µ", "n"];

function digits(value) {
	const size = Math.abs(value);
	return value.toFixed(size >= 99.95 || size === 0 ? 0 : size >= 9.995 ? 1 : 2);
}

/* "4.10 GB", "12.3 k": powers of 1000, three digits. */
function prefixed(value, unit) {
	let place = 0, rest = value;
	while (Math.abs(rest) >= 999.5 && place < PREFIXES.length - 1) rest /= 1000, place++;
	const number = Number.isInteger(value) && place === 0 ? String(value) : digits(rest);
	return `${number} ${PREFIXES[place]}${unit}`.trim();
}

function small(value, unit) {
	let place = 0, rest = value;
	while (rest !== 0 && Math.abs(rest) < 0.0995 && place < LOW.length - 1) rest *= 1000, place++;
	return `${digits(rest)} ${LOW[place]}${unit}`;
}

/* What a field's value is called when it is shown: a counter is shown as a rate. */
export function unitOf(field) {
	return field.kind === "counter" ? `${field.unit}/s` : field.unit;
}

export function show(value, unit) {
	if (value === null || value === undefined || Number.isNaN(value)) return "unknown";
	if (unit === "percent") return `${value.toFixed(1)} %`;
	if (unit.startsWith("bytes")) return prefixed(value, `B${unit.slice(5)}`);
	if (unit.startsWith("seconds")) return small(value, `s${unit.slice(7)}`);
	return prefixed(Math.abs(value) < 1e6 && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value, unit.startsWith("/") ? unit : unit && ` ${unit}`).replace("  ", " ");
}

/* For an axis, whose unit stands above it. */
export function tick(value, unit) {
	if (unit === "percent") return `${value} %`;
	if (unit.startsWith("seconds")) return `${Number(value.toPrecision(3))}`;
	return prefixed(Number(value.toPrecision(4)), unit.startsWith("bytes") ? "B" : "");
}

const SPANS = [[31536000, "y"], [86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function span(seconds) {
	for (const [size, word] of SPANS)
		if (seconds >= size) return `${Number((seconds / size).toPrecision(3))} ${word}`;
	return `${Number((seconds * 1000).toPrecision(3))} ms`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" });

/* "2026-11-25 10:00:03", in the time zone of who looks. */
export function moment(milliseconds) {
	return `${day.format(milliseconds)} ${clock.format(milliseconds)}`;
}

/* The fields that are drawn together: first those that stand for the family, then the others of one kind and unit. */
export function groups(family) {
	const headline = family.fields.filter((field) => field.headline);
	const made = new Map([["headline", { unit: unitOf(headline[0]), fields: headline }]]);
	for (const field of family.fields) {
		if (field.headline) continue;
		const key = `${field.kind} ${field.unit}`;
		if (!made.has(key)) made.set(key, { unit: unitOf(field), fields: [] });
		made.get(key).fields.push(field);
	}
	return [...made.values()];
}

/* Numbers by their value, the rest by its letters. */
export const byName = new Intl.Collator("en", { numeric: true }).compare;
