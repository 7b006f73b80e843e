//! The terminal that stdout is, if it is one: how wide and high. Asked anew each time, because people resize windows.

use std::env;
use std::io::{IsTerminal, stdout};

use rustix::termios::tcgetwinsize;

/// What is assumed of a terminal that does not say.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// A terminal's size in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// Whether a person watches.
pub(crate) fn is_one() -> bool {
    stdout().is_terminal()
}

/// Its size. `COLUMNS` counts where the terminal does not know.
pub(crate) fn size() -> Size {
    let set = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
    let told = tcgetwinsize(stdout()).ok();
    let known = |cells: u16| Some(usize::from(cells)).filter(|cells| *cells > 0);
    Size {
        columns: told.and_then(|size| known(size.ws_col)).or_else(|| set("COLUMNS")).unwrap_or(USUAL.columns),
        rows: told.and_then(|size| known(size.ws_row)).or_else(|| set("LINES")).unwrap_or(USUAL.rows),
    }
}

/// Where lines end: nowhere unless it is a terminal.
pub(crate) fn width() -> usize {
    if is_one() { size().columns } else { usize::MAX }
}
