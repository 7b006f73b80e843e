//! Reads settings in this order: flag, environment variable, `config.yaml`, default; the first that is set wins (A14).
//! I/O: the command line, the environment and that one file, once, at start. A mistake ends the process with a sentence.
//!
//! The file's keys are the names of the environment variables, so any argument with `env = "…"` can be set in it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Parser};
use serde_json::{Map, Value};

/// Environment variable that names the file.
pub(super) const CONFIG_FILE: &str = "CONFIG_FILE";
const DEFAULT_FILE: &str = "config.yaml";
const MAX_BYTES: usize = 256 * 1024;
/// Elsewhere an empty variable counts as unset, as it does for Go programs and in Helm charts (X2 asks for this one).
const EMPTY_IS_A_VALUE: &[&str] = &["VM_NAME_PREFIX"];

/// The settings in force with where each came from, for one log line at start. Holds no values of hidden settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective(Vec<(String, String, &'static str)>);

/// The settings of this process. On a mistake, `--help` or `--version`, prints and exits as clap does.
pub fn parse<A: Parser>() -> (A, Effective) {
    let args: Vec<OsString> = std::env::args_os().collect();
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|e| usage(&A::command(), format!("cannot read {}: {e}", path.display())))
    };
    let file = match named_file(&args) {
        Some(path) => read(&path).map(|text| Some((path, text))),
        None if Path::new(DEFAULT_FILE).exists() => {
            read(Path::new(DEFAULT_FILE)).map(|text| Some((PathBuf::from(DEFAULT_FILE), text)))
        }
        None => Ok(None),
    };
    let parsed = file.and_then(|file| {
        let file = file.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
        parse_from(args, file)
    });
    parsed.unwrap_or_else(|error| error.exit())
}

/// As [`parse`], from the given arguments (the program's name first) and the file's path and text.
///
/// Guarantees: a key of the file that no argument has is an error that names the nearest one; a bad value in the file
/// is an error that names the file.
pub fn parse_from<A: Parser>(args: Vec<OsString>, file: Option<(&Path, &str)>) -> Result<(A, Effective), Error> {
    let mut command = A::command();
    let parser = command.clone().mut_args(|arg| if is_unset(&arg) { arg.env(Resettable::Reset) } else { arg });
    command.build();
    let from_file = match file {
        Some((path, text)) => flags(&command, path, text)?,
        None => Vec::new(),
    };
    let mut given = args.into_iter();
    let program = given.next().unwrap_or_else(|| command.get_name().into());
    // The file's flags come first and later ones win; without this, naming a setting twice on the command line is an error.
    let all = [program].into_iter().chain(from_file.iter().map(|(_, flag)| flag.clone().into())).chain(given.clone());
    let given: Vec<OsString> = given.collect();
    let mut matches = parser.args_override_self(true).try_get_matches_from(all).map_err(|error| {
        let named = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
        let culprit = from_file.iter().find(|(arg, _)| arg.to_string() == named && !is_given(arg, &given));
        match (culprit, file, error.get(ContextKind::InvalidValue)) {
            (Some((arg, _)), Some((path, _)), Some(ContextValue::String(value))) => {
                let reason = std::error::Error::source(&error).map(|e| format!(": {e}")).unwrap_or_default();
                usage(
                    &command,
                    format!("{}: {}: invalid value {value:?}{reason}{}", path.display(), env(arg), allowed(arg)),
                )
            }
            _ => error,
        }
    })?;
    let effective = effective(&command, &matches, &from_file, &given);
    let parsed = A::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command.clone()))?;
    Ok((parsed, effective))
}

impl Effective {
    /// Logs the settings in force.
    pub fn log(&self) {
        tracing::info!(settings = %self, "effective settings");
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value, source)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{name}={value} ({source})")?;
        }
        Ok(())
    }
}

