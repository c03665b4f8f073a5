#!/usr/bin/python3
"""Plots of one run of the fan-out bench.

plot.py RUN.json                  writes RUN-ratio.png, RUN-scaling.png, … and RUN.html (one page, nothing beside it)
plot.py RUN.json --readme FILE    also rewrites the tables in FILE between <!-- bench:begin --> and <!-- bench:end -->

The figures are the runner's: medians of the repetitions, whiskers from the least to the most. A run with faults is marked, never left out.
"""

import argparse
import html
import io
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: E402

sys.dont_write_bytecode = True
from results import FLOOR, LATENCIES, Results, case_title, count, short  # noqa: E402
from tables import fault_lines, html_tables, rewrite_readme  # noqa: E402

# Ours strong, floors grey, peers muted.
COLOURS = {
    "sluice-uring": "#0B4F9E",
    "sluice-send": "#3F8EDC",
    "floor-uring": "#6E6E6E",
    "floor-send": "#A9A9A9",
    "nchan": "#7DAF8F",
    "mosquitto": "#C9A66B",
    "node-ws": "#B48BAE",
    "socketio": "#CF8F80",
    "article": "#9C97C9",
}
MARKERS = {"sluice-uring": "o", "sluice-send": "s", "floor-uring": "^", "floor-send": "v", "nchan": "D", "mosquitto": "P",
           "node-ws": "X", "socketio": "*", "article": "h"}
BAD = "#C00000"
FAINT = "#8C8C8C"


def colour(server):
    return COLOURS.get(server, "#BBBBBB")


def style():
    plt.rcParams.update({
        "font.size": 10,
        "axes.grid": True,
        "grid.color": "#E8E8E8",
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "figure.facecolor": "white",
        "svg.fonttype": "none",
        "svg.hashsalt": "sluice",
        "font.family": "DejaVu Sans",
    })


def tick_text(value):
    for size, letter in [(1e6, " M"), (1e3, " k")]:
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def tick_numbers(axis, low, high, most=7):
    """Few plain numbers on a logarithmic axis: 1, 2, 5, 10 or, where that would be many, only the tens."""
    for steps in [(1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)]:
        ticks = [step * 10.0**power for power in range(-6, 10) for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))


def bar(axes, results, case, row, server, numbers, base):
    middle, least, most = numbers
    faulty = bool(results.faults(case, server))
    axes.barh(row, middle - base, 0.72, base, color="white" if faulty else colour(server), edgecolor=BAD if faulty else colour(server),
              hatch="////" if faulty else None, linewidth=1)
    if most > least:
        axes.plot([least, most], [row, row], color="#222222", linewidth=0.9, solid_capstyle="butt")
    leftwards = middle < base
    axes.annotate(short(middle) + (" †" if faulty else ""), (least if leftwards else most, row), xytext=(-4 if leftwards else 4, 0),
                  textcoords="offset points", ha="right" if leftwards else "left", va="center", fontsize=8.5, color=BAD if faulty else "#222222",
                  fontweight="bold" if results.kind(server) == "ours" else "normal")


def server_rows(axes, results, names=True):
    axes.set_yticks(range(len(results.servers)), [results.title(server) if names else "" for server in results.servers])
    axes.set_ylim(len(results.servers) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def missing(axes, results, case, row, server, at=0.015):
    reason = results.note(case, server) or "not run"
    axes.text(at, row, reason if len(reason) < 46 else reason[:44] + "…", transform=axes.get_yaxis_transform(), va="center", color=FAINT, fontsize=8,
              fontstyle="italic", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})


def bars(axes, results, case, label, value, names=True):
    """One horizontal bar per server from 0; `value` maps (server) to (median, least, most) or None."""
    high = 0
    for row, server in enumerate(results.servers):
        if numbers := value(server):
            bar(axes, results, case, row, server, numbers, 0)
            high = max(high, numbers[2])
        else:
            missing(axes, results, case, row, server)
    server_rows(axes, results, names)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, high * 1.25 or 1)
    axes.xaxis.set_major_locator(plt.MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: tick_text(number)))
    axes.set_xlabel(label)


def ratio_bars(axes, results, case, names):
    """Bars from 1, the floor: who is cheaper goes to the left. Logarithmic, so that half and double are as long."""
    ratios = results.ratios(case)
    low, high = min(1, *(r[1] for r in ratios.values())), max(1, *(r[2] for r in ratios.values()))
    room = max(high / low, 2)**0.28  # for the numbers
    axes.set_xscale("log")
    axes.set_xlim(low / room if low < 0.999 else 0.9, high * room)
    for row, server in enumerate(results.servers):
        if server in ratios:
            bar(axes, results, case, row, server, ratios[server], 1)
        else:
            missing(axes, results, case, row, server)
    server_rows(axes, results, names)
    axes.grid(axis="y", visible=False)
    axes.axvline(1, color="#333333", linewidth=0.9)
    tick_numbers(axes.xaxis, *axes.get_xlim())
    axes.set_title(case_title(case))
    axes.set_xlabel(f"1 = {short(results.spread(case, FLOOR, 'cpu_us_per_delivery')[0])} µs")


