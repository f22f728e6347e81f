//! The binary's command line as a user meets it: output, exit codes, and docs/configuration.md.

use std::path::Path;
use std::process::{Command, Output};

fn corelane(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CORELANE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().copied()).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

/// Value and origin of a key as `corelane config --output json` shows them.
fn shown(output: &Output, key: &str) -> (String, String) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let lines = lines.as_array().expect("an array");
    let line = lines.iter().find(|line| line["key"] == key).expect("the key is shown");
    let field = |name: &str| line[name].as_str().expect("a string").to_string();
    (field("value"), field("origin"))
}

#[test]
fn config_shows_values_and_where_they_come_from() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("corelane.toml");
    std::fs::write(&file, "node.id = 5\nlog.format = \"json\"\nnum.partitions = 2\n").unwrap();
    let file = file.to_str().unwrap();
    let arguments = [
        "config",
        "--output",
        "json",
        "--config",
        file,
        "--shards",
        "1",
        "--memory",
        "1GiB",
        "--set",
        "node.id=6",
        "--listen",
        "[::1]:0",
    ];
    let output = corelane(&arguments, &[("CORELANE_NUM_PARTITIONS", "3")]);
    let pair = |value: &str, origin: &str| (value.to_string(), origin.to_string());
    assert_eq!(shown(&output, "node.id"), pair("6", "flag --set"));
    assert_eq!(shown(&output, "listen"), pair("[::1]:0", "flag --listen"));
    assert_eq!(shown(&output, "num.partitions"), pair("3", "environment CORELANE_NUM_PARTITIONS"));
    assert_eq!(shown(&output, "log.format"), pair("json", &format!("file {file}")));
    assert_eq!(shown(&output, "journal.bytes"), pair("192MiB", "derived"));
    assert_eq!(shown(&output, "log.level"), pair("info", "default"));

    let human = corelane(&["config"], &[("CORELANE_CONFIG", file)]);
    let line = text(&human.stdout).lines().find(|line| line.starts_with("node.id ")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["node.id", "5", "file", file]);
}

#[test]
fn wrong_configuration_exits_with_2_and_names_everything_wrong() {
    let arguments = ["--set", "log.segment.byte=1", "--node-id", "x"];
    for command in ["config", "serve"] {
        let output = corelane(&[&[command], &arguments[..]].concat(), &[("CORELANE_DATADIR", "/d")]);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let errors = text(&output.stderr);
        assert!(
            errors.contains("unknown key `log.segment.byte`, did you mean `log.segment.bytes`?"),
            "{errors}"
        );
        assert!(errors.contains("flag --node-id: `node.id` cannot be `x`"), "{errors}");
        assert!(errors.contains("did you mean `CORELANE_DATA_DIR`?"), "{errors}");
    }
    for arguments in [&["serve", "--no-such-flag"][..], &["serve", "--shards", "1", "--cpus", "0"], &[]] {
        assert_eq!(corelane(arguments, &[]).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_machine_that_does_not_fit_exits_with_1_and_a_log_line_for_each_problem() {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let data = directory.path().to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let small = ["--memory", "320MiB", "--shards", "1", "--shard-ports", "0", "--admin", "none"];
    let arguments = ["serve", "--data-dir", data, "--listen", &listen, "--set", "log.format=json"];
    let output = corelane(&[&arguments[..], &small[..]].concat(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let lines: Vec<serde_json::Value> =
        text(&output.stderr).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let message =
        lines.iter().find(|line| line["level"] == "ERROR").expect("an error")["message"].to_string();
    assert!(message.contains(&listen) && message.contains("in use"), "{message}");
    assert!(lines[0]["timestamp"].as_str().unwrap().ends_with('Z'), "UTC");
}

#[test]
fn version_and_help() {
    let version = corelane(&["--version"], &[]);
    assert_eq!(text(&version.stdout), format!("corelane {}\n", env!("CARGO_PKG_VERSION")));
    let help = corelane(&["serve", "--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("--shard-ports <FIRST>"));
}

#[test]
fn the_committed_table_of_keys_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let document = std::fs::read_to_string(path).unwrap();
    let generated = corelane(&["config", "--markdown"], &[]);
    assert!(
        document.contains(text(&generated.stdout)),
        "replace the table in docs/configuration.md by the output of `corelane config --markdown`"
    );
}
