#!/usr/bin/python3
"""Plots of one run of the deploy bench: plot.py RUN.json writes RUN.png and RUN.html (one page, nothing beside it).

The figures are the runner's; nothing is judged or smoothed here.
"""

import html
import io
import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

GATEWAYS = ["1111", "2222", "3333", "4444"]
COLOURS = {
    "1111": "#0072B2",
    "2222": "#E69F00",
    "3333": "#009E73",
    "4444": "#CC79A7",
    "unknown": "#777777",
}
CPU_COLOURS = {
    "gateways": "#0072B2",
    "haproxy": "#D55E00",
    "relay": "#009E73",
    "redis": "#777777",
    "load": "#BBBBBB",
}
BAD = "#C00000"
LEGEND = {"loc": "upper left", "bbox_to_anchor": (1.005, 1.02), "frameon": False, "borderaxespad": 0}


def seconds(run):
    return range(len(run["seconds"]["open_long"]))


def totals(run, *names):
    """Sum over the whole run."""
    return sum(sum(run["seconds"][name]) for name in names)


def middle(run):
    """Bars stand in the middle of their second."""
    return [second + 0.5 for second in seconds(run)]


def plot_connections(axes, run):
    opened = run["seconds"]["open"]
    ends = [second + 1 for second in seconds(run)]  # counted at the end of the second
    everybody = [sum(opened[name][i] for name in opened) for i in seconds(run)]
    share = [all_of_them / len(GATEWAYS) for all_of_them in everybody]
    tolerance = run["plan"]["balance_tolerance"]
    axes.fill_between(
        ends,
        [value * (1 - tolerance) for value in share],
        [value * (1 + tolerance) for value in share],
        color="#000000",
        alpha=0.06,
        linewidth=0,
        label=f"a quarter ± {tolerance * 100:.0f} %",
    )
    for name in GATEWAYS:
        axes.plot(ends, opened[name], color=COLOURS[name], linewidth=1.8, label=name)
    axes.set_ylabel("connections")
    axes.set_ylim(bottom=0)
    axes.legend(title="gateway", **LEGEND)


def plot_closes(axes, run):
    bottom = [0] * len(seconds(run))
    for name in [*GATEWAYS, "unknown"]:
        values = run["seconds"]["closes"][name]
        if not any(values):
            continue
        if run["plan"]["scenario"] == "reload":  # all at once: the rate is each one's own, so nothing is stacked
            axes.step(middle(run), values, where="mid", color=COLOURS[name], linewidth=1.4)
            bottom = [max(a, b) for a, b in zip(bottom, values)]
        else:
            axes.bar(middle(run), values, 1.0, bottom, color=COLOURS[name], linewidth=0)
            bottom = [a + b for a, b in zip(bottom, values)]
    rate = run["plan"]["drain_rate"]
    axes.axhline(rate, color=BAD, linewidth=1.2, linestyle="--", label=f"--drain-rate {rate:.0f}/s\nof each gateway")
    cuts = [sum(run["seconds"]["cuts"][name][i] for name in run["seconds"]["cuts"]) for i in seconds(run)]
    if any(cuts):
        axes.bar(middle(run), cuts, 1.0, bottom, color=BAD, linewidth=0, label="without close frame")
    axes.set_ylabel("closes per s")
    axes.set_ylim(0, max(rate * 1.15, max(bottom) * 1.1, max(cuts) * 1.1))
    axes.legend(**LEGEND)


def plot_reconnects(axes, run):
    data = run["seconds"]
    axes.bar(middle(run), data["reconnects"], 1.0, color="#56B4E9", linewidth=0, label="reconnects")
    axes.plot(middle(run), data["short_opened"], color="#444444", linewidth=1.2, label="short-lived")
    if any(data["connects"]):
        axes.plot(middle(run), data["connects"], color="#999999", linewidth=1.2, linestyle=":", label="first ones")
    axes.set_ylabel("upgrades per s")
    axes.set_ylim(bottom=0)
    axes.legend(**LEGEND)


