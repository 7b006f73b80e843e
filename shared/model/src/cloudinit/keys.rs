//! Adds SSH keys to user data in `#cloud-config` form, and changes nothing else of it: every character that its author wrote
//! stays. Pure. X79.
//!
//! The document is not read and written anew, because cloud-init reads YAML 1.1 and we read 1.2: `0644` and `yes` would mean
//! something else afterwards. The keys are put in as text, and the result is read again: it must be the same document, with
//! the keys.

use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StructureStyle};

/// Key of a `#cloud-config` whose list the keys are added to.
const KEYS: &str = "ssh_authorized_keys";

type Events<'t> = [(Event<'t>, Span)];

/// An entry of the root mapping, as indexes of events.
#[derive(Clone, Copy)]
struct Entry {
    key: usize,
    value: usize,
    end: usize,
}

/// User data with these keys. The error says why they cannot be added safely, in words that follow "the user data", and holds
/// nothing of the data.
pub fn add(user_data: &[u8], keys: &[String]) -> Result<Vec<u8>, String> {
    if keys.is_empty() || !super::takes_keys(user_data) {
        return Ok(user_data.to_vec());
    }
    if user_data.trim_ascii().is_empty() {
        return Ok(format!("#cloud-config\n{KEYS}:\n{}", items(keys, "")).into_bytes());
    }
    let text = std::str::from_utf8(user_data).map_err(|_| "is not UTF-8".to_owned())?;
    let before = read(text)?;
    if documents(&before) > 1 {
        return Err("holds several YAML documents".to_owned());
    }
    let known = list(&before);
    let new: Vec<String> = keys.iter().filter(|key| !known.contains(&format!("scalar {key}"))).cloned().collect();
    if new.is_empty() {
        return Ok(user_data.to_vec());
    }
    let (at, insertion) = find_place(text, &before, &new)?;
    let after = [&text[..at.start], &insertion, &text[at.end..]].concat();
    if read(&after).is_ok_and(|after| holds(&before, &after, &new)) {
        Ok(after.into_bytes())
    } else {
        Err(format!("has a form to whose {KEYS} nothing can be added"))
    }
}

fn read(text: &str) -> Result<Vec<(Event<'_>, Span)>, String> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let read: Result<_, _> = Parser::new_from_str_with_options(text, options).collect();
    read.map_err(|error| {
        let place = error.marker();
        format!("is not YAML: line {}, column {}", place.line(), place.col() + 1)
    })
}

fn documents(events: &Events<'_>) -> usize {
    events.iter().filter(|(event, _)| matches!(event, Event::DocumentStart(..))).count()
}

/// Which text is replaced by what, so that these keys are in it.
fn find_place(text: &str, events: &Events<'_>, keys: &[String]) -> Result<(Range<usize>, String), String> {
    let start_of = |at: usize| events[at].1.start.byte_offset().unwrap_or(text.len());
    let before = |at: usize, text: String| Ok((at..at, text));
    let root = events.iter().position(|(event, _)| event.is_node()).filter(|root| !is_nothing(&events[*root].0));
    let Some(root) = root else {
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        return before(text.len(), format!("{newline}{KEYS}:\n{}", items(keys, "")));
    };
    let all = entries(events);
    let lists: Vec<_> = all.iter().filter(|entry| is_key(events, **entry, KEYS)).collect();
    match (&events[root].0, lists.as_slice()) {
        (_, [_, _, ..]) => Err(format!("has {KEYS} twice")),
        (_, [entry]) => into_list(text, events, **entry, keys),
        (Event::MappingStart(..), []) if all.iter().any(|entry| is_key(events, *entry, "<<")) => {
            Err(format!("takes entries from elsewhere by <<, and {KEYS} might be one"))
        }
        (Event::MappingStart(StructureStyle::Block, ..), []) => {
            let indent = " ".repeat(events[root].1.start.col());
            before(start_of(root), format!("{KEYS}:\n{}{indent}", items(keys, &indent)))
        }
        (Event::MappingStart(StructureStyle::Flow, ..), []) => {
            before(start_of(root) + 1, format!("{KEYS}: [{}], ", quoted(keys)))
        }
        _ => Err("is no mapping".to_owned()),
    }
}

