//! A view as tables of text, for the terminal and for `--once`.

use indicatif::HumanBytes;

use super::super::super::table::table;
use super::super::output::cell;
use super::broker::{Broker, Budget, Shard};
use super::latency::Latency;
use super::view::{Group, Topic, View};

/// In which order topics and groups are shown.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Order {
    /// By rate, by lag, and by how full it is.
    #[default]
    Most,
    /// By name.
    Name,
}

/// A table of the view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// What stands above it.
    pub title: String,
    /// The line of headings.
    pub heading: String,
    /// A line for each thing.
    pub rows: Vec<String>,
}

impl Section {
    fn new(title: impl Into<String>, heading: &[&str], rows: &[Vec<String>]) -> Self {
        let text = table(heading, rows);
        let mut lines = text.lines().map(str::to_owned);
        Self { title: title.into(), heading: lines.next().unwrap_or_default(), rows: lines.collect() }
    }
}

/// One line about all of it.
pub fn summary(view: &View) -> String {
    let records = rate(Some(view.records_per_second()));
    let broker = view.broker.as_ref().map_or(String::new(), |broker| {
        let state = if broker.is_ready { "ready" } else { "NOT READY" };
        format!(", corelane {} {state}", broker.version)
    });
    format!("{} topics, {records} records/s, {} groups{broker}", view.topics.len(), view.groups.len())
}

/// The tables of a view; those of a Corelane node only where it is looked at. Names of topics and groups are cut to so
/// many characters.
pub fn sections(view: &View, order: Order, name_chars: usize) -> Vec<Section> {
    let mut sections = vec![topics(&view.topics, order, name_chars), groups(view, order, name_chars)];
    if let Some(Broker { latencies, shards, budgets, .. }) = &view.broker {
        sections.push(latency_table(latencies, order));
        sections.push(shard_table(shards));
        sections.push(budget_table(budgets, order));
    }
    sections
}

/// A name as it is, or its beginning where it is longer.
fn short(name: &str, chars: usize) -> String {
    match name.char_indices().nth(chars) {
        None => name.to_owned(),
        Some(_) => name.chars().take(chars.saturating_sub(1)).chain(['…']).collect(),
    }
}

fn topics(topics: &[Topic], order: Order, name_chars: usize) -> Section {
    let mut topics: Vec<&Topic> = topics.iter().collect();
    if order == Order::Most {
        // Stable: what is equal stays by name. No rate is less than none.
        let key = |topic: &Topic| topic.records_per_second.unwrap_or(-1.0);
        topics.sort_by(|one, other| key(other).total_cmp(&key(one)));
    }
    let row = |it: &&Topic| {
        let silent = silent(it.silent_partitions);
        vec![short(&it.topic, name_chars), it.partitions.to_string(), rate(it.records_per_second), silent]
    };
    Section::new(
        "topics",
        &["topic", "partitions", "records/s", ""],
        &topics.iter().map(row).collect::<Vec<_>>(),
    )
}

/// Empty where all partitions are known.
fn silent(partitions: usize) -> String {
    if partitions == 0 { String::new() } else { format!("{partitions} silent") }
}

fn groups(view: &View, order: Order, name_chars: usize) -> Section {
    let mut groups: Vec<&Group> = view.groups.iter().collect();
    if order == Order::Most {
        groups.sort_by_key(|group| std::cmp::Reverse(group.known_lag));
    }
    let row = |it: &&Group| {
        let change = it.lag_per_second.map(|change| format!("{change:.1}"));
        vec![
            short(&it.group, name_chars),
            it.state.clone(),
            it.members.to_string(),
            match (it.silent_partitions, it.known_lag) {
                (1.., Some(known)) => format!("{known}+?"),
                (_, known) => cell(known),
            },
            cell(change),
            silent(it.silent_partitions),
        ]
    };
    let title = match view.groups_left_out {
        0 => "groups".to_owned(),
        more => format!("groups ({more} more are not looked at)"),
    };
    let heading = ["group", "state", "members", "lag", "lag change/s", ""];
    Section::new(title, &heading, &groups.iter().map(row).collect::<Vec<_>>())
}

