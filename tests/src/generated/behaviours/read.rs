//! Which ids a file cites, and which tests of it carry them.

use super::family;

/// A test, a row of one, or a benchmark that carries an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// The id in upper case.
    pub id: String,
    /// Path from the root of the repository.
    pub path: String,
    /// The test's name; none for a benchmark, and for a row that stands outside of a test.
    pub test: Option<String>,
    /// Names of the rows that carry it, where the test's own name does not.
    pub rows: Vec<String>,
}

/// The ids that a text cites, each with the number of its line: in upper case anywhere, and in front of a test's name.
pub fn cited(path: &str, text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
        for word in words {
            // `T1-T4` are two; `PERF-A1` is one.
            let parts: Vec<&str> = if word.starts_with("PERF-") { vec![word] } else { word.split('-').collect() };
            found.extend(parts.into_iter().filter(|part| family(part).is_some()).map(|id| (id.to_owned(), number)));
        }
    }
    if is_rust(path) {
        let tests = tests(text).into_iter().filter(|test| test.runs);
        found.extend(tests.flat_map(|test| test.ids().into_iter().map(move |id| (id, test.line))));
    }
    found
}

/// What carries ids in a file: its tests by name and by row, or the whole file if it is a benchmark.
pub fn carried(path: &str, text: &str) -> Vec<Carrier> {
    let mut found: Vec<Carrier> = Vec::new();
    if !is_rust(path) {
        return found;
    }
    let mut add = |id: String, test: Option<&str>, row: Option<String>| {
        let known = found.iter_mut().find(|carrier| carrier.id == id && carrier.test.as_deref() == test);
        match (known, row) {
            // The name of the test says it already.
            (Some(carrier), Some(row)) if !carrier.rows.is_empty() => carrier.rows.push(row),
            (Some(_), _) => {}
            (None, row) => found.push(Carrier {
                id,
                path: path.to_owned(),
                test: test.map(str::to_owned),
                rows: row.into_iter().collect(),
            }),
        }
    };
    let functions = tests(text);
    for test in functions.iter().filter(|test| test.runs) {
        test.ids().into_iter().for_each(|id| add(id, Some(test.name), None));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let inside = functions.iter().rfind(|function| function.line <= number).filter(|function| function.runs);
        for (ids, row) in rows(line) {
            for id in ids {
                add(id, inside.map(|test| test.name), Some(row.clone()));
            }
        }
    }
    if path.contains("/benches/") {
        let measured = cited(path, text).into_iter().map(|(id, _)| id).filter(|id| id.starts_with("PERF-"));
        measured.for_each(|id| add(id, None, None));
    }
    found
}

fn is_rust(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

struct Function<'a> {
    name: &'a str,
    line: usize,
    /// It is a test, and not an ignored one.
    runs: bool,
}

impl Function<'_> {
    /// The ids in front of the name, in upper case.
    fn ids(&self) -> Vec<String> {
        let parts = self.name.split('_').map(str::to_uppercase);
        parts.take_while(|part| family(part).is_some()).collect()
    }
}

/// The functions of a file in their order, with what their attributes make of them.
fn tests(text: &str) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    let (mut is_test, mut is_ignored) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let mut rest = line.trim();
        while let Some((attribute, behind)) = rest.strip_prefix("#[").and_then(|open| open.split_once(']')) {
            let path = attribute.split(|c: char| !(c.is_alphanumeric() || c == ':' || c == '_')).next();
            is_test |= path.is_some_and(|path| path == "test" || path.ends_with("::test"));
            is_ignored |= path == Some("ignore");
            rest = behind.trim_start();
        }
        if let Some(name) = function(rest) {
            functions.push(Function { name, line: number, runs: is_test && !is_ignored });
        }
        if !rest.is_empty() && !rest.starts_with("//") {
            (is_test, is_ignored) = (false, false);
        }
    }
    functions
}

/// The name of the function that a line declares.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    line.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()
}

/// The texts in a line that begin with ids and a colon: the ids, and what comes behind, as Markdown.
fn rows(line: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices('"') {
        let text = &line[at + 1..];
        let Some((ids, rest)) = text.split_once(':') else { continue };
        let ids: Vec<String> = ids.split([' ', ',']).filter(|id| !id.is_empty()).map(str::to_owned).collect();
        if ids.is_empty() || !ids.iter().all(|id| family(id).is_some()) {
            continue;
        }
        let mut name = String::new();
        let mut letters = rest.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => name.extend(letters.next()),
                '`' | '[' | ']' | '*' | '<' | '_' => name.extend(['\\', letter]),
                _ => name.push(letter),
            }
        }
        found.push((ids, name.trim().to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"//! About X60, T1-T4 and PERF-A1; not E1000, not v1, not 02:A1B2.
#[test]
fn t9_x60_said() {
    let cases = [("X60: known", 1), ("A5 A10: two", 2), ("A5: three", 3)];
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow"]
async fn t10_not_run() {}

fn x1_no_test() -> &'static str {
    "C3: a row elsewhere"
}
"#;

    #[test]
    fn ids_are_cited_in_text_and_in_names_of_tests() {
        let found = cited("a.rs", FILE);
        let wanted = [
            ("X60", 1),
            ("T1", 1),
            ("T4", 1),
            ("PERF-A1", 1),
            ("X60", 4),
            ("A5", 4),
            ("A10", 4),
            ("A5", 4),
            ("C3", 12),
            ("T9", 3),
            ("X60", 3),
        ];
        assert_eq!(found, wanted.map(|(id, line)| (id.to_owned(), line)));
        assert_eq!(cited("a.yaml", "# t9_ is no name of a test; T9 is cited"), [("T9".to_owned(), 1)]);
    }

    #[test]
    fn tests_and_rows_carry_ids_and_an_ignored_test_does_not() {
        let brief = |carrier: Carrier| (carrier.id, carrier.test.unwrap_or_default(), carrier.rows.join("; "));
        let found: Vec<_> = carried("a.rs", FILE).into_iter().map(brief).collect();
        let wanted = [
            ("T9", "t9_x60_said", ""),
            ("X60", "t9_x60_said", ""),
            ("A5", "t9_x60_said", "two; three"),
            ("A10", "t9_x60_said", "two"),
            ("C3", "", "a row elsewhere"),
        ];
        assert_eq!(found, wanted.map(|(id, test, rows)| (id.to_owned(), test.to_owned(), rows.to_owned())));
    }

    #[test]
    fn a_benchmark_carries_what_it_measures() {
        let found = carried("webhook/benches/a.rs", "//! PERF-E1: one draw. X5.\n");
        let wanted =
            Carrier { id: "PERF-E1".to_owned(), path: "webhook/benches/a.rs".to_owned(), test: None, rows: vec![] };
        assert_eq!(found, [wanted]);
    }
}