/// `--config FILE` or `--config=FILE`, else the environment variable.
fn named_file(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter().skip(1).take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        let Some(arg) = arg.to_str() else { continue };
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.strip_prefix("--config=") {
            return Some(path.into());
        }
    }
    std::env::var_os(CONFIG_FILE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The file's settings as flags, each with its argument; those whose environment variable is set are left out.
fn flags(command: &Command, path: &Path, text: &str) -> Result<Vec<(Arg, String)>, Error> {
    let wrong = |what: String| usage(command, format!("{}: {what}", path.display()));
    if text.len() > MAX_BYTES {
        return Err(wrong(format!("{} bytes are too many for settings", text.len())));
    }
    let entries: Option<Map<String, Value>> = serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let mut flags = Vec::new();
    for (key, value) in entries.unwrap_or_default() {
        let Some(arg) = command.get_arguments().find(|arg| env(arg) == key) else {
            let names: Vec<String> = command.get_arguments().map(env).filter(|name| !name.is_empty()).collect();
            let hint = match model::reason::nearest(&key, names.iter().map(String::as_str)) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => format!("known are {}", names.join(", ")),
            };
            return Err(wrong(format!("unknown setting {key:?}; {hint}")));
        };
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) | Value::Object(_) => return Err(wrong(format!("{key}: must be one plain value"))),
        };
        let unset = value.is_empty() && !EMPTY_IS_A_VALUE.contains(&key.as_str());
        if unset || is_from_environment(arg) {
            continue;
        }
        let long = arg.get_long().ok_or_else(|| wrong(format!("{key}: cannot be set in a file")))?;
        match arg.get_action() {
            ArgAction::SetTrue if value == "true" => flags.push((arg.clone(), format!("--{long}"))),
            ArgAction::SetTrue if value == "false" => {}
            ArgAction::SetTrue => return Err(wrong(format!("{key}: must be true or false"))),
            _ => flags.push((arg.clone(), format!("--{long}={value}"))),
        }
    }
    Ok(flags)
}

fn effective(command: &Command, matches: &ArgMatches, file: &[(Arg, String)], given: &[OsString]) -> Effective {
    let shown = command.get_arguments().filter(|arg| arg.get_env().is_some()).map(|arg| {
        let id = arg.get_id().as_str();
        let values = matches.get_raw(id).map(|raw| raw.map(|v| v.to_string_lossy()).collect::<Vec<_>>().join(","));
        let value = match values {
            Some(_) if arg.is_hide_env_values_set() => "hidden".to_owned(),
            Some(value) => format!("{value:?}"),
            None => "unset".to_owned(),
        };
        let source = match matches.value_source(id) {
            Some(ValueSource::EnvVariable) => "env",
            Some(ValueSource::CommandLine) if !is_given(arg, given) && file.iter().any(|(a, _)| a == arg) => "file",
            Some(ValueSource::CommandLine) => "flag",
            _ => "default",
        };
        (env(arg), value, source)
    });
    Effective(shown.collect())
}

fn env(arg: &Arg) -> String {
    arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_unset(arg: &Arg) -> bool {
    let name = env(arg);
    !name.is_empty()
        && !EMPTY_IS_A_VALUE.contains(&name.as_str())
        && std::env::var_os(name).is_some_and(|value| value.is_empty())
}

fn is_from_environment(arg: &Arg) -> bool {
    !is_unset(arg) && arg.get_env().and_then(std::env::var_os).is_some()
}

fn is_given(arg: &Arg, given: &[OsString]) -> bool {
    let Some(long) = arg.get_long() else { return false };
    let names = |text: &str| text.strip_prefix("--").map(|rest| rest.split('=').next() == Some(long));
    given.iter().any(|text| text.to_str().and_then(names) == Some(true))
}

fn allowed(arg: &Arg) -> String {
    let names: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if names.is_empty() { String::new() } else { format!("; one of {}", names.join(", ")) }
}

fn usage(command: &Command, message: String) -> Error {
    Error::raw(ErrorKind::ValueValidation, message + "\n").with_cmd(command)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
