//! What the documents advise: commands that real kubectl and Helm understand, values and settings that exist, and messages that the
//! product says. Starts no control planes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use model::reason::Reason;
use serde_json::Value;
use tests::binaries::{self, Tool};
use tests::repository::{read, texts};

use crate::table::every_row;

/// The pages that people follow command by command.
const PAGES: [&str; 4] = ["docs/troubleshooting.md", "docs/migration.md", "docs/clusters.md", "docs/disaster.md"];

/// The commands of a page: every fenced block but those of output and manifests, continued lines joined.
fn commands(page: &str) -> Vec<String> {
    let text = read(page).replace("\\\n", " ");
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            let parts = line.split(" | ").flat_map(|part| part.split("$("));
            found.extend(
                parts.filter(|part| part.starts_with("kubectl ") || part.starts_with("helm ")).map(str::to_owned),
            );
        }
    }
    found
}

/// The words of a command as a shell has them; a comment, a redirection and what runs beside others end it.
fn words(command: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#' | '>' | '&' | ')' | '<') if word.is_none() || c == ')' => break,
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn a22_b25_e13_e14_every_command_is_one_that_kubectl_and_helm_understand() {
    let program = |tool| binaries::find(tool).unwrap_or_else(|error| panic!("{error}"));
    let (kubectl, helm) = (program(Tool::Kubectl), program(Tool::Helm));
    let all: Vec<(&str, String)> =
        PAGES.iter().flat_map(|page| commands(page).into_iter().map(|it| (*page, it))).collect();
    assert!(all.len() > 50, "the commands were not found: {all:#?}");
    every_row(&all, |(page, command)| {
        let words = words(command);
        let program = if words[0] == "helm" { &helm } else { &kubectl };
        // It reads every flag before it shows its help, and does nothing.
        let output = Command::new(program).args(&words[1..]).arg("--help").output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("unknown"), "{page}: {command}: {words:?}: {said}");
        let verb = words.iter().skip(1).find(|word| VERBS.contains(&word.as_str()));
        assert!(verb.is_some(), "{page}: {command}: no verb of {VERBS:?}");
        let kinds = words.iter().flat_map(|word| word.split(','));
        for plural in kinds.filter(|word| word.contains(".vitistack.io") && !word.contains('/')) {
            let known = model::crds::crds().into_iter().filter_map(|crd| crd.metadata.name);
            assert!(known.into_iter().any(|name| name == *plural), "{page}: {command}: {plural}");
        }
    });
}

/// What the documents tell anybody to do.
const VERBS: [&str; 17] = [
    "get",
    "describe",
    "logs",
    "annotate",
    "label",
    "apply",
    "patch",
    "create",
    "delete",
    "auth",
    "rollout",
    "port-forward",
    "config",
    "upgrade",
    "install",
    "rollback",
    "wait",
];

#[test]
fn b25_e13_every_value_and_setting_that_a_document_names_is_there() {
    let values: Value = serde_saphyr::from_str(&read("charts/kubevirt-operator/values.yaml")).expect("YAML");
    let mut seen = 0;
    for (path, text) in texts(&["md"]).into_iter().filter(|(path, _)| path != "CHANGELOG.md") {
        let after = text
            .split("--set")
            .skip(1)
            .filter_map(|rest| rest.trim_start_matches([' ', '\'']).split(['=', '[']).next());
        for key in
            after.filter(|key| key.starts_with(|c: char| c.is_ascii_lowercase()) && !key.contains([' ', '`', '\n']))
        {
            seen += 1;
            let pointer = format!("/{}", key.replace('.', "/"));
            assert!(values.pointer(&pointer).is_some(), "{path}: --set {key}");
        }
    }
    assert!(seen > 15, "the values were not found");
    let sources = [
        "controller/src/args.rs",
        "webhook/src/args.rs",
        "shared/runtime/src/args.rs",
        "shared/runtime/src/args/file.rs",
    ];
    let known: BTreeSet<String> = sources.iter().flat_map(|path| quoted(&read(path))).collect();
    let is_setting =
        |word: &str| word.contains('_') && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    for page in PAGES.iter().chain(&["docs/placement.md", "docs/security.md", "README.md"]) {
        let text = read(page);
        // Those of other programs and of this repository's own tools.
        let others = ["KUBEBUILDER_ASSETS"];
        let spans = text.split('`').skip(1).step_by(2).map(|span| span.split('=').next().unwrap_or_default());
        for name in spans.filter(|span| is_setting(span) && !others.contains(span)) {
            assert!(known.contains(name), "{page}: {name}");
        }
    }
}

