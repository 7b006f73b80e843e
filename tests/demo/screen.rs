//! Where the live table is drawn: in place on a terminal; elsewhere only what changed is printed.

use std::io::{self, IsTerminal, Write, stdout};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::say;
use crate::table::Picture;

/// Ends each line where the terminal ends, so that a drawing has as many rows as lines.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";
const CLEAR_BELOW: &str = "\x1b[J";

/// A terminal, or something that keeps what is printed.
pub(crate) struct Screen {
    terminal: bool,
    drawn: usize,
    last: Option<Picture>,
}

impl Screen {
    /// That of our stdout.
    pub(crate) fn new() -> Self {
        Self { terminal: stdout().is_terminal(), drawn: 0, last: None }
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
        let mut lines = picture.lines(i64::try_from(now).unwrap_or_default());
        lines.push(String::new());
        lines.push(format!("{} s. Ctrl-C ends it.", say::seconds()));
        let up = if self.drawn == 0 { String::new() } else { format!("\x1b[{}A", self.drawn) };
        self.drawn = lines.len();
        let mut out = stdout().lock();
        write!(out, "{up}\r{CLEAR_BELOW}{NO_WRAP}{}\n{WRAP}", lines.join("\n"))?;
        out.flush()
    }

    fn print(&self, picture: &Picture) -> io::Result<()> {
        let mut out = stdout().lock();
        match &self.last {
            None => writeln!(out, "From here on only changes are printed. Ctrl-C ends it.")?,
            Some(last) => {
                for news in picture.news(last) {
                    writeln!(out, "[{:3} s] {news}", say::seconds())?;
                }
            }
        }
        out.flush()
    }
}
