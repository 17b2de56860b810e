"""Reads a recorded tree with psutil, as a peer that was written by others, and compares it with /get_stats."""
import json
import sys

import psutil

tree, stat = sys.argv[1], json.load(open(sys.argv[2]))["current_stat"]
psutil.PROCFS_PATH = tree + "/proc"
failures = []


def same(name, value, expected):
    if value != expected:
        failures.append(f"{name}: pindrop {value}, psutil {expected}")


vm, sm, cpu = psutil.virtual_memory(), psutil.swap_memory(), psutil.cpu_times()
for field in ("total", "used", "free", "active", "inactive", "percent"):
    same("vm." + field, stat["memory_stat"]["vm"][field], getattr(vm, field))
for field in ("total", "used", "free", "percent"):
    same("sm." + field, stat["memory_stat"]["sm"][field], getattr(sm, field))
for field in ("user", "system", "idle"):
    same("cpu." + field, stat["cpu_stat"]["time_stat"][field], getattr(cpu, field))
print("\n".join(failures))
sys.exit(1 if failures else 0)
