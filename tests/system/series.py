"""The history of a file, and /api/v1/series beside rrdtool.

    series.py fill FILE SECONDS             a past of so many seconds up to now, a value each second, with gaps
    series.py compare URL METRIC FILE DS    random questions, whose answers must be those of rrdtool fetch and xport

What is compared is never the test's own idea of consolidation alone: the tier must be the one that `rrdtool fetch` takes for
the same stretch and resolution, each point is made of the rows that fetch shows, and is what `rrdtool xport` draws there.
"""
import json
import math
import random
import subprocess
import sys
import time
import urllib.parse
import urllib.request


def rrdtool(*words):
    return subprocess.run(("rrdtool",) + words, check=True, capture_output=True, text=True).stdout


def fill(path, seconds):
    """Each second its own value, so that a row in the wrong place shows; some are missing, also long stretches."""
    info = dict(line.split(" = ", 1) for line in rrdtool("info", path).splitlines())
    sources = sorted({key[3:key.index("]")] for key in info if key.startswith("ds[")},
                     key=lambda name: int(info[f"ds[{name}].index"]))
    now = int(time.time())
    create = ["create", path, "--step", info["step"], "--start", str(now - seconds - 1)]
    for name in sources:
        kind, beat, least = (info[f"ds[{name}].{key}"].strip('"') for key in ("type", "minimal_heartbeat", "min"))
        create.append(f"DS:{name}:{kind}:{beat}:{'U' if least == 'NaN' else 0}:U")
    for i in range(sum(key.endswith(".cf") for key in info)):
        create.append(f"RRA:{info[f'rra[{i}].cf'].strip(chr(34))}:0.5:{info[f'rra[{i}].pdp_per_row']}:{info[f'rra[{i}].rows']}")
    rrdtool(*create)
    chance, lines, quiet, total = random.Random(6), [], 0, 0
    for moment in range(now - seconds, now):
        quiet = chance.randint(5, 400) if chance.random() < 0.002 else quiet - 1
        total += chance.randint(0, 100)
        if quiet <= 0:
            level = 50 + 40 * math.sin(moment / 300) + chance.random()
            lines.append(":".join([str(moment)] + [f"{level:.9g}" if info[f"ds[{name}].type"] == '"GAUGE"' else str(total)
                                                   for name in sources]))
    for i in range(0, len(lines), 500):
        rrdtool("update", path, *lines[i:i + 500])


def fetch(path, source, kind, begin, end, step):
    """{time: value} of rrdtool's rows, and their spacing."""
    lines = rrdtool("fetch", path, kind, "-s", str(begin), "-e", str(end), "-r", str(step)).splitlines()
    column = lines[0].split().index(source) + 1
    rows = {int(line.split(":")[0]): float(line.split()[column]) for line in lines[2:] if ":" in line}
    times = sorted(rows)
    return rows, times[1] - times[0] if len(times) > 1 else None


def ask(url, **question):
    with urllib.request.urlopen(f"{url}/api/v1/series?{urllib.parse.urlencode(question)}", timeout=20) as answer:
        return json.load(answer)


def same(one, other):
    if one is None or math.isnan(other):
        return one is None and math.isnan(other)
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def expected(rows, begin, end, kind):
    known = [value for moment, value in rows.items() if begin < moment <= end and not math.isnan(value)]
    if not known:
        return math.nan
    return {"AVERAGE": sum(known) / len(known), "MIN": min(known), "MAX": max(known)}[kind]


def single(path, series):
    """Rows of the finest tier are single samples: there is their average only."""
    return series["tier"] == int(rrdtool("info", path).split("step = ")[1].split()[0])


def compare_points(path, source, series, now):
    wrong = []
    for key, kind in (("avg", "AVERAGE"), ("min", "MIN"), ("max", "MAX")):
        begin, step, last = series["start"] - series["step"], series["step"], series["start"] + (len(series["avg"]) - 1) * series["step"]
        taken = "AVERAGE" if single(path, series) else kind
        rows, spacing = fetch(path, source, taken, begin, last, series["tier"])
        if spacing not in (None, series["tier"]):
            wrong.append(f"fetch has rows of {spacing} s, not {series['tier']}")
        for i, value in enumerate(series[key]):
            moment = series["start"] + i * step
            # What came since is in the file, and was not in the answer.
            if moment < now and not same(value, expected(rows, moment - step, moment, kind)):
                wrong.append(f"{key} at {moment}: {value}, of rrdtool's rows {expected(rows, moment - step, moment, kind)}")
        drawn = json.loads(rrdtool("xport", "--json", "-s", str(begin), "-e", str(last), "--step", str(step), "-m", "100000",
                                   f"DEF:a={path}:{source}:{taken}:step={series['tier']}:reduce={kind}", "XPORT:a:a"))
        if drawn["meta"]["step"] == step:
            start = drawn["meta"]["start"]
            for i, (value,) in enumerate(drawn["data"]):
                place = (start + i * step - series["start"]) // step
                if 0 <= place < len(series[key]) and start + i * step < now and \
                        not same(series[key][place], math.nan if value is None else float(value)):
                    wrong.append(f"{key} at {start + i * step}: {series[key][place]}, rrdtool xport {value}")
        else:
            wrong.append(f"xport draws steps of {drawn['meta']['step']} s, not {step}")
    return wrong


def compare(url, metric, path, source):
    seed = int.from_bytes(__import__("os").urandom(4), "big")
    chance, wrong, tiers, reduced = random.Random(seed), [], set(), 0
    for _ in range(60):
        now = int(time.time())
        begin = now - int(math.exp(chance.uniform(math.log(5), math.log(40000))))
        end = now if chance.random() < 0.4 else begin + chance.randint(2, now - begin)
        points = chance.choice((2, 3, 10, 60, 500, 5000))
        series = ask(url, metric=metric, **{"from": begin, "to": end, "points": points})["series"][0]
        count = len(series["avg"])
        question = f"{begin - now} … {end - now}, {points} points (tier {series['tier']}, step {series['step']}): "
        if not (count <= points and len(series["min"]) == len(series["max"]) == count):
            wrong.append(question + f"{count} points")
        if not series["start"] - series["step"] <= begin < series["start"] or \
                not series["start"] + (count - 1) * series["step"] >= end > series["start"] + (count - 2) * series["step"]:
            wrong.append(question + "the points do not cover the stretch")
        _, spacing = fetch(path, source, "AVERAGE", begin, end, max(1, (end - begin) // points))
        if spacing not in (None, series["tier"]):
            wrong.append(question + f"rrdtool takes rows of {spacing} s")
        wrong += [question + line for line in compare_points(path, source, series, now)]
        tiers.add(series["tier"])
        reduced += series["step"] > series["tier"]
    print(f"seed {seed}, tiers {sorted(tiers)}, reduced {reduced} of 60")
    print("\n".join(wrong[:20]))
    return 1 if wrong or len(tiers) < 3 or not 5 < reduced < 60 else 0


if sys.argv[1] == "fill":
    fill(sys.argv[2], int(sys.argv[3]))
else:
    sys.exit(compare(*sys.argv[2:]))