fn latency_table(latencies: &[Latency], order: Order) -> Section {
    let mut latencies: Vec<&Latency> = latencies.iter().collect();
    if order == Order::Most {
        latencies.sort_by(|one, other| other.requests_per_second.total_cmp(&one.requests_per_second));
    }
    let ms = |ms: Option<f64>| cell(ms.map(|ms| format!("{ms:.3}")));
    let row = |it: &&Latency| {
        vec![it.api.clone(), rate(Some(it.requests_per_second)), ms(it.p50_ms), ms(it.p99_ms), ms(it.p999_ms)]
    };
    let heading = ["request", "per second", "p50 ms", "p99 ms", "p99.9 ms"];
    Section::new("latencies, at most", &heading, &latencies.iter().map(row).collect::<Vec<_>>())
}

fn shard_table(shards: &[Shard]) -> Section {
    let row = |it: &Shard| {
        let state = match (it.is_up, it.can_write) {
            (false, _) => "does not answer",
            (true, Some(false)) => "CANNOT WRITE",
            (true, _) => "up",
        };
        vec![
            it.shard.to_string(),
            state.to_owned(),
            cell(it.connections),
            rate(it.appended_records_per_second),
            bytes_rate(it.appended_bytes_per_second),
            bytes_rate(it.read_bytes_per_second),
        ]
    };
    let heading = ["shard", "state", "connections", "records/s", "appended/s", "read/s"];
    Section::new("shards", &heading, &shards.iter().map(row).collect::<Vec<_>>())
}

fn budget_table(budgets: &[Budget], order: Order) -> Section {
    let mut budgets: Vec<&Budget> = budgets.iter().collect();
    if order == Order::Most {
        budgets.sort_by(|one, other| other.fullest_shard_percent.total_cmp(&one.fullest_shard_percent));
    }
    let row = |it: &&Budget| {
        vec![
            it.budget.clone(),
            HumanBytes(it.used_bytes).to_string(),
            HumanBytes(it.limit_bytes).to_string(),
            format!("{:.1} %", it.fullest_shard_percent),
        ]
    };
    let heading = ["budget", "used", "limit", "fullest shard"];
    Section::new("budgets", &heading, &budgets.iter().map(row).collect::<Vec<_>>())
}

fn rate(per_second: Option<f64>) -> String {
    cell(per_second.map(|rate| format!("{rate:.1}")))
}

fn bytes_rate(per_second: Option<f64>) -> String {
    cell(per_second.map(|rate| HumanBytes(rate as u64)))
}

/// All of it as plain text.
pub fn text(view: &View) -> String {
    let mut text = format!("{}\n", summary(view));
    for Section { title, heading, rows } in sections(view, Order::default(), usize::MAX) {
        text.push_str(&format!("\n{title}\n  {heading}\n"));
        rows.iter().for_each(|row| text.push_str(&format!("  {row}\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::example;
    use super::*;

    #[test]
    fn what_is_most_comes_first_if_asked_for() {
        let names = |order| {
            let sections = sections(&example(), order, usize::MAX);
            let first = |row: &String| row.split(' ').next().unwrap_or_default().to_owned();
            sections[1].rows.iter().map(first).collect::<Vec<_>>()
        };
        assert_eq!(names(Order::Name), ["a", "g"]);
        assert_eq!(names(Order::Most), ["g", "a"]);
    }

    #[test]
    fn long_names_leave_room_for_numbers() {
        assert_eq!((short("abc", 3).as_str(), short("abcd", 3).as_str()), ("abc", "ab…"));
        assert_eq!((short("äöü", 2).as_str(), short("", 0).as_str()), ("ä…", ""));
    }

    #[test]
    fn what_is_not_known_of_a_lag_shows() {
        let mut view = example();
        view.groups[1].silent_partitions = 3;
        assert!(text(&view).contains("20+?           5.0  3 silent\n"), "{}", text(&view));
    }

    #[test]
    fn plain_text() {
        let expected = "1 topics, 100.0 records/s, 2 groups\n\n\
            topics\n  topic  partitions  records/s\n  t               2      100.0  1 silent\n\n\
            groups\n  group  state   members  lag  lag change/s\n  g      Stable        2   20           5.0\n  \
            a      Stable        2    -             -\n";
        assert_eq!(text(&example()), expected);
    }
}