/// The string literals of Rust source, joined where a line is continued, without escapes.
fn quoted(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in source.replace("\\\n", "").lines().filter(|line| !line.trim_start().starts_with("//")) {
        let (mut inside, mut escaped, mut text) = (false, false, String::new());
        for c in line.chars() {
            match (inside, c) {
                (true, '"') if !escaped => {
                    found.push(std::mem::take(&mut text));
                    inside = false;
                }
                (true, '\\') if !escaped => escaped = true,
                (true, c) => {
                    text.push(c);
                    escaped = false;
                }
                (false, '"') => inside = true,
                (false, _) => {}
            }
        }
    }
    found
}

/// A text with `…` for each part that is filled in.
fn open(text: &str) -> String {
    let mut shown = String::new();
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                shown.push('…');
            }
            c if depth <= 0 => shown.push(c),
            _ => {}
        }
    }
    shown
}

/// Words of Kubernetes, of the operating system and of the TLS library, which are shown as they come.
#[rustfmt::skip]
const NOT_OURS: [&str; 10] = [
    "failed calling webhook", "connection refused", "no endpoints available", "context deadline exceeded", "x509: certificate signed by unknown authority",
    "x509: certificate is valid for", ", not ", "invalid peer certificate: ", "certificate-authority-data", "AlreadyExists",
];

