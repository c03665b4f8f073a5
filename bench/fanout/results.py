"""What the fan-out bench's JSON says: medians, spreads, ratios to the floor, faults. Nothing is drawn here."""

import json
import statistics

FLOOR = "floor-send"
LATENCIES = ["p50", "p99", "p999"]
# The tables' order: ours, floors, peers.
ORDER = ["sluice-uring", "sluice-send", "floor-uring", "floor-send", "nchan", "mosquitto", "node-ws", "socketio", "article"]

WORKLOADS = {
    "W1": "one channel, {} clients",
    "W2": "saturated, {} clients",
    "W3": "bursts of 100, {} clients",
    "W4": "1,000 channels × 10, {}",
    "W6": "{}",
    "W7": "half of the floor's limit, {} clients",
    "W8": "{} idle clients",
    "W9": "beside a saturated channel of {}",
}
# The summary's names of what stands deeper in a run.
SUMMARY_NAMES = {f"latency_us.{name}": f"latency_{name}_us" for name in LATENCIES} | {"open_us.p99": "open_p99_us"}
MEASURED = ["cpu_us_per_delivery", "upgrades_per_second", "bytes_per_client", "idle_cpu_percent", "latency_us.p50"]


def count(number):
    return f"{number:,}"


def short(number):
    """Two or three significant digits, no exponent."""
    if number == 0:
        return "0"
    if abs(number) >= 100:
        return f"{number:,.0f}"
    if abs(number) >= 10:
        return f"{number:.1f}"
    return f"{number:.2f}" if abs(number) >= 0.1 else f"{number:.3f}"


def case_title(case):
    workload, variant = case
    shown = count(int(variant)) if variant.isdigit() else variant
    return f"{workload}  " + WORKLOADS.get(workload, "{}").format(shown)


def field(run, metric):
    """`latency_us.p99` looks into the object; absent and null are the same."""
    value = run
    for name in metric.split("."):
        value = (value or {}).get(name)
    return value


class Results:
    """A case is a (workload, variant)."""

    def __init__(self, data):
        self.data = data
        self.quick = data.get("quick", False)
        self.described = {server["name"]: server for server in data["servers"]}
        # W5 has a server of its own, the relay alone: told by a line, no row of every table.
        named = [*self.described, *(run["server"] for run in data["runs"] if run["workload"] != "W5")]
        known = dict.fromkeys(named)
        self.servers = [name for name in ORDER if name in known] + [name for name in known if name not in ORDER]
        self.runs = {}
        for run in data["runs"]:
            self.runs.setdefault(((run["workload"], run["variant"]), run["server"]), []).append(run)
        self.summary = {((entry["workload"], entry["variant"]), entry["server"], entry["metric"]): entry for entry in data.get("summary", [])}

    @classmethod
    def read(cls, path):
        return cls(json.loads(path.read_text()))

    def title(self, server):
        return self.described.get(server, {}).get("title", server)

    def kind(self, server):
        return self.described.get(server, {}).get("kind", "peer")

    def cases(self, metric, only=None):
        """Where anybody has this metric; `only` are workloads or (workload, variant or None for all)."""
        wanted = only and {one if isinstance(one, tuple) else (one, None) for one in only}
        found = {case for (case, _), runs in self.runs.items() if any(field(run, metric) is not None for run in runs)}
        if wanted:
            found = {case for case in found if case in wanted or (case[0], None) in wanted}
        return sorted(found, key=self._place)

    def _place(self, case):
        """Numbers by size, words in the order of the runs."""
        first = next(i for i, run in enumerate(self.data["runs"]) if (run["workload"], run["variant"]) == case)
        return (case[0], int(case[1]) if case[1].isdigit() else 0, first)

    def measured(self, case, server):
        return any(field(run, metric) is not None for run in self.runs.get((case, server), []) for metric in MEASURED)

    def _said(self, case, server, metric, what):
        return self.summary.get((case, server, SUMMARY_NAMES.get(metric, metric)), {}).get(what)

    def spread(self, case, server, metric):
        """(median, least, most) of the repetitions; None where there is none."""
        values = [value for run in self.runs.get((case, server), []) if (value := field(run, metric)) is not None]
        if not values:
            return None
        said = self._said(case, server, metric, "median")
        return (said if said is not None else statistics.median(values), min(values), max(values))

    def ratio(self, case, server, metric="cpu_us_per_delivery"):
        """(median, least, most) of each repetition's value over the floor's in the same repetition."""
        floors = {run["repetition"]: field(run, metric) for run in self.runs.get((case, FLOOR), [])}
        values = [field(run, metric) / floor for run in self.runs.get((case, server), [])
                  if field(run, metric) is not None and (floor := floors.get(run["repetition"]))]
        if not values:
            return None
        said = self._said(case, server, metric, "ratio_to_floor")
        return (said if said is not None else statistics.median(values), min(values), max(values))

    def ratio_cases(self):
        """What is compared by CPU per delivery: W7 and W9 are about latency, W5 about the relay."""
        return [case for case in self.cases("cpu_us_per_delivery") if case[0] not in ("W5", "W7", "W9") and self.ratios(case)]

    def ratios(self, case):
        return {server: ratio for server in self.servers if (ratio := self.ratio(case, server))}

    def faults(self, case, server):
        """Sums over the repetitions, those above 0."""
        sums = {}
        for run in self.runs.get((case, server), []):
            for name, number in (run.get("faults") or {}).items():
                sums[name] = sums.get(name, 0) + number
        return {name: number for name, number in sums.items() if number}

    def note(self, case, server):
        return next((run["note"] for run in self.runs.get((case, server), []) if run.get("note")), "")

    def relay(self):
        """W5 in a sentence; empty where it was not run."""
        for case, server in self.runs:
            cpu, rate = self.spread(case, server, "cpu_us_per_delivery"), self.spread(case, server, "deliveries_per_second")
            if case[0] == "W5" and cpu and rate:
                marked = " †" if self.faults(case, server) else ""
                return f"The relay alone, to 8 gateways (W5): {short(cpu[0])} µs of CPU per delivery to a gateway, {short(rate[0])} deliveries/s{marked}."
        return ""

    def remarks(self):
        """Every note of a run that did measure something."""
        return [f"{run['workload']} {run['variant']}, {self.title(run['server'])}, repetition {run['repetition']}: {run['note']}"
                for (case, server), runs in self.runs.items() if self.measured(case, server) for run in runs if run.get("note")]

    def about(self):
        machine = self.data.get("machine", {})
        return (f"{self.data.get('date', 'no date')}, {machine.get('model', 'unknown CPU')}, {machine.get('cpus', '?')} CPUs, Linux {machine.get('kernel', '?')}, "
                f"medians of {self.data.get('repetitions', '?')} repetitions, messages of 128 bytes; the server alone on one core.")
