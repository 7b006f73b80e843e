use std::io;
use std::sync::{Arc, Mutex};

use tracing::{debug, info, warn};

use super::*;
use crate::table::every_row;

#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<String>>>);

impl Writes {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

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
    let [line] = <[String; 1]>::try_from(writes.taken()).expect("one write");
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
    assert_eq!(written, " INFO  Automatically assigned KubevirtConfig to machine machine=web kubevirtConfig=east\n");
}

#[test]
fn t22_text_stays_on_one_line() {
    let written = text(|| warn!(x = "c d", y = %"e\nf", z = ?Some("g"), n = 3, ok = true, "a\nb\u{1b}[31m"));
    assert_eq!(written, " WARN  a\\nb\\u{1b}[31m x=\"c d\" y=\"e\\nf\" z=\"Some(\\\"g\\\")\" n=3 ok=true\n");
}

#[test]
fn atk5_no_line_is_longer_than_8_kib() {
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
fn atk5_t19_sixty_mib_of_an_answer_are_one_short_line_or_none() {
    let body = "x".repeat(60 << 20);
    let writes = Writes::default();
    let written = |format, level, log: &dyn Fn()| {
        let out = writes.clone();
        tracing::subscriber::with_default(shown(format, level, move || out.clone()), log);
        writes.taken()
    };
    for format in [LogFormat::Json, LogFormat::Text] {
        for level in ["info", "trace", "info,kube_client::client=trace,kube_runtime=debug"] {
            let by_kube = || {
                warn!(target: "kube_client::client", "{body}, expected value");
                debug!(target: "kube_client::client", "Unsuccessful data error parse: {body}");
                warn!(target: "kube_runtime::watcher", "watch list error with 403: {body}");
                debug!(target: "kube_runtime::watcher", "watch list error: {body}");
            };
            assert_eq!(written(format, level, &by_kube), Vec::<String>::new(), "{level}: no body of a cluster");
        }
        let lines = written(format, "info", &|| warn!(target: "another_library", "it says {body}"));
        let [line] = <[String; 1]>::try_from(lines).expect("one line");
        assert!(line.len() <= 8192 && line.contains("it says x") && line.ends_with('\n'), "{} bytes", line.len());
        let fields = serde_json::from_str::<Map<String, Value>>(&line);
        assert_eq!(fields.is_ok(), format == LogFormat::Json, "{line:.200}");
    }
}

#[test]
fn t22_json_hides_nothing_and_commands_no_terminal() {
    let written = line(LogFormat::Json, || warn!(error = "a\u{202e}b\u{9b}2Jc\u{e0041}", "d\u{1b}[31m\u{feff}"));
    assert!(written.contains(r#""error":"a\u202eb\u009b2Jc\udb40\udc41""#), "{written}");
    assert!(written.contains(r#""message":"d\u001b[31m\ufeff""#), "{written}");
    let fields: Map<String, Value> = serde_json::from_str(&written).expect("JSON");
    assert_eq!(fields["error"], "a\u{202e}b\u{9b}2Jc\u{e0041}");
}

#[test]
fn levels() {
    every_row(["info", "DEBUG", "off", "info,kube=debug", "model=trace"], |good| {
        assert!(level(good).is_ok(), "{good}");
    });
    every_row(["verbose", "", "3", "info,warn", "kube=loud"], |bad| {
        assert!(level(bad).is_err(), "{bad}");
    });
}