#[test]
fn a22_e14_every_message_that_troubleshooting_quotes_is_one_that_the_product_says() {
    let is_product = |path: &str| {
        ["shared/", "controller/", "webhook/", "certs/", "charts/"].iter().any(|top| path.starts_with(top))
    };
    let mut said: Vec<String> = Vec::new();
    for (path, text) in
        texts(&["rs", "yaml"]).into_iter().filter(|(path, _)| is_product(path) && !path.contains("tests"))
    {
        let is_rust = Path::new(&path).extension().is_some_and(|extension| extension == "rs");
        let product = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        said.extend(if is_rust {
            quoted(product).iter().map(|text| open(text)).collect()
        } else {
            vec![product.to_owned()]
        });
    }
    let says =
        |part: &str| said.iter().any(|text| text.contains(part)) || NOT_OURS.iter().any(|text| text.contains(part));
    let page = read("docs/troubleshooting.md");
    let mut messages: Vec<&str> = Vec::new();
    let mut of_messages = false;
    for line in page.lines() {
        let first = line.strip_prefix("| ").and_then(|row| row.split(" | ").next());
        of_messages = match first {
            Some("Message" | "Warning" | "The end of the message") => true,
            Some(_) => of_messages,
            None => line.starts_with('|') && of_messages,
        };
        let quotes = if of_messages { first } else { line.strip_prefix("## ") };
        messages.extend(quotes.into_iter().flat_map(|text| text.split('`').skip(1).step_by(2)));
    }
    assert!(messages.len() > 50, "the messages were not found: {messages:#?}");
    every_row(messages, |message| {
        let parts = message.split(['…', '"']).map(str::trim).filter(|part| part.len() > 3);
        parts.for_each(|part| assert!(says(part), "nothing says {part:?}, of {message:?}"));
    });
    // A code in the column of reasons is one.
    let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let rows = page.lines().filter(|line| line.contains("Ready | `"));
    let reasons = rows.flat_map(|row| row.split(" | ").nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
    every_row(reasons, |code| assert!(codes.contains(code), "{code}"));
}

#[test]
fn kvo29_documents_and_alerts_name_only_metrics_that_exist_and_limits_are_those_of_the_code() {
    let page = read("docs/metrics.md");
    let (tables, _) = page.split_once("\n## Alerts").expect("alerts come last");
    // A test compares these rows with what the processes serve.
    let known: BTreeSet<&str> = tables.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(known.len() > 15, "{known:?}");
    let mut named = 0;
    for (path, text) in texts(&["md", "yaml", "tpl", "txt"]) {
        for rest in text.split("kubevirt_operator_").skip(1) {
            let tail = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next().unwrap_or_default();
            let name = format!("kubevirt_operator_{tail}");
            let whole = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(&name);
            named += 1;
            assert!(known.contains(whole) || known.contains(name.as_str()), "{path}: {name}");
        }
    }
    assert!(named > known.len());
    #[rustfmt::skip]
    let limits = [
        ("docs/metrics.md",         "connections to the admission port, of 1024",  "shared/runtime/src/serve.rs",               "const CONNECTIONS: usize = 1024;"),
        ("docs/metrics.md",         "connections to the gateway's port, of 1024",  "shared/runtime/src/serve.rs",               "const CONNECTIONS: usize = 1024;"),
        ("docs/patches.md",         "At most 64 operations, 16 KiB",               "shared/model/src/patch/operations.rs",     "const OPERATIONS: usize = 64;"),
        ("docs/clusters.md",        "at most ten seconds late",                    "controller/src/configs.rs",                "const COUNTED: Duration = Duration::from_secs(10);"),
        ("docs/clusters.md",        "The file is read again every minute",         "controller/src/hub.rs",                    "const EVERY: Duration = Duration::from_secs(60);"),
        ("docs/clusters.md",        "A week before",                               "shared/model/src/clusters/kubeconfig/validity.rs", "const WEEK: i64 = 7 * 24 * 60 * 60;"),
        ("docs/troubleshooting.md", "of at most 8 KiB",                            "shared/runtime/src/telemetry.rs",          "const LONGEST: usize = 8 * 1024;"),
        ("docs/placement.md",       "for 1.2 s at most",                           "webhook/src/ask.rs",                       "const VM: Duration = Duration::from_millis(1200);"),
        ("docs/metrics.md",         "the 100 templates with the most Machines",    "controller/src/scrape.rs",                 "const TEMPLATES: usize = 100;"),
        ("tests/src/generated/behaviours.txt", "corrected ten times at once",      "shared/model/src/baseline/war.rs",         "const BURST: u32 = 10;"),
        ("tests/src/generated/behaviours.txt", "and then once in 6 s",             "shared/model/src/baseline/war.rs",         "const REFILL: Duration = Duration::from_secs(6);"),
    ];
    every_row(limits, |(document, sentence, source, code)| {
        assert!(read(document).contains(sentence), "{document}: {sentence}");
        assert!(read(source).contains(code), "{source}: {code}");
    });
}

#[test]
fn kvo36_every_field_of_a_kubevirt_config_is_read_by_something() {
    let crd = model::crds::crds().into_iter().find(|crd| crd.spec.names.kind == "KubevirtConfig").expect("the kind");
    let crd = serde_json::to_value(crd).expect("JSON");
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    let is_reader = |path: &str| !path.contains("tests") && !path.starts_with("shared/model/src/api/");
    let sources: Vec<String> =
        texts(&["rs"]).into_iter().filter(|(path, _)| is_reader(path)).map(|(_, text)| text).collect();
    let fields: Vec<&String> = spec.as_object().expect("properties").keys().collect();
    assert!(fields.len() > 10, "{fields:?}");
    // The one that is shown in a column, and says so.
    every_row(fields.into_iter().filter(|field| *field != "endpoint"), |field| {
        let rust: String = field
            .chars()
            .flat_map(|c| if c.is_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] })
            .collect();
        let reads = ["spec.", "self.spec."].map(|of| format!("{of}{rust}"));
        assert!(
            sources.iter().any(|text| reads.iter().any(|read| text.contains(read.as_str()))),
            "nothing reads spec.{field}"
        );
    });
}
