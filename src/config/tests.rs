//! The configuration as a whole: precedence, origins, derived values, and what is refused.

use std::path::PathBuf;

use super::settings::{Assignment, Origin};
use super::typed::{Advertise, Config, LogFormat};
use super::{ConfigErrors, Inputs, Loaded, Machine, load};
use crate::base::ids::ShardId;
use crate::base::limits::EXTENT_BYTES_DEFAULT;

const GIB: u64 = 1 << 30;

fn machine() -> Machine {
    Machine { allowed_cpus: vec![0, 1, 2, 3], memory_bytes: 16 * GIB }
}

/// Loads with a file's text, variables (without `CORELANE_`) and `--set` pairs.
fn load_from(
    file: &str,
    variables: &[(&str, &str)],
    set: &[(&str, &str)],
    machine: &Machine,
) -> Result<Loaded, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("corelane.toml");
    std::fs::write(&path, file).unwrap();
    let environment = variables.iter().map(|(name, value)| (format!("CORELANE_{name}"), value.to_string()));
    let assign = |(key, value): &(&str, &str)| Assignment {
        key: key.to_string(),
        value: value.to_string(),
        origin: Origin::Flag("set"),
    };
    let inputs = Inputs {
        file: Some(path),
        environment: environment.collect(),
        command_line: set.iter().map(assign).collect(),
    };
    load(&inputs, machine)
}

fn config_with(set: &[(&str, &str)]) -> Config {
    load_from("", &[], set, &machine()).unwrap().config
}

fn errors_of(file: &str, variables: &[(&str, &str)], set: &[(&str, &str)]) -> String {
    load_from(file, variables, set, &machine()).unwrap_err().to_string()
}

fn effective<'a>(loaded: &'a Loaded, key: &str) -> (&'a str, &'a Origin) {
    let line = loaded.effective.iter().find(|line| line.key == key).expect(key);
    (&line.value, &line.origin)
}

#[test]
fn defaults() {
    let loaded = load(&Inputs::default(), &machine()).unwrap();
    let config = &loaded.config;
    assert_eq!(config.data_dir, PathBuf::from("./corelane-data"));
    assert_eq!(config.journal_dir, config.data_dir);
    assert_eq!(config.shard_cpus, [0, 1, 2, 3]);
    assert_eq!(config.memory_bytes, 8 * GIB);
    assert_eq!(config.num_partitions, 4);
    assert_eq!(config.journal_bytes, 448 << 20);
    assert_eq!(config.journal_bypass_bytes, EXTENT_BYTES_DEFAULT);
    assert_eq!(config.message_max_bytes, 1_048_588);
    assert_eq!(config.socket_request_max_bytes, 104_857_600);
    assert_eq!(config.broker_rack, "node-1");
    assert_eq!(config.advertise, Advertise::Shard);
    assert_eq!(config.log_format, LogFormat::Human);
    let [listener] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!(listener.bind.to_string(), "127.0.0.1:9092");
    assert_eq!(listener.shard_port(ShardId(3)), 9195);
    assert_eq!(listener.advertised_shard(ShardId(1), 9193).to_string(), "127.0.0.1:9193");
    assert_eq!(effective(&loaded, "node.id"), ("1", &Origin::Default));
    assert_eq!(effective(&loaded, "memory"), ("8GiB", &Origin::Derived));
}

#[test]
fn later_places_win_and_each_value_knows_its_place() {
    let file = "node.id = 2\nlog.level = \"warn\"\nnum.partitions = 5\n";
    let variables = [("LOG_LEVEL", "debug"), ("NUM_PARTITIONS", "6")];
    let loaded = load_from(file, &variables, &[("num.partitions", "7")], &machine()).unwrap();
    let (value, origin) = effective(&loaded, "node.id");
    assert_eq!(value, "2");
    assert!(origin.to_string().starts_with("file "), "{origin}");
    let (value, origin) = effective(&loaded, "log.level");
    assert_eq!((value, origin.to_string().as_str()), ("debug", "environment CORELANE_LOG_LEVEL"));
    let (value, origin) = effective(&loaded, "num.partitions");
    assert_eq!((value, origin.to_string().as_str()), ("7", "flag --set"));
    assert_eq!(loaded.config.num_partitions, 7);
}

#[test]
fn the_effective_values_are_a_configuration_of_the_same_effect() {
    let loaded = load(&Inputs::default(), &machine()).unwrap();
    // `cpus` stands for `shards`, as both may be set if they agree.
    let set: Vec<_> = loaded.effective.iter().map(|line| (line.key.as_str(), line.value.as_str())).collect();
    assert_eq!(config_with(&set), loaded.config);
}

#[test]
fn all_that_is_wrong_is_reported_at_once() {
    let errors = errors_of(
        "log.segment.byte = 1\nnode.id = -1\n",
        &[("NUM_PARTITION", "1")],
        &[("memory", "lots"), ("message.max.bytes", "1MiB")],
    );
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines.len(), 5, "{errors}");
    assert!(errors.contains("unknown key `log.segment.byte`, did you mean `log.segment.bytes`?"));
    assert!(errors.contains("`node.id` cannot be `-1`: expected 0 to 2147482"));
    assert!(errors.contains("did you mean `CORELANE_NUM_PARTITIONS`?"));
    assert!(errors.contains("flag --set: `memory` cannot be `lots`: expected a size such as"));
    assert!(errors.contains("takes a plain number of bytes: write 1048576"));
}

