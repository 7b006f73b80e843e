//! What judging one request brings to light. Pure.

use std::borrow::Cow;

use model::reason::Violation;

use crate::needs::Needs;

/// Everything that was found about one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What is wrong with it.
    pub wrong: Vec<Violation>,
    /// What its author should know.
    pub warnings: Vec<String>,
    /// What must be asked before it can be decided.
    pub needs: Needs,
}

impl Findings {
    /// Warns its author.
    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Refuses what the request brings, and warns of what was `held` before it (X76).
    pub fn refuse_unless(&mut self, held: bool, violation: Violation) {
        if held {
            self.warnings.push(format!("{}: {}", violation.path, violation.message));
        } else {
            self.wrong.push(violation);
        }
    }
}

/// API servers cut a warning at 256 bytes: a longer one goes in several, each of whole words (FR12).
pub(crate) const LINE: usize = 250;
/// A word that is longer is cut; what follows begins with a mark of four bytes.
const PIECE: usize = LINE - 4;

/// A warning in lines that nobody cuts.
pub fn lines(warning: String) -> Vec<String> {
    if warning.len() <= LINE {
        return vec![warning];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in warning.split(' ').flat_map(pieces) {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= LINE => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("… {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A word in pieces that fit into a line: people write names of any length.
fn pieces(mut word: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    while word.len() > PIECE {
        let at = (1..=PIECE).rev().find(|at| word.is_char_boundary(*at)).unwrap_or(PIECE);
        let (piece, rest) = word.split_at(at);
        pieces.push(piece);
        word = rest;
    }
    pieces.push(word);
    pieces
}

/// A stranger's text as part of ours: of one that is longer than this its two ends, since an error quotes a value first and
/// says then what is wrong with it.
pub fn ends(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let half = most / 2;
    let first = (0..=half).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let last = (text.len() - half..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    Cow::Owned(format!("{}…{}", &text[..first], &text[last..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atk2_of_a_long_text_both_ends_are_kept_and_no_letter_is_cut() {
        assert_eq!(ends("as it is", 8), "as it is");
        assert_eq!(ends("begins, is very long, ends", 8), "begi…ends");
        assert_eq!(ends("ééééé", 6), "é…é");
    }

    #[test]
    fn fr12_no_warning_is_cut_within_a_word() {
        let words: Vec<String> = (0..90).map(|number| format!("word-{number}")).collect();
        let lines = lines(words.join(" "));
        assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= 256), "{lines:?}");
        let joined = lines.iter().map(|line| line.trim_start_matches("… ")).collect::<Vec<_>>().join(" ");
        assert_eq!(joined, words.join(" "));
        assert_eq!(super::lines("short".to_owned()), ["short"]);
        let word = "é".repeat(300);
        let lines = super::lines(format!("about {word}"));
        assert!(lines.iter().all(|line| line.len() <= 256), "{lines:?}");
        assert_eq!(lines.iter().flat_map(|line| line.matches('é')).count(), 300);
    }
}
