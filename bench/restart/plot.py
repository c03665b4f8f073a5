#!/usr/bin/python3
"""Plots of restart runs: plot.py RUN.json... writes RUN.png each.

The figures are the runner's; nothing is judged or smoothed here.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

COLOURS = {
    "1111": "#0072B2",
    "2222": "#E69F00",
    "3333": "#009E73",
    "4444": "#CC79A7",
    "relay": "#D55E00",
}
BAD = "#C00000"
TITLES = {
    "planned": "Planned restarts (SIGUSR2) of a gateway",
    "kill": "kill -9 of a gateway",
    "upgrade": "sluice upgrade of a gateway",
    "relay-upgrade": "Upgrades of the relay in place",
    "relay-kill": "kill -9 of the relay",
    "package": "Relay and all gateways restarted together",
    "idle": "Planned restarts with idle clients",
    "steady": "What keeper and records cost while nothing is restarted",
}


def title(run):
    plan = run["plan"]
    text = TITLES[plan["scenario"]]
    if plan["scenario"] == "steady":
        return text
    clients = f"{plan['clients'] + plan['speakers']:,} clients"
    if plan["hostile"]:
        clients += ", half of them hostile"
    verdict = "every promise kept" if run["passed"] else "NOT every promise kept"
    return f"{text}: {len(run['restarts'])} in all, {clients}: {verdict}"


def plot_pauses(axes, run):
    """One bar per restart, in order; relay and gateways in their colours."""
    seen = set()
    for number, restart in enumerate(run["restarts"], 1):
        subject = restart["subject"]
        axes.bar(number, restart["pause_ms"], 0.8, color=COLOURS.get(subject, "#555555"), linewidth=0,
                 label=None if subject in seen else subject)
        seen.add(subject)
    axes.set_xlabel("restart")
    axes.set_ylabel("pause, ms")
    axes.set_xlim(0, max(10, len(run["restarts"])) + 1)
    axes.set_ylim(0, 1.2 * max([restart["pause_ms"] for restart in run["restarts"]] + [1]))
    axes.legend(frameon=False, ncol=5, loc="upper right")


def plot_latency(axes, run):
    latency = run["latency"]
    for key, colour, width, label in [
        ("max_ms", "#BBBBBB", 0.8, "longest"),
        ("p99_ms", "#E69F00", 1.0, "p99"),
        ("p50_ms", "#0072B2", 1.2, "p50"),
    ]:
        axes.plot(latency["at_s"], latency[key], color=colour, linewidth=width, label=label)
    for restart in run["restarts"]:
        axes.axvline(restart["asked_s"], color=COLOURS.get(restart["subject"], "#555555"), linewidth=0.6, alpha=0.6,
                     linestyle=":")
    for one in run["disconnects"]:
        axes.axvline(one["at_s"], color=BAD, linewidth=1)
    axes.set_yscale("log")
    axes.set_xlabel("seconds; dotted: a restart is asked for, red: a client is cut")
    axes.set_ylabel("delivery latency, ms\n(per tenth of a second)")
    axes.legend(frameon=False, ncol=3, loc="upper right")


def plot_cpu(axes, run):
    clients = max(1, run["plan"]["clients"])
    bottom = [0.0] * len(run["restarts"])
    numbers = range(1, len(bottom) + 1)
    for key, colour, label in [
        ("cpu_before_ms", "#0072B2", "the process that ends"),
        ("cpu_after_ms", "#56B4E9", "the one that begins, and 1 s more"),
        ("cpu_keeper_ms", "#009E73", "keeper"),
    ]:
        values = [restart[key] * 1000 / clients for restart in run["restarts"]]
        axes.bar(numbers, values, 0.8, bottom, color=colour, linewidth=0, label=label)
        bottom = [a + b for a, b in zip(bottom, values)]
    axes.set_xlabel("restart")
    axes.set_ylabel("CPU per client, µs")
    axes.margins(y=0.3)  # the legend stands above the bars
    axes.legend(frameon=False, ncol=3, loc="upper right")


def plot_costs(axes, run):
    costs = run["costs"]
    variants = sorted({pair["variant"] for pair in costs["pairs"]})
    for place, variant in enumerate(variants):
        values = [(pair["with_us"] / pair["without_us"] - 1) * 100 for pair in costs["pairs"] if pair["variant"] == variant]
        axes.plot([place] * len(values), values, "o", color="#0072B2", alpha=0.6)
    axes.axhspan(costs["low_percent"], costs["high_percent"], color="#0072B2", alpha=0.1, linewidth=0)
    axes.axhline(costs["median_percent"], color="#0072B2", linewidth=1.2)
    axes.axhline(0, color="#222222", linewidth=0.8)
    axes.set_xticks(range(len(variants)))
    axes.set_xticklabels(variants)
    axes.set_xlim(-0.6, len(variants) - 0.4)
    axes.set_ylabel("CPU per delivery with a keeper, % more\n(line and band: median and 95 % interval of all pairs)")


def figure(run):
    plt.rcParams.update({
        "font.size": 10,
        "axes.grid": True,
        "grid.color": "#E4E4E4",
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.facecolor": "white",
        "font.family": "DejaVu Sans",
    })
    scenario = run["plan"]["scenario"]
    plots = {"steady": [plot_costs], "idle": [plot_pauses, plot_cpu]}.get(scenario, [plot_pauses, plot_latency])
    drawn, all_axes = plt.subplots(len(plots), 1, figsize=(11, 3.6 * len(plots)), squeeze=False)
    for axes, plot in zip(all_axes[:, 0], plots):
        plot(axes, run)
    drawn.suptitle(title(run), x=0.01, ha="left", fontsize=12)
    drawn.tight_layout()
    return drawn


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: plot.py RUN.json...")
    for name in sys.argv[1:]:
        source = pathlib.Path(name)
        drawn = figure(json.loads(source.read_text()))
        drawn.savefig(source.with_suffix(".png"), dpi=100)
        plt.close(drawn)
        print(f"Plot: {source.with_suffix('.png')}")


if __name__ == "__main__":
    main()