#[test]
fn a_node_among_others_has_a_port_and_voters() {
    assert_eq!(config_with(&[]).cluster, None);
    let voters = ("voters", "1@a:9191,2@b:9191,3@c:9191");
    let voter = config_with(&[("cluster.listen", "0.0.0.0:9191"), voters]).cluster.expect("a cluster");
    assert_eq!((voter.advertised.to_string(), voter.voters.len()), ("a:9191".to_owned(), 3));
    let follower = config_with(&[("cluster.listen", "10.0.0.4:9191"), voters, ("node.id", "4")]);
    assert_eq!(follower.cluster.expect("a cluster").advertised.to_string(), "10.0.0.4:9191");
    let errors = errors_of("", &[], &[voters]);
    assert!(errors.contains("`voters` is set and `cluster.listen` is not"), "{errors}");
    let errors = errors_of("", &[], &[("cluster.listen", "a:1")]);
    assert!(errors.contains("`cluster.listen` is set and `voters` is not"), "{errors}");
    let errors = errors_of("", &[], &[("cluster.listen", "0.0.0.0:9191"), voters, ("node.id", "4")]);
    assert!(errors.contains("other nodes cannot connect to 0.0.0.0:9191"), "{errors}");
}

#[test]
fn shards_and_cpus() {
    assert_eq!(config_with(&[("shards", "2")]).shard_cpus, [0, 1]);
    assert_eq!(config_with(&[("cpus", "1,3")]).shard_cpus, [1, 3]);
    assert_eq!(config_with(&[("shards", "6")]).shard_cpus, [0, 1, 2, 3, 0, 1]);
    let errors = errors_of("shards = 3", &[], &[("cpus", "0-1")]);
    assert!(
        errors.contains("`shards` is 3 (file") && errors.contains("`cpus` names 2 (flag --set)"),
        "{errors}"
    );
    let none = Machine { allowed_cpus: Vec::new(), ..machine() };
    assert!(load(&Inputs::default(), &none).unwrap_err().to_string().contains("no CPU is allowed"));
}

#[test]
fn little_memory_means_fewer_shards_or_a_remedy() {
    let small = Machine { memory_bytes: GIB + GIB / 4, ..machine() };
    let config = load(&Inputs::default(), &small).unwrap().config;
    assert_eq!(config.shards(), 2);
    assert!(config.shards_cut_by_memory);
    let set = [("shards", "4"), ("memory", "600MiB")];
    let errors = errors_of("", &[], &set);
    assert!(errors.contains("set --memory 1088MiB or more, or --shards 2"), "{errors}");
    assert_eq!(config_with(&[("shards", "4"), ("memory", "1088MiB")]).budgets.shard_bytes, 256 << 20);
    let errors = errors_of("", &[], &[("memory", "100MiB")]);
    assert!(errors.ends_with("set --memory 320MiB or more"), "{errors}");
}

