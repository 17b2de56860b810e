"""Compares /get_stats with psutil: the agent's sample must lie between two of psutil's, taken around it.

Counters only grow, so a value between psutil's before and after is exact. Levels wander while both read: they get the
distance between psutil's own two readings, and a little more. usage is a mean over the agent's interval, so it is
compared with the change of the agent's own counters between two samples.
"""
import json
import sys
import time
import urllib.request

import psutil

failures = []


def ask(url):
    with urllib.request.urlopen(url + "/get_stats", timeout=10) as answer:
        return json.load(answer)["current_stat"]


def next_sample(url, after):
    while True:
        before, stat, later = read(), ask(url), read()
        if stat["time"] > after and time.time() - stat["time"] < 0.3:
            return before, stat, later


def neighbours(url, interval):
    """Two samples with none between them: a busy machine may be asked too late for the next one."""
    earlier = ask(url)
    while True:
        later = ask(url)
        if 0 < later["time"] - earlier["time"] < 1.5 * interval:
            return earlier, later
        if later["time"] != earlier["time"]:
            earlier = later
        time.sleep(0.02)


def read():
    return {
        "cpu": psutil.cpu_times(), "vm": psutil.virtual_memory(), "sm": psutil.swap_memory(),
        "io": psutil.disk_io_counters(perdisk=True),
        "parts": {p.mountpoint: (p.device, psutil.disk_usage(p.mountpoint)) for p in psutil.disk_partitions()},
    }


def near(name, value, expected, slack):
    if value is None or abs(value - expected) > slack:
        failures.append(f"{name}: pindrop {value}, psutil {expected}, allowed {slack}")


def compare(earlier, stat, later):
    # The sample may be up to 0.3 s older than psutil's first reading: on a machine with n CPUs that is 0.3 n seconds.
    spare = 0.4 * psutil.cpu_count()
    for field in ("idle", "user", "system"):
        near("cpu." + field, stat["cpu_stat"]["time_stat"][field], getattr(later["cpu"], field), spare)
    vm, total = stat["memory_stat"]["vm"], later["vm"].total
    near("vm.total", vm["total"], total, 0)
    for field in ("used", "free", "active", "inactive"):
        near("vm." + field, vm[field], getattr(later["vm"], field), 0.02 * total)
    near("vm.percent", vm["percent"], later["vm"].percent, 2)
    for field in ("total", "used", "free"):
        near("sm." + field, stat["memory_stat"]["sm"][field], getattr(later["sm"], field), 0.02 * total if field != "total" else 0)
    near("sm.percent", stat["memory_stat"]["sm"]["percent"], later["sm"].percent, 1)
    partitions(stat["disk_stat"]["part_stats"], later["parts"])
    counts(stat["disk_stat"]["count_stats"], later["io"])


def partitions(parts, expected):
    # psutil lists a device once for each mount of it (bind mounts), pindrop once in all.
    devices = {device for device, _ in expected.values()}
    if {part["device"] for part in parts} != devices:
        failures.append(f"devices: pindrop {[p['device'] for p in parts]}, psutil {sorted(devices)}")
    for part in parts:
        device, usage = expected.get(part["mt_pt"], (None, None))
        if usage is None:
            failures.append(f"psutil does not know the mount {part['mt_pt']}")
            continue
        near(part["mt_pt"] + ".total", part["total_mem"], usage.total, 0)
        near(part["mt_pt"] + ".used", part["used_mem"], usage.used, 64e6)
        near(part["mt_pt"] + ".free", part["free_mem"], usage.free, 64e6)
        near(part["mt_pt"] + ".percent", part["used_percent"], usage.percent, 1)


def counts(stats, disks):
    stacked = ("dm-", "md", "loop", "ram", "zram")
    whole = [io for name, io in disks.items() if not name.startswith(stacked) and is_whole(name)]
    for field in ("read_count", "write_count", "read_bytes", "write_bytes"):
        expected = sum(getattr(io, field) for io in whole)
        near("io." + field, stats[field] or 0, expected, max(0.02 * expected, 32e6 if "bytes" in field else 2000))


def is_whole(name):
    import os
    return os.path.exists("/sys/block/" + name)


def compare_usage(first, second):
    span = [stat["cpu_stat"]["time_stat"] for stat in (first, second)]
    busy = sum(span[1][f] - span[0][f] for f in ("user", "system"))
    idle = span[1]["idle"] - span[0]["idle"]
    if busy + idle > 0.2:
        # nice, irq and steal are not in time_stat, and the shown figures are rounded to ticks: 12 points cover both.
        near("cpu.usage", second["cpu_stat"]["usage"], 100 * busy / (busy + idle), 12)


def main(url, interval):
    compare(*next_sample(url, ask(url)["time"]))
    compare_usage(*neighbours(url, interval))
    print("\n".join(failures))
    return 1 if failures else 0


sys.exit(main(sys.argv[1], float(sys.argv[2])))
