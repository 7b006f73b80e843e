//! Rows as text: YAML, JSON or a table. The same rows give the same text.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Format, Options, Rendered, Row};
use crate::text::line;

/// Bytes of a sentence in a comment: what it quotes may be a stranger's, and may not end the comment.
const SENTENCE: usize = 512;
/// What the table has above its columns.
const HEAD: [&str; 5] = ["ASSET", "STATUS", "COMPONENT", "OBJECT", "REASON"];

/// The rows of a cluster in the form that `options` ask for.
pub fn page(cluster: &str, rendered: &Rendered<'_>, options: &Options) -> String {
    match options.format {
        Format::Yaml => yaml(cluster, rendered, options),
        Format::Json => json(cluster, rendered, options),
        Format::Status => table(rendered),
    }
}

/// An object that several assets are parts of is shown with the first of them.
fn yaml(cluster: &str, rendered: &Rendered<'_>, options: &Options) -> String {
    let mut page = String::new();
    for note in &rendered.notes {
        // Writing to a String does not fail.
        let _ = writeln!(page, "# Note: {}", line(note, SENTENCE));
    }
    for (index, row) in rendered.rows.iter().enumerate() {
        let _ = writeln!(page, "---\n# Asset: {}\n# Path: {}", row.asset.row.name, row.path);
        let reason = line(&row.reason, SENTENCE);
        let _ = writeln!(
            page,
            "# Component: {}\n# Status: {}\n# Reason: {reason}",
            row.asset.row.component,
            row.status.name()
        );
        let _ = writeln!(page, "# Cluster: {}\n# Stage: {}", line(cluster, SENTENCE), options.stage.name());
        match (&row.object, first_of(&rendered.rows[..index], row)) {
            (Some(_), Some(first)) => {
                let _ = writeln!(page, "# Object: with {}", first.asset.row.name);
            }
            (Some(object), None) => page.push_str(&document(object)),
            (None, _) => {}
        }
    }
    page
}

/// The first row that has the same object.
fn first_of<'r, 'c>(earlier: &'r [Row<'c>], row: &Row<'_>) -> Option<&'r Row<'c>> {
    earlier.iter().find(|it| it.object.is_some() && it.object == row.object)
}

/// A value as YAML, keys sorted.
pub(in crate::platform) fn document(value: &Value) -> String {
    let mut options = serde_saphyr::SerializerOptions::default();
    options.folded_wrap_chars = 110;
    serde_saphyr::to_string_with_options(value, options).unwrap_or_else(|why| format!("# cannot be written: {why}\n"))
}

fn json(cluster: &str, rendered: &Rendered<'_>, options: &Options) -> String {
    let rows = rendered.rows.iter().map(|row| {
        let mut shown = json!({
            "asset": row.asset.row.name, "path": row.path, "component": row.asset.row.component, "status": row.status.name(),
            "reason": row.reason, "cluster": cluster, "stage": options.stage.name(),
        });
        if let Some(object) = &row.object {
            shown["object"] = object.clone();
        }
        shown
    });
    format!("{:#}\n", Value::Array(rows.collect()))
}

fn table(rendered: &Rendered<'_>) -> String {
    let cells = rendered.rows.iter().map(|row| {
        let object = match row.object.as_ref().map(|it| &it["metadata"]) {
            Some(metadata) => {
                let part = |name: &str| metadata[name].as_str().unwrap_or_default();
                let place =
                    if part("namespace").is_empty() { String::new() } else { format!("{}/", part("namespace")) };
                format!("{} {place}{}", row.asset.key.kind, part("name"))
            }
            None if row.asset.key.name.is_empty() => row.asset.key.kind.clone(),
            None => row.asset.key.to_string(),
        };
        let name = row.asset.row.name.clone();
        [name, row.status.name().to_owned(), row.asset.row.component.clone(), object, line(&row.reason, SENTENCE)]
    });
    let rows: Vec<[String; 5]> = std::iter::once(HEAD.map(str::to_owned)).chain(cells).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [0, 1, 2, 3].map(width);
    let mut page = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(page, "{}", format!("{}  {}", cells.join("  "), row[4]).trim_end());
    }
    for note in &rendered.notes {
        let _ = writeln!(page, "note: {}", line(note, SENTENCE));
    }
    page
}