def stacked_or_none(axes, run, parts, none):
    """Bars of what went wrong; where nothing did, the sentence `none`."""
    bottom = [0] * len(seconds(run))
    for label, colour, values in parts:
        if not any(values):
            continue
        axes.bar(middle(run), values, 1.0, bottom, color=colour, linewidth=0, label=label)
        bottom = [a + b for a, b in zip(bottom, values)]
    if any(bottom):
        axes.set_ylim(0, max(bottom) * 1.15)
        axes.legend(**LEGEND)
        return
    axes.set_ylim(0, 1)
    axes.set_yticks([0])
    axes.text(0.5, 0.5, none, transform=axes.transAxes, ha="center", va="center", color="#207020", fontsize=11,
              bbox={"facecolor": "white", "edgecolor": "none", "pad": 3})


def plot_failed(axes, run):
    data = run["seconds"]
    statuses = ["#C00000", "#E69F00", "#CC79A7", "#D55E00"]
    parts = [
        (f"status {status}", statuses[i % len(statuses)], values)
        for i, (status, values) in enumerate(sorted(data["refused"].items()))
    ]
    parts += [("connection error", "#555555", data["connect_errors"]), ("no answer", "#999999", data["timeouts"])]
    upgrades = totals(run, "connects", "reconnects", "short_opened")
    stacked_or_none(axes, run, parts, f"none in {upgrades:,} upgrades")
    axes.set_ylabel("failed\nupgrades")


def plot_gaps(axes, run):
    data = run["seconds"]
    parts = [
        ("missing", BAD, data["missing"]),
        ("repeated", "#E69F00", data["repeated"]),
        ("misplaced", "#CC79A7", data["misplaced"]),
        ("foreign", "#555555", data["foreign"]),
    ]
    stacked_or_none(axes, run, parts, f"none in {totals(run, 'received'):,} messages received")
    axes.set_ylabel("delivery\nfaults")


def plot_cpu(axes, run):
    samples = run["samples"]
    at = [sample["at_s"] for sample in samples]
    lines = {"gateways": [sum(sample["cpu_percent"].get(name, 0) for name in GATEWAYS) for sample in samples]}
    for name in ["haproxy", "relay", "redis", "load"]:
        lines[name] = [sample["cpu_percent"].get(name, 0) for sample in samples]
    for name, values in lines.items():
        label = {"gateways": "4 gateways", "haproxy": "HAProxy", "redis": "Redis", "load": "the clients"}.get(name, name)
        axes.plot(at, values, color=CPU_COLOURS[name], linewidth=1.3, label=label)
    axes.set_ylabel("CPU,\n% of a core")
    axes.set_ylim(bottom=0)
    axes.legend(**LEGEND)


def mark_events(all_axes, run):
    """A drain is a band in its gateway's colour, from SIGTERM to the exit; its return a thin line."""
    top = all_axes[0]
    began = {}
    for event in run["events"]:
        at, what, subject = event["at_s"], event["what"], event["subject"]
        colour = COLOURS.get(subject, "#444444")
        if what in ("drain", "reload"):
            began[subject] = at
            top.text(at, 1.02, f"{what} {subject}" if what == "reload" else subject, color=colour, fontsize=9,
                     transform=top.get_xaxis_transform(), ha="left", va="bottom", fontweight="bold")
        elif what == "kill":
            top.text(at, 1.02, f"kill -9 {subject}", color=BAD, fontsize=9, transform=top.get_xaxis_transform(),
                     ha="left", va="bottom", fontweight="bold")
        for axes in all_axes:
            if what in ("exited", "old worker ended") and subject in began:
                axes.axvspan(began[subject], at, color=colour, alpha=0.13, linewidth=0, zorder=0)
            elif what == "back":
                axes.axvline(at, color=colour, linewidth=0.9, linestyle=":")
            elif what in ("kill", "down"):
                axes.axvline(at, color=BAD, linewidth=1)
    returns = [event["at_s"] for event in run["events"] if event["what"] == "back"]
    due = run["plan"]["balance_at_s"]
    if returns and due and run["plan"]["scenario"] != "reload":
        for axes in all_axes[:1]:
            axes.axvline(returns[-1] + due, color="#222222", linewidth=1, linestyle="-.")
            axes.text(returns[-1] + due, 1.02, f"{due:.0f} s later", fontsize=9, transform=axes.get_xaxis_transform(),
                      ha="right", va="bottom", color="#222222")