#[test]
fn what_exceeds_its_budget_is_refused_with_the_memory_that_would_do() {
    let tight = [("shards", "1"), ("memory", "320MiB")];
    for (key, value, remedy) in [
        ("journal.bytes", "512MiB", "set it to 192MiB or less, or --memory 747MiB or more"),
        ("message.max.bytes", "10000000", "set it to 8947848 or less, or --memory 351MiB or more"),
        ("socket.request.max.bytes", "104857600", "set it to 42949672 or less, or --memory 689MiB or more"),
        ("fetch.max.bytes", "57671680", "set it to 34896609 or less, or --memory 488MiB or more"),
        ("max.connections", "8192", "set it to 1310 or less, or --memory 1664MiB or more"),
    ] {
        let errors = errors_of("", &[], &[&tight[..], &[(key, value)]].concat());
        assert!(errors.contains(key) && errors.ends_with(remedy), "{errors}");
        let memory = remedy.split("--memory ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        config_with(&[("shards", "1"), ("memory", memory), (key, value)]);
    }
    let config = config_with(&tight);
    assert!(config.socket_request_max_bytes as u64 <= config.budgets.request_bytes);
    assert!(config.fetch_max_bytes as u64 <= config.budgets.fetch_bytes);
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    let errors =
        errors_of("", &[], &[("message.max.bytes", "2000000"), ("socket.request.max.bytes", "1000000")]);
    assert!(errors.contains("`socket.request.max.bytes` of 1000000 is too small"), "{errors}");
    let errors = errors_of("", &[], &[("message.max.bytes", "2000000"), ("log.segment.bytes", "1048576")]);
    assert!(errors.contains("set it to 2000000 or more"), "{errors}");
}

#[test]
fn a_wildcard_needs_a_host_for_clients() {
    for wildcard in ["0.0.0.0:9092", "[::]:9092"] {
        let errors = errors_of("", &[], &[("listen", wildcard)]);
        assert!(errors.contains("--advertise-host"), "{errors}");
    }
    let config = config_with(&[("listen", "0.0.0.0:9092"), ("advertised.host", "kafka.example.com")]);
    assert_eq!(config.listeners[0].advertised_bootstrap(9092).to_string(), "kafka.example.com:9092");
    let errors = errors_of("", &[], &[("listen", "0.0.0.0:9092"), ("advertised.host", "::")]);
    assert!(errors.contains("no client can connect to a wildcard"), "{errors}");
}

#[test]
fn ports() {
    let config = config_with(&[("listen", "[::1]:0")]);
    assert_eq!(config.listeners[0].shard_port(ShardId(2)), 0);
    assert_eq!(config.listeners[0].advertised_shard(ShardId(2), 40_000).to_string(), "[::1]:40000");
    let config = config_with(&[("shard.ports", "7000"), ("advertised.shard.ports", "17000")]);
    assert_eq!(config.listeners[0].shard_port(ShardId(2)), 7002);
    assert_eq!(config.listeners[0].advertised_shard(ShardId(2), 7002).port, 17_002);

    let beyond = errors_of("", &[], &[("listen", "127.0.0.1:65500")]);
    assert!(beyond.contains("4 ports from 65600 on") && beyond.contains("`shard.ports`"), "{beyond}");
    config_with(&[("listen", "127.0.0.1:65500"), ("shard.ports", "7000")]);
    config_with(&[("listen", "127.0.0.1:65500"), ("advertise", "node")]);
    let beyond = errors_of("", &[], &[("shard.ports", "65533")]);
    assert!(beyond.contains("4 ports from 65533 on"), "{beyond}");
    let twice = errors_of("", &[], &[("shard.ports", "9090")]);
    assert!(twice.contains("port 9092 is meant for listener `default` and for shard 2"), "{twice}");
    let admin = errors_of("", &[], &[("admin.listen", "0.0.0.0:9192")]);
    assert!(admin.contains("port 9192 is meant for the admin port and for shard 0"), "{admin}");
    assert_eq!(config_with(&[("admin.listen", "none")]).admin, None);
    assert_eq!(config_with(&[]).admin.unwrap().to_string(), "127.0.0.1:9644");
}

#[test]
fn listeners_as_records() {
    let file = r#"
        [[listener]]
        name = "inside"
        listen = "10.0.0.1:9092"
        [[listener]]
        name = "outside"
        listen = "0.0.0.0:19092"
        advertised = { host = "kafka.example.com", port = 443, shard.ports = 30000 }
    "#;
    let loaded = load_from(file, &[], &[], &machine()).unwrap();
    let [inside, outside] = &loaded.config.listeners[..] else { panic!("two listeners") };
    assert_eq!(inside.advertised_bootstrap(9092).to_string(), "10.0.0.1:9092");
    assert_eq!(outside.advertised_bootstrap(19_092).to_string(), "kafka.example.com:443");
    assert_eq!(outside.shard_port(ShardId(1)), 19_193);
    assert_eq!(outside.advertised_shard(ShardId(1), 19_193).to_string(), "kafka.example.com:30001");
    assert_eq!(effective(&loaded, "listener.outside.shard.ports"), ("19192", &Origin::Derived));
    assert!(loaded.effective.iter().all(|line| line.key != "listen"));

    let errors = errors_of(file, &[("LISTEN", "127.0.0.1:1")], &[]);
    assert!(errors.starts_with("environment CORELANE_LISTEN sets `listen`, but the file has"), "{errors}");
    let errors = errors_of(&file.replace("outside", "inside"), &[], &[]);
    assert!(errors.contains("are named `inside`"), "{errors}");
    let errors = errors_of(&file.replace("19092", "9192"), &[], &[]);
    assert!(errors.contains("port 9192 is meant for shard 0 of listener `inside`"), "{errors}");
    let errors = errors_of(&file.replace("port = 443", "prot = 443"), &[], &[]);
    assert!(errors.contains("unknown key `advertised.prot`, did you mean `advertised.port`?"), "{errors}");
    let errors = errors_of(&"[[listener]]\n".repeat(17), &[], &[]);
    assert!(errors.contains("17 [[listener]] tables"), "{errors}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let inputs = Inputs { file: Some("/nonexistent/c.toml".into()), ..Inputs::default() };
    let errors = load(&inputs, &machine()).unwrap_err().to_string();
    assert!(errors.contains("cannot read the configuration file /nonexistent/c.toml"), "{errors}");
    let environment = vec![("CORELANE_CONFIG".to_string(), "/nonexistent/d.toml".to_string())];
    let errors = load(&Inputs { environment, ..Inputs::default() }, &machine()).unwrap_err().to_string();
    assert!(errors.contains("/nonexistent/d.toml"), "{errors}");
    let errors = errors_of(&"#".repeat((1 << 20) + 1), &[], &[]);
    assert!(errors.contains("longer than 1MiB"), "{errors}");
}