def footnote(drawn, results, cases):
    """Who had faults, under the plots that show the cases."""
    lines = [line for line in fault_lines(results, cases)]
    if lines:
        drawn.supxlabel("\n".join("† " + line for line in lines), fontsize=8.5, color=BAD, x=0.01, ha="left")


def grid(count_of_panels, columns, height):
    rows = -(-count_of_panels // columns)
    drawn, all_axes = plt.subplots(rows, columns, figsize=(4.1 * columns + 1.2, height * rows + 0.7), squeeze=False, layout="constrained")
    flat = list(all_axes.flat)
    for axes in flat[count_of_panels:]:
        axes.set_visible(False)
    return drawn, flat[:count_of_panels]


def plot_ratio(results):
    cases = results.ratio_cases()
    if not cases:
        return None
    columns = min(3, len(cases))
    drawn, panels = grid(len(cases), columns, 0.85 + 0.23 * len(results.servers))
    for index, (axes, case) in enumerate(zip(panels, cases)):
        ratio_bars(axes, results, case, names=index % columns == 0)
    footnote(drawn, results, cases)
    drawn.suptitle("CPU per delivery, ratio to a bare send(2) loop (less is better, logarithmic)", x=0.01, ha="left", fontsize=12)
    return drawn


def plot_scaling(results):
    cases = [case for case in results.cases("cpu_us_per_delivery") if case[0] == "W1" and case[1].isdigit()]
    if len(cases) < 2:
        return None
    sides = [("CPU, µs per delivery", lambda case, server: results.spread(case, server, "cpu_us_per_delivery"))]
    if any(results.ratios(case) for case in cases):
        sides.append(("ratio to a bare send(2) loop", results.ratio))
    drawn, panels = plt.subplots(1, len(sides), figsize=(2 + 5.2 * len(sides), 5.4), squeeze=False, layout="constrained")
    for axes, (label, pick) in zip(panels[0], sides):
        for server in results.servers:
            points = [(int(case[1]), pick(case, server), results.faults(case, server)) for case in cases]
            points = [(clients, numbers[0], faults) for clients, numbers, faults in points if numbers]
            ours = results.kind(server) == "ours"
            axes.plot([p[0] for p in points], [p[1] for p in points], color=colour(server), linewidth=2.8 if ours else 1.5, zorder=3 if ours else 2,
                      marker=MARKERS.get(server, "."), markersize=8 if ours else 6.5, label=results.title(server),
                      linestyle="--" if results.kind(server) == "floor" else "-")
            bad = [p for p in points if p[2]]
            axes.plot([p[0] for p in bad], [p[1] for p in bad], linestyle="", marker="o", markersize=15, markerfacecolor="none",
                      markeredgecolor=BAD, markeredgewidth=1.6, zorder=4)
        axes.set_xscale("log")
        axes.set_yscale("log")
        clients = [int(case[1]) for case in cases]
        axes.set_xticks(clients, [count(number) for number in clients])
        axes.xaxis.set_minor_locator(NullLocator())
        tick_numbers(axes.yaxis, *axes.get_ylim())
        axes.set_xlabel("clients of one channel")
        axes.set_title(label)
    if any(results.faults(case, server) for case in cases for server in results.servers):
        panels[0][-1].plot([], [], linestyle="", marker="o", markersize=12, markerfacecolor="none", markeredgecolor=BAD, label="with faults")
    panels[0][-1].legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, borderaxespad=0)
    drawn.suptitle("Scaling: one channel, 1,000 to 19,000 clients (less is better, logarithmic)", x=0.01, ha="left", fontsize=12)
    return drawn


def latency_row(axes, results, case, row, server):
    spreads = [results.spread(case, server, f"latency_us.{name}") for name in LATENCIES]
    points = [numbers[0] for numbers in spreads if numbers and numbers[0] > 0]
    if not points:
        missing(axes, results, case, row, server)
        return []
    faulty = bool(results.faults(case, server))
    axes.plot([points[0], points[-1]], [row, row], color=colour(server), linewidth=5 if results.kind(server) == "ours" else 3, alpha=0.6)
    for point, marker in zip(points, "o|D"):
        axes.plot(point, row, marker=marker, color=colour(server), markersize=8 if marker != "|" else 16, markeredgewidth=2.6)
    axes.annotate(" / ".join(short(point) for point in points) + (" †" if faulty else ""), (points[-1], row), xytext=(9, 0), textcoords="offset points",
                  va="center", fontsize=9, color=BAD if faulty else "#222222", fontweight="bold" if results.kind(server) == "ours" else "normal")
    return points


