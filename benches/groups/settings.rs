//! Settings of the broker that a measurement wants unless the command line says otherwise.

/// Adds `KEY=VALUE` settings to the broker's arguments where their keys are not set.
pub fn add_defaults(arguments: &mut Vec<String>, defaults: &[&str]) {
    for default in defaults {
        let (key, _) = default.split_once('=').expect("a setting");
        let is_key = |argument: &String| argument.split_once('=').is_some_and(|(set, _)| set == key);
        if !arguments.iter().any(is_key) {
            arguments.extend(["--set".to_owned(), (*default).to_owned()]);
        }
    }
}
