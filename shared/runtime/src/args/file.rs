//! Reads settings in this order: flag, environment variable, `config.yaml`, default; the first that is set wins (A14).
//! I/O: the command line, the environment and that one file, once, at start. A mistake ends the process with a sentence.
//!
//! The file's keys are the names of the environment variables, so any argument with `env = "…"` can be set in it. What the
//! file says becomes the argument's default, and so the order is clap's own.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, Parser};
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
    let path = named_file::<A>(&args).or_else(|| Some(DEFAULT_FILE.into()).filter(|path: &PathBuf| path.exists()));
    let text = path.as_ref().map(std::fs::read_to_string).transpose();
    let shown = path.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    let parsed = text
        .map_err(|why| usage(&A::command(), format!("cannot read {}: {why}", shown.display())))
        .and_then(|text| parse_from(args, text.as_ref().map(|text| (shown, text.as_str()))));
    parsed.unwrap_or_else(|error| error.exit())
}

/// As [`parse`], from the given arguments (the program's name first) and the file's path and text.
///
/// Guarantees: a key of the file that no argument has is an error that names the nearest one; a bad value in the file
/// is an error that names the file.
pub fn parse_from<A: Parser>(args: Vec<OsString>, file: Option<(&Path, &str)>) -> Result<(A, Effective), Error> {
    let mut known = A::command();
    known.build();
    let from_file = file.map(|(path, text)| settings(&known, path, text)).transpose()?.unwrap_or_default();
    let mut command = command::<A>();
    for (arg, value) in &from_file {
        command = command.mut_arg(arg.get_id(), |arg| arg.default_value(value).required(false));
    }
    let mut matches = command.try_get_matches_from(args).map_err(|error| {
        let named = |kind, text: &str| error.get(kind) == Some(&ContextValue::String(text.to_owned()));
        let is_culprit = |(arg, value): &&(Arg, String)| {
            named(ContextKind::InvalidArg, &arg.to_string()) && named(ContextKind::InvalidValue, value)
        };
        match (file, from_file.iter().find(is_culprit)) {
            (Some((path, _)), Some((arg, value))) => {
                let reason = std::error::Error::source(&error).map(|e| format!(": {e}")).unwrap_or_default();
                let allowed = match error.get(ContextKind::ValidValue) {
                    Some(ContextValue::Strings(words)) => format!("; one of {}", words.join(", ")),
                    _ => String::new(),
                };
                let wrong = format!("{}: {}: invalid value {value:?}{reason}{allowed}", path.display(), env(arg));
                usage(&known, wrong)
            }
            _ => error,
        }
    })?;
    let effective = effective(&known, &matches, &from_file);
    let parsed = A::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut known))?;
    Ok((parsed, effective))
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

/// The command, for which an empty environment variable is none.
fn command<A: CommandFactory>() -> Command {
    let is_empty = |name: &str| std::env::var_os(name).is_some_and(|value| value.is_empty());
    A::command().mut_args(|arg| {
        let name = env(&arg);
        let unset = !EMPTY_IS_A_VALUE.contains(&name.as_str()) && is_empty(&name);
        if unset { arg.env(Resettable::Reset) } else { arg }
    })
}

/// The file that flag or environment name. Other mistakes are left to the second reading, which knows the file.
fn named_file<A: CommandFactory>(args: &[OsString]) -> Option<PathBuf> {
    let matches = command::<A>().ignore_errors(true).try_get_matches_from(args).ok()?;
    matches.try_get_one("config_file").ok()?.cloned()
}

/// What the file sets, each with its argument.
fn settings(command: &Command, path: &Path, text: &str) -> Result<Vec<(Arg, String)>, Error> {
    let wrong = |what: String| usage(command, format!("{}: {what}", path.display()));
    if text.len() > MAX_BYTES {
        return Err(wrong(format!("{} bytes are too many for settings", text.len())));
    }
    let entries: Option<Map<String, Value>> = serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let mut settings = Vec::new();
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
        if !value.is_empty() || EMPTY_IS_A_VALUE.contains(&key.as_str()) {
            settings.push((arg.clone(), value));
        }
    }
    Ok(settings)
}

fn effective(command: &Command, matches: &ArgMatches, file: &[(Arg, String)]) -> Effective {
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
            Some(ValueSource::CommandLine) => "flag",
            _ if file.iter().any(|(of_file, _)| of_file == arg) => "file",
            _ => "default",
        };
        (env(arg), value, source)
    });
    Effective(shown.collect())
}

fn env(arg: &Arg) -> String {
    arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn usage(command: &Command, message: String) -> Error {
    Error::raw(ErrorKind::ValueValidation, message + "\n").with_cmd(command)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