def plot_latency(results):
    cases = results.cases("latency_us.p99", only={"W7"})
    if not cases:
        return None
    drawn, panels = grid(len(cases), 1, 1 + 0.42 * len(results.servers))
    drawn.set_figwidth(10)
    for axes, case in zip(panels, cases):
        points = [point for row, server in enumerate(results.servers) for point in latency_row(axes, results, case, row, server)]
        server_rows(axes, results)
        axes.set_xscale("log")
        axes.set_xlim(min(points) * 0.7, max(points) * (max(points) / min(points))**0.25 * 1.5)
        tick_numbers(axes.xaxis, *axes.get_xlim(), most=12)
        axes.set_xlabel("µs from publish to the client (logarithmic)")
        axes.set_title(case_title(case))
    footnote(drawn, results, cases)
    drawn.suptitle("Latency: ● p50   | p99   ◆ p99.9 (less is better)", x=0.01, ha="left", fontsize=12)
    return drawn


def plot_bars(results, title, wanted):
    """Panels of bars: `wanted` are (metric, scale, axis label, workloads)."""
    panels_wanted = [(case, metric, scale, label) for metric, scale, label, only in wanted for case in results.cases(metric, only)]
    if not panels_wanted:
        return None
    drawn, panels = grid(len(panels_wanted), min(2, len(panels_wanted)), 0.9 + 0.25 * len(results.servers))
    drawn.set_figwidth(5.6 * min(2, len(panels_wanted)) + 1)
    for axes, (case, metric, scale, label) in zip(panels, panels_wanted):

        def value(server, case=case, metric=metric, scale=scale):
            numbers = results.spread(case, server, metric)
            return numbers and tuple(number / scale for number in numbers)

        bars(axes, results, case, label, value)
        axes.set_title(case_title(case))
    footnote(drawn, results, [case for case, *_ in panels_wanted])
    drawn.suptitle(title, x=0.01, ha="left", fontsize=12)
    return drawn


def figures(results):
    wanted = {
        "ratio": plot_ratio(results),
        "scaling": plot_scaling(results),
        "throughput": plot_bars(results, "Deliveries per second when saturated (more is better)",
                                [("deliveries_per_second", 1, "deliveries per second", {"W2", ("W4", "saturated")})]),
        "latency": plot_latency(results),
        "memory": plot_bars(results, "Idle clients: memory and CPU (less is better)",
                            [("bytes_per_client", 1024, "KiB per client", {"W8"}), ("idle_cpu_percent", 1, "CPU, % of a core", {"W8"})]),
        "upgrades": plot_bars(results, "Upgrades: rate (more is better) and CPU of each (less is better)",
                              [("upgrades_per_second", 1, "upgrades per second", {"W6"}), ("cpu_us_per_upgrade", 1, "CPU, µs per upgrade", {"W6"})]),
    }
    return {name: drawn for name, drawn in wanted.items() if drawn}


def svg_of(name, drawn):
    """Ids are made the figure's own: several stand in one page."""
    text = io.StringIO()
    drawn.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg"):]
    for before, after in [('id="', f'id="{name}-'), ('href="#', f'href="#{name}-'), ("url(#", f"url(#{name}-")]:
        svg = svg.replace(before, after)
    return svg


def page(results, drawn):
    svgs = "\n".join(svg_of(name, one) for name, one in drawn.items())
    quick = "<p><b>A quick run: it shows that everything works, its figures are not to be compared.</b></p>" if results.quick else ""
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Fan-out: Sluice, bare loops and peers</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.45 "DejaVu Sans", system-ui, sans-serif; color: #222; background: #fff; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.3rem; }} h2 {{ font-size: 1.05rem; margin-top: 2rem; }}
svg {{ width: 100%; height: auto; margin: .8rem 0; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .86em; }} td, th {{ text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #ddd; white-space: nowrap; }}
td:first-child, th:first-child {{ text-align: left; }}
.bad {{ color: {BAD}; font-weight: bold; }}
</style>
<h1>Fan-out: Sluice, bare loops and peers</h1>
<p>{html.escape(results.about())}</p>{quick}
{svgs}
{html_tables(results)}
</html>
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", type=pathlib.Path, metavar="RUN.json")
    arguments.add_argument("--readme", type=pathlib.Path, metavar="FILE")
    asked = arguments.parse_args()
    results = Results.read(asked.run)
    style()
    drawn = figures(results)
    for name, one in drawn.items():
        one.savefig(asked.run.with_name(f"{asked.run.stem}-{name}.png"), dpi=100)
    asked.run.with_suffix(".html").write_text(page(results, drawn))
    print(f"Plots: {asked.run.with_suffix('.html')} and {asked.run.stem}-*.png beside it")
    if asked.readme:
        rewrite_readme(results, asked.readme)
        print(f"Tables: {asked.readme}")


if __name__ == "__main__":
    main()
