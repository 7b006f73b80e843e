//! Log lines: JSON with the documented fields, or text for people (C33, X42). I/O: lines to standard error.
//!
//! A line has the fields of its event and of nothing around it: spans are not shown.

use std::fmt::{self, Debug, Write};

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
/// It prints the whole body of an answer that is no JSON, whatever that holds (T19).
const SILENT: &str = "kube_client::client=error";
/// No line has more bytes: what collects logs cuts or splits longer ones, and then they are no JSON any more.
const LONGEST: usize = 8 * 1024;

/// Sends this process's events to standard error from now on. `level` is one that [`level`] accepted.
pub fn init(format: LogFormat, level: &str) -> Result<(), TryInitError> {
    let drowns = matches!(level.parse(), Ok(LevelFilter::DEBUG | LevelFilter::TRACE));
    let directives = if drowns { format!("{level},{SILENT},{QUIET}") } else { format!("{level},{SILENT}") };
    lines(format, std::io::stderr).with_env_filter(EnvFilter::new(directives)).finish().try_init()
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
        out.write_str(&if line.len() > LONGEST { shorten(&line) } else { line })
    }
}

/// Writes the fields of an event as `message key=value …`, on one line whatever the values hold (T22). The macros of
/// `tracing` put the message first.
struct Text<'l>(&'l mut String);

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => value.chars().try_for_each(|c| {
                if c.is_control() { write!(self.0, "{}", c.escape_default()) } else { self.0.write_char(c) }
            }),
            // What the bridge from the crate `log` adds to each event.
            name if name.starts_with("log.") => Ok(()),
            name if is_plain(value) => write!(self.0, " {name}={value}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Needs no quotes to be read back.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\'))
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
        let short = Value::from(fields.clone()).to_string() + "\n";
        if !fields.is_empty() && short.len() <= LONGEST {
            return short;
        }
    }
    let room = LONGEST - "…\n".len();
    let end = line.char_indices().map(|(at, _)| at).take_while(|at| *at <= room).last().unwrap_or_default();
    format!("{}…\n", &line[..end])
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::{info, warn};

    use super::*;
    use crate::table::every_row;

    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);

    impl io::Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The one line of one event, which came in one write.
    fn line(format: LogFormat, log: impl FnOnce()) -> String {
        let writes = Writes::default();
        let out = writes.clone();
        tracing::subscriber::with_default(lines(format, move || out.clone()).finish(), log);
        let [line] = <[String; 1]>::try_from(writes.0.lock().unwrap().clone()).expect("one write");
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
        line
    }

    /// What stands behind the time, which is `2024-01-01T12:00:00.000000Z`.
    fn text(log: impl FnOnce()) -> String {
        line(LogFormat::Text, log).split_off(27)
    }

    #[test]
    fn c33_the_documented_line() {
        let written = line(LogFormat::Json, || {
            info!(
                controller = "Machine",
                machine = "test-vm",
                namespace = "default",
                phase = "Creating",
                tries = 2,
                "Creating VirtualMachine resource"
            );
        });
        assert!(written.starts_with("{\"timestamp\":\"2"), "{written}");
        let mut line: Map<String, Value> = serde_json::from_str(&written).unwrap();
        let time = line.remove("timestamp").unwrap();
        assert_eq!(time.as_str().unwrap().len(), "2024-01-01T12:00:00.000000Z".len());
        let want = serde_json::json!({
            "level": "info", "controller": "Machine", "machine": "test-vm", "namespace": "default", "phase": "Creating",
            "tries": 2, "message": "Creating VirtualMachine resource", "target": "runtime::telemetry::tests",
        });
        assert_eq!(Value::from(line), want);
    }

    #[test]
    fn x42_text_reads_as_in_the_seed() {
        let written = text(|| {
            info!(
                machine = "web",
                kubevirtConfig = %"east",
                "Automatically assigned KubevirtConfig to machine"
            );
        });
        assert_eq!(
            written,
            " INFO  Automatically assigned KubevirtConfig to machine machine=web kubevirtConfig=east\n"
        );
    }

    #[test]
    fn t22_text_stays_on_one_line() {
        let written = text(|| warn!(x = "c d", y = %"e\nf", z = ?Some("g"), n = 3, ok = true, "a\nb\u{1b}[31m"));
        assert_eq!(written, " WARN  a\\nb\\u{1b}[31m x=\"c d\" y=\"e\\nf\" z=\"Some(\\\"g\\\")\" n=3 ok=true\n");
    }

    #[test]
    fn no_line_is_longer_than_8_kib() {
        let long = "é\u{1b}".repeat(8 * 1024);
        let written = line(LogFormat::Json, || warn!(machine = "web", error = long, "it says: {long}"));
        assert!(written.len() <= 8192, "{}", written.len());
        let fields: Map<String, Value> = serde_json::from_str(&written).expect("still JSON");
        assert_eq!((&fields["level"], &fields["machine"]), (&"warn".into(), &"web".into()));
        assert!(fields["message"].as_str().unwrap().starts_with("it says: é\u{1b}é"), "{written}");
        assert!(fields["error"].as_str().unwrap().ends_with('…'), "{written}");
        let written = text(|| warn!(machine = "web", "it says: {long}"));
        assert!(written.starts_with(" WARN  it says: é\\u{1b}é") && written.ends_with("…\n"), "{written}");
        assert!((8192 - 27 - 8..=8192 - 27).contains(&written.len()), "{}", written.len());
    }

    #[test]
    fn levels() {
        every_row(["info", "DEBUG", "off", "info,kube=debug", "model=trace"], |good| {
            assert!(level(good).is_ok(), "{good}");
        });
        every_row(["verbose", "", "3", "info,warn", "kube=loud"], |bad| assert!(level(bad).is_err(), "{bad}"));
    }
}
