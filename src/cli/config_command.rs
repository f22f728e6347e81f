//! `corelane config`.

use std::io::{self, Write};

use serde_json::json;

use super::arguments::Output;
use crate::config::EffectiveValue;

/// Prints every value with its origin.
pub fn print(values: &[EffectiveValue], output: Output, mut out: impl Write) -> io::Result<()> {
    match output {
        Output::Human => out.write_all(table(values).as_bytes()),
        Output::Json => {
            let line = |value: &EffectiveValue| json!({ "key": value.key, "value": value.value, "origin": value.origin.to_string() });
            let lines: Vec<_> = values.iter().map(line).collect();
            serde_json::to_writer_pretty(&mut out, &lines)?;
            writeln!(out)
        }
    }
}

fn table(values: &[EffectiveValue]) -> String {
    let width =
        |column: fn(&EffectiveValue) -> &str| values.iter().map(|line| column(line).len()).max().unwrap_or(0);
    let (keys, texts) = (width(|line| &line.key), width(|line| &line.value));
    let row = |line: &EffectiveValue| format!("{:keys$}  {:texts$}  {}\n", line.key, line.value, line.origin);
    values.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;

    fn printed(output: Output) -> String {
        let line =
            |key: &str, value: &str, origin| EffectiveValue { key: key.into(), value: value.into(), origin };
        let values = [line("a.long.key", "1", Origin::Default), line("b", "two", Origin::Flag("set"))];
        let mut out = Vec::new();
        print(&values, output, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn both_outputs() {
        assert_eq!(printed(Output::Human), "a.long.key  1    default\nb           two  flag --set\n");
        let json: serde_json::Value = serde_json::from_str(&printed(Output::Json)).unwrap();
        assert_eq!(json[1], json!({ "key": "b", "value": "two", "origin": "flag --set" }));
    }
}
