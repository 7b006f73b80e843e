//! One log line from the fields of an event. Pure.

use std::error::Error;
use std::fmt::{self, Write};

use model::json;
use serde_json::Value;
use tracing::Level;
use tracing::field::{Field, Visit};

const MESSAGE: &str = "message";

/// Fields by name, in the order they were first written; a name written again has the later value.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// Adds another's fields, which win.
    pub(super) fn extend(&mut self, other: &Fields) {
        for (name, value) in &other.0 {
            self.set(name, value.clone());
        }
    }

    fn set(&mut self, name: &'static str, value: Value) {
        // These are ours, and `log.*` is what the log crate's bridge adds to each event.
        if matches!(name, "timestamp" | "level" | "target") || name.starts_with("log.") {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    fn message(&self) -> &str {
        self.0.iter().find(|(name, _)| *name == MESSAGE).and_then(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn others(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().filter(|(name, _)| *name != MESSAGE).map(|(name, value)| (*name, value))
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            let next = error.to_string();
            // Many errors repeat their source in their own words.
            if !text.contains(&next) {
                text = text + ": " + &next;
            }
            source = error.source();
        }
        self.set(field.name(), text.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }
}

/// `{"timestamp":…,"level":"info",…fields…,"message":…,"target":…}`
pub(super) fn json(time: &str, level: Level, target: &str, fields: &Fields) -> String {
    let mut line = Vec::with_capacity(512);
    line.extend_from_slice(b"{\"timestamp\":");
    json::string(&mut line, time);
    line.extend_from_slice(b",\"level\":");
    json::string(&mut line, level_name(level));
    for (name, value) in fields.others() {
        line.push(b',');
        json::string(&mut line, name);
        line.push(b':');
        match value {
            Value::String(text) => json::string(&mut line, text),
            other => line.extend_from_slice(other.to_string().as_bytes()),
        }
    }
    line.extend_from_slice(b",\"message\":");
    json::string(&mut line, fields.message());
    line.extend_from_slice(b",\"target\":");
    json::string(&mut line, target);
    line.extend_from_slice(b"}\n");
    json::text(line)
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// `TIME LEVEL message key=value …`, on one line whatever the values hold (T22).
pub(super) fn text(time: &str, level: Level, fields: &Fields) -> String {
    let mut line = format!("{time} {level:5} {}", one_line(fields.message()));
    for (name, value) in fields.others() {
        let _ = match value {
            Value::String(text) if is_plain(text) => write!(line, " {name}={text}"),
            other => write!(line, " {name}={other}"),
        };
    }
    line + "\n"
}

/// Needs no quotes to be read back.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\'))
}

fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(list: &[(&'static str, Value)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in list {
            fields.set(name, value.clone());
        }
        fields
    }

    #[test]
    fn x42_text_reads_as_in_the_seed() {
        let seen = fields(&[
            ("message", json!("Automatically assigned KubevirtConfig to machine")),
            ("machine", json!("web")),
            ("kubevirtConfig", json!("east")),
        ]);
        let want = "T INFO  Automatically assigned KubevirtConfig to machine machine=web kubevirtConfig=east\n";
        assert_eq!(text("T", Level::INFO, &seen), want);
    }

    #[test]
    fn text_stays_on_one_line() {
        let seen =
            fields(&[("message", json!("a\nb\u{1b}[31m")), ("x", json!("c d")), ("y", json!("e\nf")), ("n", json!(3))]);
        assert_eq!(text("T", Level::WARN, &seen), "T WARN  a\\nb\\u{1b}[31m x=\"c d\" y=\"e\\nf\" n=3\n");
    }

    #[test]
    fn json_keeps_our_own_keys_ours() {
        let seen =
            fields(&[("level", json!("forged")), ("message", json!("m\n")), ("ok", json!(true)), ("ok", json!(false))]);
        let want = "{\"timestamp\":\"T\",\"level\":\"error\",\"ok\":false,\"message\":\"m\\n\",\"target\":\"t\"}\n";
        assert_eq!(json("T", Level::ERROR, "t", &seen), want);
    }
}
