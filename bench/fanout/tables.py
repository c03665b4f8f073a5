"""The fan-out bench's figures as tables: Markdown for the README, HTML for the page."""

import html
import sys

from results import FLOOR, LATENCIES, case_title, short

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"
LATENCY_NAMES = {"p50": "p50", "p99": "p99", "p999": "p99.9"}


def cell(results, case, server, numbers, scale=1.0):
    """(text, has faults, value)."""
    if not numbers:
        return ("–", False, None)
    faulty = bool(results.faults(case, server))
    return (short(numbers[0] / scale) + (" †" if faulty else ""), faulty, numbers[0])


def ratio_rows(results):
    for case in results.ratio_cases():
        cells = [cell(results, case, server, results.ratio(case, server)) for server in results.servers]
        floor = results.spread(case, FLOOR, "cpu_us_per_delivery")
        if floor:
            at = results.servers.index(FLOOR)
            cells[at] = (f"1.00 = {short(floor[0])} µs" + (" †" if cells[at][1] else ""), cells[at][1], cells[at][2])
        yield case_title(case), cells, True


def figure_rows(results):
    wanted = [("deliveries_per_second", {"W2", ("W4", "saturated")}, 1, "deliveries per second", False),
              ("bytes_per_client", {"W8"}, 1024, "memory per client, KiB", True),
              ("idle_cpu_percent", {"W8"}, 1, "idle CPU, %", True),
              ("upgrades_per_second", {"W6"}, 1, "upgrades per second", False),
              ("cpu_us_per_upgrade", {"W6"}, 1, "CPU per upgrade, µs", True)]
    wanted += [(f"latency_us.{name}", {"W7"}, 1, f"{LATENCY_NAMES[name]}, µs", True) for name in LATENCIES]
    wanted += [("latency_us.p99", {"W9"}, 1000, "another channel's p99, ms", True), ("open_us.p99", {"W9"}, 1000, "a newcomer's p99 until 101, ms", True)]
    for metric, only, scale, label, less in wanted:
        for case in results.cases(metric, only):
            yield (f"{case_title(case)}: {label}", [cell(results, case, server, results.spread(case, server, metric), scale) for server in results.servers],
                   less)


def best(results, cells, less):
    """Who of those that are no floor and had no faults is ahead."""
    values = {i: one[2] for i, one in enumerate(cells) if one[2] is not None and not one[1] and results.kind(results.servers[i]) != "floor"}
    if not values:
        return set()
    edge = min(values.values()) if less else max(values.values())
    shown = next(cells[i][0] for i, value in values.items() if value == edge)
    return {i for i in values if cells[i][0] == shown}


def cant(results):
    """What a server can't do, once each, for below the tables."""
    said = {}
    for case, server in results.runs:
        if case[0] != "W5" and not results.measured(case, server) and (note := results.note(case, server)):
            said.setdefault((server, note), []).append(" ".join(case))
    return [f"{results.title(server)}: {note} ({', '.join(cases)})" for (server, note), cases in said.items()]


def fault_lines(results, cases=None):
    lines = []
    for case, server in results.runs:
        if (cases is None or case in cases) and (faults := results.faults(case, server)):
            lines.append(f"{results.title(server)}, {' '.join(case)}: " + ", ".join(f"{number:,} {name}" for name, number in faults.items()))
    return lines


def markdown_table(results, first, rows):
    lines = [f"| {first} | " + " | ".join(results.title(server) for server in results.servers) + " |",
             "|---|" + "--:|" * len(results.servers)]
    for name, cells, less in rows:
        ahead = best(results, cells, less)
        lines.append(f"| {name} | " + " | ".join(f"**{one[0]}**" if i in ahead else one[0] for i, one in enumerate(cells)) + " |")
    return lines if len(lines) > 2 else []


def markdown(results):
    lines = [f"CPU per delivery, ratio to a bare `send(2)` loop: less is better. {results.about()}", ""]
    if results.quick:
        lines += ["**A quick run: it shows that everything works, its figures are not to be compared.**", ""]
    lines += [*markdown_table(results, "ratio", ratio_rows(results)), ""]
    lines += [*markdown_table(results, "", figure_rows(results)), ""]
    if relay := results.relay():
        lines += [relay, ""]
    if faulty := fault_lines(results):
        lines += ["† With faults, all repetitions together: " + "; ".join(faulty) + ".", ""]
    if missing := cant(results):
        lines += ["– " + "; ".join(missing) + ".", ""]
    return "\n".join(lines).rstrip() + "\n"


def rewrite_readme(results, path):
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        sys.exit(f"{path}: needs one {BEGIN} and behind it one {END}")
    before, rest = text.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{markdown(results)}{END}{rest.split(END)[1]}")


def html_table(results, first, rows):
    lines = ["<tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in [first, *map(results.title, results.servers)]) + "</tr>"]
    for name, cells, less in rows:
        ahead = best(results, cells, less)
        columns = [f"<td{' class=bad' if one[1] else ''}>{'<b>' if i in ahead else ''}{html.escape(one[0])}{'</b>' if i in ahead else ''}</td>"
                   for i, one in enumerate(cells)]
        lines.append(f"<tr><td>{html.escape(name)}</td>{''.join(columns)}</tr>")
    return '<div class="wide"><table>' + "\n".join(lines) + "</table></div>" if len(lines) > 1 else ""


def html_tables(results):
    parts = ["<h2>CPU per delivery, ratio to a bare send(2) loop</h2>", html_table(results, "workload", ratio_rows(results)),
             "<h2>Memory, upgrades, latency</h2>", html_table(results, "", figure_rows(results))]
    parts += [f"<p>{html.escape(results.relay())}</p>"]
    parts += [f'<p class="bad">† {html.escape(line)}</p>' for line in fault_lines(results)]
    parts += [f"<p>– {html.escape(line)}</p>" for line in cant(results)]
    remarks = "".join(f"<li>{html.escape(line)}</li>" for line in results.remarks())
    parts += ["<h2>Remarks of the runner</h2><ul>" + remarks + "</ul>"] if remarks else []
    versions = "".join(f"<tr><td>{html.escape(results.title(server))}</td><td>{html.escape(str(results.described.get(server, {}).get('version', '')))}</td></tr>"
                       for server in results.servers)
    return "\n".join(parts) + f"\n<h2>Versions</h2><table>{versions}</table>"