/// The same, where there is a list, or nothing, under the key.
fn into_list(text: &str, events: &Events<'_>, entry: Entry, keys: &[String]) -> Result<(Range<usize>, String), String> {
    let (value, span) = &events[entry.value];
    let place = |marker: granit_parser::Marker| marker.byte_offset().unwrap_or(text.len());
    let start = place(span.start);
    match value {
        // What an alias elsewhere points at would change with it.
        _ if value.anchor_id().is_some() => Err(format!("has an anchor on its {KEYS}")),
        Event::SequenceStart(StructureStyle::Block, ..) => {
            // The indentation of the first entry stands there already, and is given back to it.
            let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
            let indent = text[line..].len() - text[line..].trim_start_matches(' ').len();
            let (dash, indent) = (line + indent, " ".repeat(indent));
            let items = items(keys, &indent);
            Ok((dash..dash, format!("{}{indent}", &items[indent.len()..])))
        }
        Event::SequenceStart(StructureStyle::Flow, ..) => Ok((start + 1..start + 1, format!("{}, ", quoted(keys)))),
        nothing if is_nothing(nothing) => {
            let key_ends = place(events[entry.key].1.end);
            let colon = text[key_ends..].find(':').map_or(text.len(), |at| key_ends + at + 1);
            let end = place(span.end);
            let at = if start == end { colon..colon } else { start..end };
            Ok((at, format!(" [{}]", quoted(keys))))
        }
        _ => Err(format!("has {KEYS} that are no list")),
    }
}

/// The entries of the root, if that is a mapping.
fn entries(events: &Events<'_>) -> Vec<Entry> {
    let root = events.iter().position(|(event, _)| event.is_node());
    let Some(root) = root.filter(|root| matches!(events[*root].0, Event::MappingStart(..))) else {
        return Vec::new();
    };
    let (mut depth, mut nodes) = (0_usize, Vec::new());
    for (at, (event, _)) in events.iter().enumerate().skip(root + 1) {
        let ends = matches!(event, Event::MappingEnd | Event::SequenceEnd);
        if depth == 0 && (event.is_node() || ends) {
            nodes.push(at);
        }
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            _ if ends && depth == 0 => break,
            _ if ends => depth -= 1,
            _ => {}
        }
    }
    let pairs = nodes.windows(3).step_by(2);
    pairs.map(|nodes| Entry { key: nodes[0], value: nodes[1], end: nodes[2] }).collect()
}

fn is_key(events: &Events<'_>, entry: Entry, name: &str) -> bool {
    events[entry.key].0.scalar().is_some_and(|(key, _)| key == name)
}

fn is_nothing(event: &Event<'_>) -> bool {
    let words = ["", "~", "null", "Null", "NULL"];
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if words.contains(&text.as_ref()))
}

/// Whether `after` is the same document as `before`, with these keys before those of its list.
fn holds(before: &Events<'_>, after: &Events<'_>, keys: &[String]) -> bool {
    let others = |events: &Events<'_>| -> Vec<Vec<String>> {
        let others = entries(events).into_iter().filter(|entry| !is_key(events, *entry, KEYS));
        others.map(|entry| meaning(&events[entry.key..entry.end])).collect()
    };
    let keys = keys.iter().map(|key| format!("scalar {key}"));
    let wanted: Vec<String> = keys.chain(list(before)).collect();
    documents(after) == 1 && others(before) == others(after) && list(after) == wanted
}

/// What is in the list of the keys.
fn list(events: &Events<'_>) -> Vec<String> {
    let entry = entries(events).into_iter().find(|entry| is_key(events, *entry, KEYS));
    let entry = entry.filter(|entry| matches!(events[entry.value].0, Event::SequenceStart(..)));
    entry.map(|entry| meaning(&events[entry.value + 1..entry.end - 1])).unwrap_or_default()
}

/// What events mean, without how it is written.
fn meaning(events: &Events<'_>) -> Vec<String> {
    let describe = |(event, _): &(Event<'_>, Span)| {
        let tag = event.tag().map(|tag| format!("{tag:?} ")).unwrap_or_default();
        match event {
            Event::Scalar(text, ..) => format!("{tag}scalar {text}"),
            Event::SequenceStart(..) => format!("{tag}["),
            Event::MappingStart(..) => format!("{tag}{{"),
            other => format!("{other:?}"),
        }
    };
    events.iter().map(describe).collect()
}

/// Entries of a block list.
fn items(keys: &[String], indent: &str) -> String {
    let items: Vec<String> = keys.iter().map(|key| format!("{indent}- {}\n", quote(key))).collect();
    items.concat()
}

fn quoted(keys: &[String]) -> String {
    keys.iter().map(|key| quote(key)).collect::<Vec<_>>().join(", ")
}

/// A double-quoted scalar in ASCII.
fn quote(key: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        _ => format!("\\U{:08X}", u32::from(c)),
    };
    ["\"", &key.chars().map(escape).collect::<String>(), "\""].concat()
}
