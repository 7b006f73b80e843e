//! Log lines: JSON with the documented fields, or text for people (C33, X42). I/O: lines to standard error.
//!
//! A line has the fields of its event and of nothing around it: spans are not shown.

use std::fmt::{self, Debug, Write};

use model::text::is_hidden;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{DefaultFields, Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, SubscriberBuilder};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// `TIME LEVEL message key=value …`
    Text,
}

/// Libraries whose debug lines drown ours. A directive such as `hyper=debug` brings them back.
const QUIET: &str = "hyper=info,hyper_util=info,rustls=info,tower=info,log=info";
/// They print whole answers, whatever those hold (T19, ATK5): one that is no JSON as a warning, a refusal of a list or watch as
/// another, and any refusal for debugging.
const SILENT: &str = "kube_client::client=error,kube_runtime::watcher=error";
/// No line has more bytes: what collects logs cuts or splits longer ones, and then they are no JSON any more.
const LONGEST: usize = 8 * 1024;

/// Sends this process's events to standard error from now on. `level` is one that [`level`] accepted.
pub fn init(format: LogFormat, level: &str) -> Result<(), TryInitError> {
    shown(format, level, std::io::stderr).try_init()
}

/// What is shown at a level, as lines. Of two directives about one target, the last one counts.
fn shown<W>(format: LogFormat, level: &str, out: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let drowns = matches!(level.parse(), Ok(LevelFilter::DEBUG | LevelFilter::TRACE));
    let directives = if drowns { format!("{level},{SILENT},{QUIET}") } else { format!("{level},{SILENT}") };
    lines(format, out).with_env_filter(EnvFilter::new(directives)).finish()
}

/// One write per line keeps lines of several threads apart. An error of that write is not reported, because where it would
/// be reported is full or closed itself, which must not end the process.
fn lines<W>(format: LogFormat, out: W) -> SubscriberBuilder<DefaultFields, LogFormat, LevelFilter, W>
where
    W: for<'w> MakeWriter<'w> + 'static,
{
    tracing_subscriber::fmt().log_internal_errors(false).event_format(format).with_writer(out)
}

/// Value parser of `LOG_LEVEL`. A word that is no level is refused: a filter would take it for a module and show nothing.
pub(crate) fn level(text: &str) -> Result<String, String> {
    let is_level = !text.is_empty() && text.chars().all(char::is_alphabetic) && text.parse::<LevelFilter>().is_ok();
    let good = is_level || (text.contains('=') && EnvFilter::try_new(text).is_ok());
    if good {
        return Ok(text.to_owned());
    }
    Err("must be one of error, warn, info, debug, trace, off, or directives such as info,kube=debug".to_owned())
}

impl<S, N> FormatEvent<S, N> for LogFormat
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        match self {
            LogFormat::Json => {
                let json = Format::default().json().flatten_event(true).with_current_span(false).with_span_list(false);
                json.format_event(ctx, Writer::new(&mut line), event)?;
                // In lower case, as in the seed. Only the time stands before it.
                let level = event.metadata().level().as_str();
                line = line.replacen(level, &level.to_ascii_lowercase(), 1);
            }
            LogFormat::Text => {
                SystemTime.format_time(&mut Writer::new(&mut line))?;
                write!(line, " {:5} ", event.metadata().level())?;
                event.record(&mut Text(&mut line));
                line.push('\n');
            }
        }
        if line.len() <= LONGEST && matches!(self, LogFormat::Json) {
            line = escape_hidden(line);
        }
        out.write_str(&if line.len() > LONGEST { shorten(&line) } else { line })
    }
}

/// Writes the fields of an event as `message key=value …`, on one line whatever the values hold (T22). The macros of
/// `tracing` put the message first.
struct Text<'l>(&'l mut String);

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        // What is longer than a line is cut anyway.
        let value = value.char_indices().nth(LONGEST).map_or(value, |(end, _)| &value[..end]);
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => value.chars().try_for_each(|c| {
                if is_hidden(c) { write!(self.0, "{}", c.escape_default()) } else { self.0.write_char(c) }
            }),
            // What the bridge from the crate `log` adds to each event.
            name if name.starts_with("log.") => Ok(()),
            name if is_plain(value) => write!(self.0, " {name}={value}"),
            // Debug escapes what is hidden, too.
            name => write!(self.0, " {name}={value:?}"),
        };
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Needs no quotes to be read back.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !is_hidden(c) && !matches!(c, '"' | '=' | '\\'))
}

/// In JSON, only strings hold such characters, and the writer of JSON lets some of them through (T22).
fn escape_hidden(line: String) -> String {
    let text = line.trim_end();
    if !text.chars().any(is_hidden) {
        return line;
    }
    let mut escaped = String::new();
    for c in text.chars() {
        if is_hidden(c) {
            // Writing to a String does not fail.
            let _ = c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(escaped, "\\u{unit:04x}"));
        } else {
            escaped.push(c);
        }
    }
    escaped + "\n"
}

/// Of JSON, long values are cut until the line fits, and it stays JSON; text is cut at its end.
fn shorten(line: &str) -> String {
    let mut fields: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
    for most in [1000, 100, 30] {
        for value in fields.values_mut() {
            if let Value::String(text) = value
                && let Some((end, _)) = text.char_indices().nth(most)
            {
                text.truncate(end);
                text.push('…');
            }
        }
        let short = escape_hidden(Value::from(fields.clone()).to_string() + "\n");
        if !fields.is_empty() && short.len() <= LONGEST {
            return short;
        }
    }
    let room = LONGEST - "…\n".len();
    let end = line.char_indices().map(|(at, _)| at).take_while(|at| *at <= room).last().unwrap_or_default();
    format!("{}…\n", &line[..end])
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
