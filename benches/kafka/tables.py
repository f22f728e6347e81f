"""The tables of benches/RESULTS.md, from loadgen's reports."""

import os
import statistics

from brokers import SUBJECTS
from measure import PAIRS, read
from points import BATCHES, IN_FLIGHT, PRODUCERS, RECORD_SIZE, Point

BEGIN, END = "<!-- written by benches/kafka/run: begin -->", "<!-- written by benches/kafka/run: end -->"
TITLES = {subject.name: subject.title for subject in SUBJECTS}
PERCENTILES = ("p50", "p99", "p999")


def section(reports):
    """Everything that the reports below a directory say."""
    rounds = collect(reports)
    if not rounds:
        raise SystemExit(f"benches/kafka/run: no reports in {reports}")
    lines = [BEGIN, "## Side by side with Apache Kafka", "", *how(rounds), ""]
    for kind, latency in (("produce", "response"), ("end-to-end", "end_to_end")):
        own = {point: found for point, found in rounds.items() if point.kind == kind}
        if own:
            lines += [f"### {kind.capitalize()}: capacity, records/s", "", *capacities(own), ""]
            for pair in PAIRS:
                lines += [f"### {kind.capitalize()}: {TITLES[pair[1]]} and {TITLES[pair[0]]} at the same rate, ms", "",
                          *latencies(own, pair, latency), ""]
    lines += ["### Where Corelane loses", "", *losses(rounds), END]
    return "\n".join(lines)


def write(path, text):
    """Puts the section into the file, in place of the last one."""
    old = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            old = file.read()
    if BEGIN in old:
        before, rest = old.split(BEGIN, 1)
        new = before + text + rest.split(END, 1)[1]
    else:
        new = (old.rstrip() or "# Results") + "\n\n" + text + "\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(new)


def collect(reports):
    """Reports by point and measurement, one for each round."""
    found = {}
    for name in sorted(os.listdir(reports)):
        measurements = {}
        for number in sorted(os.listdir(os.path.join(reports, name))):
            path = os.path.join(reports, name, number)
            for measurement in os.listdir(path):
                report = whole_report(os.path.join(path, measurement))
                if report is not None:
                    measurements.setdefault(measurement, []).append(report)
        found[Point.named(name)] = measurements
    return dict(sorted(found.items(), key=lambda item: (item[0].partitions, BATCHES[item[0].batch])))


def whole_report(directory):
    """None where the measurement failed or was cut short."""
    try:
        report = read(directory)
    except FileNotFoundError:
        return None
    return report if report["partial"] is None and not report["errors"] else None


def how(rounds):
    some = next(report for found in rounds.values() for reports in found.values() for report in reports)
    machine = some["machine"]
    counts = sorted({len(reports) for found in rounds.values() for reports in found.values()})
    return [
        f"{machine['cpu']}, Linux {machine['kernel']}, {machine['system']}. Each broker on core 0, the load on core 1."
        f" {PRODUCERS} producers with up to {IN_FLIGHT} requests outstanding each, records of {RECORD_SIZE}, acks all."
        " Kafka as shipped acknowledges from memory, the other two when the record is on disk.",
        "",
        "Capacity is that of a closed loop. Latency is that of an open loop at half the capacity of the slower one of"
        " the two, counted from the intended send time to the answer, or end to end to the consumer.",
        "",
        f"Medians over {' to '.join(str(count) for count in counts)} alternating rounds. `benches/kafka/run` repeats"
        " it.",
    ]


def capacities(rounds):
    names = list(TITLES)
    rows = [["partitions", "records a request", *TITLES.values(), *(f"to {TITLES[name]}" for name in names[:-1])]]
    for point, found in rounds.items():
        rates = {name: median(found.get(f"capacity-{name}"), capacity_of) for name in names}
        ratios = [ratio(rates["corelane"], rates[name]) for name in names[:-1]]
        cells = [count(rates[name]) for name in names]
        rows.append([str(point.partitions), str(BATCHES[point.batch]), *cells, *ratios])
    return table(rows)


def latencies(rounds, pair, latency):
    rows = [["partitions", "records a request", "records/s"]]
    rows[0] += [f"{TITLES[name]} {percentile}" for name in pair for percentile in ("p50", "p99", "p99.9")]
    rows[0] += ["p99 ratio"]
    for point, found in rounds.items():
        values = values_of(found, pair, latency)
        rate = median(found.get(f"latency-{'-'.join(pair)}-corelane"), offered_of)
        cells = [f"{value:.2f}" if value is not None else "-" for name in pair for value in values[name]]
        rows.append([str(point.partitions), str(BATCHES[point.batch]), count(rate), *cells,
                     ratio(values[pair[0]][1], values[pair[1]][1])])
    return table(rows)


def values_of(found, pair, latency):
    reports = {name: found.get(f"latency-{'-'.join(pair)}-{name}") for name in pair}
    return {name: [median(own, lambda report, at=percentile: report["latency_ms"][latency][at])
                   for percentile in PERCENTILES] for name, own in reports.items()}


def losses(rounds):
    """Every point at which Kafka as shipped is ahead, and every one at which a syncing Kafka is less than ten times
    slower from 100 partitions on."""
    lines = []
    for point, found in rounds.items():
        ours, theirs = (median(found.get(f"capacity-{name}"), capacity_of) for name in ("corelane", "kafka"))
        if None not in (ours, theirs) and ours < theirs:
            lines.append(f"- {point.title}: {count(ours)} records/s against {count(theirs)} of Kafka as shipped.")
        latency = "response" if point.kind == "produce" else "end_to_end"
        values = values_of(found, PAIRS[0], latency)
        for place, percentile in ((1, "p99"), (2, "p99.9")):
            ours, theirs = values["corelane"][place], values["kafka"][place]
            if None not in (ours, theirs) and ours > theirs:
                lines.append(f"- {point.title}: {percentile} {ours:.2f} ms against {theirs:.2f} of Kafka as shipped.")
        values = values_of(found, PAIRS[1], latency)
        ours, theirs = values["corelane"][1], values["kafka-sync"][1]
        if None not in (ours, theirs) and point.partitions >= 100 and ours * 10 > theirs:
            lines.append(f"- {point.title}: p99 {ours:.2f} ms against {theirs:.2f} of a syncing Kafka is less than ten"
                         " times lower.")
    return lines or ["Nowhere, by these figures."]


def capacity_of(report):
    return report["rates"]["achieved_records_per_s"]


def offered_of(report):
    return report["rates"]["offered_records_per_s"]


def median(reports, value):
    return statistics.median(value(report) for report in reports) if reports else None


def ratio(one, other):
    return f"{one / other:.2f}" if one is not None and other else "-"


def count(value):
    return f"{value:,.0f}" if value is not None else "-"


def table(rows):
    first, *rest = rows
    lines = [first, ["---:"] * len(first), *rest]
    return ["| " + " | ".join(line) + " |" for line in lines]
