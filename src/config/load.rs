//! Reads the configuration from everywhere: defaults, then the file, then the environment, then flags.

use std::path::PathBuf;

use super::environment::{self, CONFIG_VARIABLE};
use super::error::{ConfigError, ConfigErrors};
use super::file::{self, FileContent};
use super::keys::{KEYS, LISTENER_KEYS};
use super::machine::Machine;
use super::resolve::resolve;
use super::settings::{Assignment, EffectiveValue, Origin, Settings};
use super::typed::Config;
use crate::base::limits::LISTENERS_MAX;

/// Where values come from, besides the defaults.
#[derive(Clone, Default, Debug)]
pub struct Inputs {
    /// `--config`; else `CORELANE_CONFIG` of the environment names the file, if any.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Flags and `--set`, weakest first.
    pub command_line: Vec<Assignment>,
}

/// The configuration, and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What holds.
    pub config: Config,
    /// Every value with its origin, in the order of the table.
    pub effective: Vec<EffectiveValue>,
}

/// Reads, checks and resolves everything; else says all that is wrong.
pub fn load(inputs: &Inputs, machine: &Machine) -> Result<Loaded, ConfigErrors> {
    let content = read_file(inputs).map_err(ConfigErrors)?;
    let (variables, mut errors) = environment::read(&inputs.environment);
    let mut settings = Settings::new(&KEYS);
    for assignment in content.assignments.iter().chain(&variables).chain(&inputs.command_line) {
        errors.extend(settings.assign(assignment).err());
    }
    let mut listeners = read_listeners(&content, &settings, &mut errors);
    if !errors.is_empty() {
        return Err(ConfigErrors(errors));
    }
    let config = resolve(&mut settings, &mut listeners, machine).map_err(ConfigErrors)?;
    Ok(Loaded { effective: effective(&settings, &listeners), config })
}

fn read_file(inputs: &Inputs) -> Result<FileContent, Vec<ConfigError>> {
    let variable = || inputs.environment.iter().find(|(name, _)| name == CONFIG_VARIABLE);
    let path = inputs.file.clone().or_else(|| variable().map(|(_, value)| PathBuf::from(value)));
    path.map_or(Ok(FileContent::default()), |path| file::read(&path))
}

/// The keys that describe the only listener, where there are no `[[listener]]` tables.
fn is_listener_key(key: &str) -> bool {
    LISTENER_KEYS.iter().any(|listener_key| listener_key.name == key)
}

fn read_listeners(
    content: &FileContent,
    settings: &Settings,
    errors: &mut Vec<ConfigError>,
) -> Vec<Settings> {
    let count = content.listeners.len();
    if count > LISTENERS_MAX {
        errors.push(ConfigError::TooManyListeners { count, max: LISTENERS_MAX });
        return Vec::new();
    }
    if count > 0 {
        let set = KEYS.iter().filter(|key| is_listener_key(key.name) && settings.is_set(key.name));
        errors.extend(set.map(|key| {
            let origin: Origin = settings.origin(key.name).clone();
            ConfigError::ListenerAndKey { key: key.name, origin }
        }));
    }
    let mut listeners = Vec::new();
    for assignments in &content.listeners {
        let mut listener = Settings::new(&LISTENER_KEYS);
        errors.extend(assignments.iter().filter_map(|assignment| listener.assign(assignment).err()));
        listeners.push(listener);
    }
    listeners
}

fn effective(settings: &Settings, listeners: &[Settings]) -> Vec<EffectiveValue> {
    let mut lines = settings.effective("", |key| listeners.is_empty() || !is_listener_key(key));
    for listener in listeners {
        let prefix = format!("listener.{}.", listener.text("name"));
        lines.extend(listener.effective(&prefix, |key| key != "name"));
    }
    lines
}
