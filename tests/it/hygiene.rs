//! What holds for the repository as a whole: its layout, which crate may know which, and what files may look like.
//! Reads source text and asks cargo; starts nothing.

mod circles;
mod documents;
mod ids;
mod layout;
mod platform;

use std::panic::catch_unwind;
use std::{env, fs};

use tests::repository::{files, read, root};

use crate::table::every_row;

/// More lines than this are two files.
const LONGEST: usize = 400;

#[test]
fn no_source_file_is_too_long_to_read() {
    let long: Vec<_> = (files("rs").into_iter())
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "more than {LONGEST} lines: {long:?}");
}

#[test]
fn nothing_names_the_machine_that_it_was_written_on() {
    let root = root().canonicalize().expect("there is a checkout");
    let home = env::var("HOME").unwrap_or_default();
    // A home of `/` or a checkout in `/src` says nothing about a machine.
    let deep = |path: &str, least: usize| path.split('/').filter(|part| !part.is_empty()).count() >= least;
    let own = [(home, 1), (root.to_string_lossy().into_owned(), 2)];
    let own: Vec<String> =
        own.into_iter().filter(|(path, least)| deep(path, *least)).map(|(path, _)| path + "/").collect();
    let mut found = Vec::new();
    for path in files("") {
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        found.extend(own.iter().filter(|own| text.contains(own.as_str())).map(|own| format!("{path}: {own}")));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_bad_row_of_a_table_is_reported() {
    let odd = |number: i32| assert!(number % 2 == 1, "{number} is even");
    every_row([1, 3, 5], odd);
    let payload = catch_unwind(|| every_row([1, 2, 3, 4], odd)).expect_err("two rows are wrong");
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("2 of 4 rows failed, see above"));
}
