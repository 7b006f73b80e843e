//! Where the live table is drawn: in place on a terminal; elsewhere only what changed is printed.

use std::io::{self, Write, stdout};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::fit::{cells, cut};
use crate::table::Picture;
use crate::{say, term};

const CLEAR_BELOW: &str = "\x1b[J";

/// A terminal, or something that keeps what is printed.
pub(crate) struct Screen {
    terminal: bool,
    /// What stands above the cursor.
    drawn: Vec<String>,
    last: Option<Picture>,
}

impl Screen {
    /// That of our stdout.
    pub(crate) fn new() -> Self {
        Self { terminal: term::is_one(), drawn: Vec::new(), last: None }
    }

    /// Shows a picture; fails when nobody reads it.
    pub(crate) fn show(&mut self, picture: Picture) -> io::Result<()> {
        if self.terminal {
            self.draw(&picture)?;
        } else {
            self.print(&picture)?;
        }
        self.last = Some(picture);
        Ok(())
    }

    fn draw(&mut self, picture: &Picture) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let size = term::size();
        let mut lines = picture.lines(i64::try_from(now).unwrap_or_default(), size);
        lines.push(String::new());
        lines.push(cut(&format!("{} s. Ctrl-C ends it.", say::seconds()), size.columns));
        let up = match rows(&self.drawn, size.columns) {
            0 => String::new(),
            rows => format!("\x1b[{rows}A"),
        };
        let mut out = stdout().lock();
        write!(out, "{up}\r{CLEAR_BELOW}{}\n", lines.join("\n"))?;
        self.drawn = lines;
        out.flush()
    }

    fn print(&self, picture: &Picture) -> io::Result<()> {
        let mut out = stdout().lock();
        match &self.last {
            None => {
                writeln!(out, "{}", picture.verdict())?;
                for (name, why) in &picture.refused {
                    writeln!(out, "Refused, so not stored: {name}: {why}")?;
                }
                writeln!(out, "From here on only changes are printed. Ctrl-C ends it.")?;
            }
            Some(last) => {
                for news in picture.news(last) {
                    writeln!(out, "[{:3} s] {news}", say::seconds())?;
                }
            }
        }
        out.flush()
    }
}

/// Rows that lines take in a terminal; one that was made narrower since has broken the longer ones.
fn rows(lines: &[String], columns: usize) -> usize {
    lines.iter().map(|line| cells(line).div_ceil(columns.max(1)).max(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn fr23_a_drawing_is_found_again_in_a_terminal_that_was_made_narrower() {
        let drawn = ["a".repeat(40), String::new(), "虚拟机".to_owned()];
        assert_eq!((rows(&drawn, 40), rows(&drawn, 20), rows(&drawn, 5), rows(&[], 5)), (3, 4, 11, 0));
    }
}