def title(run):
    plan = run["plan"]
    what = {
        "rolling": "Rolling restart of four gateways by drain",
        "reload": f"HAProxy reload, hard-stop-after {plan['hard_stop_s']:.0f} s, "
        + (f"connection age {plan['connection_age_s']:.0f} s" if plan["connection_age_s"] else "no connection age"),
        "kill": "kill -9 of one of four gateways",
    }[plan["scenario"]]
    return f"{what}: {plan['clients']:,} clients that reconnect, {plan['short_per_s']:.0f} short-lived ones per second"


def figure(run):
    plt.rcParams.update({
        "font.size": 10,
        "axes.grid": True,
        "grid.color": "#E4E4E4",
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.facecolor": "white",
        "svg.fonttype": "none",
        "font.family": "DejaVu Sans",
    })
    drawn, all_axes = plt.subplots(
        6, 1, sharex=True, figsize=(11, 11.5), gridspec_kw={"height_ratios": [3, 2, 2, 1, 1, 2], "hspace": 0.16})
    plots = [plot_connections, plot_closes, plot_reconnects, plot_failed, plot_gaps, plot_cpu]
    for axes, plot in zip(all_axes, plots):
        plot(axes, run)
    mark_events(all_axes, run)
    all_axes[-1].set_xlabel("seconds")
    all_axes[-1].set_xlim(0, len(seconds(run)))
    drawn.align_ylabels(all_axes)
    drawn.suptitle(title(run), x=0.08, y=0.985, ha="left", fontsize=12 if run["plan"]["scenario"] != "reload" else 11)
    drawn.subplots_adjust(left=0.08, right=0.83, top=0.935, bottom=0.05)
    return drawn


def row(cells, tag="td", mark=""):
    return f"<tr{mark}>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"


def page(run, svg):
    verdict = "Every promise kept." if run["passed"] else "Not every promise kept."
    criteria = "\n".join(
        row(["kept" if c["passed"] else "BROKEN", c["name"], c["measured"], c["wanted"]],
            mark="" if c["passed"] else ' class="bad"') for c in run["criteria"])
    events = "\n".join(
        row([f"{e['at_s']:.1f} s", e["subject"], e["what"] + (f", code {e['value']}" if e["what"] == "exited" else "")])
        for e in run["events"])
    facts = "\n".join(row([key.replace("_", " "), value]) for key, value in {**run["plan"], **run["machine"]}.items())
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{html.escape(title(run))}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.45 "DejaVu Sans", system-ui, sans-serif; color: #222; background: #fff; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.3rem; }} h2 {{ font-size: 1.05rem; margin-top: 2rem; }}
svg {{ width: 100%; height: auto; }}
table {{ border-collapse: collapse; }} td, th {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }}
.bad td {{ color: {BAD}; font-weight: bold; }}
</style>
<h1>{html.escape(title(run))}</h1>
<p><b>{verdict}</b> The bands are drains, from SIGTERM to the exit; the dotted lines returns, as HAProxy sees them.</p>
{svg}
<h2>Promises</h2><table>{row(["", "what", "measured", "wanted"], "th")}
{criteria}</table>
<h2>What was done</h2><table>{events}</table>
<h2>The run</h2><table>{facts}</table>
</html>
"""


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: plot.py RUN.json")
    source = pathlib.Path(sys.argv[1])
    run = json.loads(source.read_text())
    drawn = figure(run)
    drawn.savefig(source.with_suffix(".png"), dpi=100)
    drawn.suptitle("")  # the page has a heading of its own
    text = io.StringIO()
    drawn.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    source.with_suffix(".html").write_text(page(run, svg[svg.index("<svg"):]))
    print(f"Plots: {source.with_suffix('.png')}, {source.with_suffix('.html')}")


if __name__ == "__main__":
    main()
