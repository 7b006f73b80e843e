//! Log lines: JSON with the seed's fields, or text for people (C33, X42). I/O: one line per event to standard error.
//!
//! An event carries its own fields and those of the spans around it, flat; the innermost one wins. So
//! `info_span!("reconcile", controller = "Machine", machine, namespace)` puts these on every line inside it.

mod line;

use std::io::Write;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry};

use line::Fields;

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

/// Sends this process's events to standard error from now on. `level` is one that [`level`] accepted.
pub fn init(format: LogFormat, level: &str) -> Result<(), TryInitError> {
    let drowns = matches!(level.parse(), Ok(LevelFilter::DEBUG | LevelFilter::TRACE));
    let directives = if drowns { format!("{level},{QUIET}") } else { level.to_owned() };
    let lines = Lines { format, out: std::io::stderr };
    Registry::default().with(lines.with_filter(EnvFilter::new(directives))).try_init()
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

struct Lines<O> {
    format: LogFormat,
    out: fn() -> O,
}

impl<S, O> Layer<S> for Lines<O>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    O: Write + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = ctx.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in ctx.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer);
            }
        }
        event.record(&mut fields);
        let mut time = String::new();
        // Formatting into a String does not fail, and a line without a time is better than none.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        let line = match self.format {
            LogFormat::Json => line::json(&time, *event.metadata().level(), event.metadata().target(), &fields),
            LogFormat::Text => line::text(&time, *event.metadata().level(), &fields),
        };
        // One write per line keeps lines of several threads apart; a full or closed pipe must not end the process.
        let _ = (self.out)().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::Value;

    use super::*;

    static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    struct Shared;

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            WRITTEN.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn c33_the_seeds_line() {
        let lines = Lines { format: LogFormat::Json, out: || Shared };
        tracing::subscriber::with_default(Registry::default().with(lines), || {
            let span = tracing::info_span!(
                "reconcile",
                controller = "Machine",
                machine = "test-vm",
                phase = tracing::field::Empty
            );
            span.record("phase", "Creating");
            let _in = span.entered();
            let _inner = tracing::info_span!("step", machine = "inner").entered();
            tracing::info!(namespace = "default", machine = "test-vm", "Creating VirtualMachine resource");
        });
        let written = String::from_utf8(WRITTEN.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(written.strip_suffix('\n').unwrap()).unwrap();
        #[rustfmt::skip]
        let want = [
            ("level", "info"), ("controller", "Machine"), ("machine", "test-vm"), ("namespace", "default"),
            ("phase", "Creating"), ("message", "Creating VirtualMachine resource"), ("target", module_path!()),
        ];
        for (key, value) in want {
            assert_eq!(line[key], value, "{key} in {written}");
        }
        assert_eq!(line["timestamp"].as_str().unwrap().len(), "2024-01-01T12:00:00.000000Z".len());
        assert_eq!(line.as_object().unwrap().len(), want.len() + 1);
        assert_eq!(written.matches("\"machine\"").count(), 1, "no key twice: {written}");
    }

    #[test]
    fn levels() {
        for good in ["info", "DEBUG", "off", "info,kube=debug", "model=trace"] {
            assert!(level(good).is_ok(), "{good}");
        }
        for bad in ["verbose", "", "3", "info,warn", "kube=loud"] {
            assert!(level(bad).is_err(), "{bad}");
        }
    }
}
