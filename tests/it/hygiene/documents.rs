//! The documents: their links and paths lead somewhere, and nothing cites a document that is not here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tests::repository::{files, read, root, texts};

#[test]
fn every_relative_link_of_a_document_leads_somewhere() {
    let mut broken = Vec::new();
    let mut followed = 0;
    for path in files("md") {
        let text = read(&path);
        let folder = Path::new(&path).parent().unwrap_or(Path::new("")).to_path_buf();
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { PathBuf::from(&path) } else { folder.join(file) };
            followed += 1;
            if !root().join(&target).exists() {
                broken.push(format!("{path}: {link}"));
            } else if !heading.is_empty() && !headings(&target).contains(heading) {
                broken.push(format!("{path}: {link}: no such heading"));
            }
        }
    }
    assert!(followed > 20, "the documents were not found");
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let tops = ["certs/", "charts/", "controller/", "docs/", "gateway/", "shared/", "tests/", "webhook/", ".ci/"];
    let mut gone = Vec::new();
    let mut seen = 0;
    for document in files("md") {
        let text = read(&document);
        let spans = prose(&text).flat_map(|line| line.split('`').skip(1).step_by(2)).flat_map(str::split_whitespace);
        for named in spans.filter(|span| tops.iter().any(|top| span.starts_with(top)) && !span.contains('*')) {
            seen += 1;
            gone.extend(expand(named).into_iter().filter(|path| !root().join(path).exists()));
        }
    }
    assert!(seen > 20, "the documents were not found");
    assert_eq!(gone, Vec::<String>::new());
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`.
fn expand(path: &str) -> Vec<String> {
    match path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        None => vec![path.to_owned()],
        Some((before, (several, after))) => several.split(',').map(|one| format!("{before}{one}{after}")).collect(),
    }
}

/// The relative targets of `[text](target)`, outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in prose(text) {
        for (index, part) in line.split("](").enumerate().skip(1) {
            let before: usize = line.split("](").take(index).map(|part| part.matches('`').count()).sum();
            let target = part.split([')', ' ']).next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if before.is_multiple_of(2) && !elsewhere && !target.is_empty() {
                found.push(target);
            }
        }
    }
    found
}

/// Lines that are not in a fenced block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The anchors of a document, as GitHub makes them from headings.
fn headings(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(path)).unwrap_or_default();
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    prose(&text).filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn links_are_found_where_they_are_links() {
    let text =
        "see [a](a.md) and [b](../b.md#c)\n```\n[no](no.md)\n```\n`[no](no.md)` [web](https://x.y/z) [t](#top)\n";
    assert_eq!(links(text), ["a.md", "../b.md#c", "#top"]);
}

/// Documents that some text once cited and that nobody can open.
#[rustfmt::skip]
const ELSEWHERE: [&str; 11] = [
    "DESIGN", "RELIABILITY", "ACCEPTANCE", "REVIEW", "STYLE", "ECOSYSTEM", "KUBEVIRT-RULES", "PUBLISHED-API",
    "PERFORMANCE.md", "PLATFORM.md", "HUBS.md",
];

#[test]
fn nothing_cites_a_document_that_is_not_in_the_repository() {
    let mut found = Vec::new();
    for (path, text) in texts(&["rs", "md", "yaml", "tpl", "toml"]) {
        // This file names them.
        if path == "tests/it/hygiene/documents.rs" {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(document) = cites(&path, line) {
                found.push(format!("{path}:{number}: {document}"));
            }
        }
    }
    assert!(found.is_empty(), "{} citations lead nowhere:\n{}", found.len(), found.join("\n"));
}

/// What a line cites that cannot be opened. Of code only comments and texts count: a constant may have such a name.
fn cites(path: &str, line: &str) -> Option<String> {
    let texts = |line: &str| line.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" ");
    let said = match line.split_once("//") {
        _ if Path::new(path).extension().is_none_or(|extension| extension != "rs") => line.to_owned(),
        Some((code, comment)) => format!("{} {comment}", texts(code)),
        None => texts(line),
    };
    let words = |keep: &'static str| {
        let is_part = move |c: char| c.is_alphanumeric() || c == '_' || keep.contains(c);
        said.split(move |c: char| !is_part(c)).map(move |word| word.trim_matches('.'))
    };
    let document = words("-.").find(|word| {
        let name = word.strip_suffix(".md").unwrap_or(word);
        ELSEWHERE.iter().any(|gone| gone == word || *gone == name)
    });
    // The number of a section, such as 5.4b.
    let section = || words(".").find(|word| matches!(word.as_bytes(), [b'0'..=b'9', b'.', b'0'..=b'9', b'a'..=b'f']));
    let paragraph = || said.contains('§').then_some("§");
    let seed = || {
        let mut pairs =
            words("").filter(|word| !word.is_empty()).zip(words("").filter(|word| !word.is_empty()).skip(1));
        let (_, number) = pairs.find(|(word, number)| {
            let is_number = number.len() == 3 && number.starts_with("00");
            is_number && ["seed", "seeds"].contains(&word.to_lowercase().as_str())
        })?;
        Some(number)
    };
    document.or_else(section).or_else(paragraph).or_else(seed).map(str::to_owned)
}

#[test]
fn citations_are_told_from_code_and_from_ordinary_words() {
    #[rustfmt::skip]
    let cases = [
        ("a.rs", "//! Placement (DESIGN 5.4).",                Some("DESIGN")),
        ("a.rs", "/// See DESIGN.md.",                         Some("DESIGN.md")),
        ("a.rs", "    why(\"as STYLE says\");",              Some("STYLE")),
        ("a.rs", "/// 5.4b: the author is honoured.",          Some("5.4b")),
        ("a.rs", "/// Row by row, §4.2.",                      Some("§")),
        ("a.rs", "/// The words of Seeds 000 and 001.",        Some("000")),
        ("a.md", "as KUBEVIRT-RULES has it",                   Some("KUBEVIRT-RULES")),
        ("a.md", "[figures](PERFORMANCE.md)",                  Some("PERFORMANCE.md")),
        ("a.rs", "use crate::{Fault, REVIEW};",                None),
        ("a.rs", "let two = draw(seed, 100); // same seed",    None),
        ("a.md", "the design of [performance.md](p.md), 1.2",  None),
    ];
    let wrong: Vec<_> = cases.iter().filter(|(path, line, wanted)| cites(path, line).as_deref() != *wanted).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
