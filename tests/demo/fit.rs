//! Text that fits into a width: a line that is cut, prose that is wrapped, and tables whose columns give way. Widths are those
//! of a terminal, where a Chinese character takes two cells. Pure.

use unicode_width::UnicodeWidthChar;

/// Between two columns.
const GAP: usize = 2;
/// A last column that shows less than this says nothing, so another one goes first.
const LEAST: usize = 20;

/// Cells that a text takes.
pub(crate) fn cells(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or_default()).sum()
}

/// The beginning of a text, with `…` where something is missing. Control characters would move the cursor, so they go.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    if cells(&clean) <= width {
        return clean;
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or_default();
        used <= width
    };
    let begin: String = clean.chars().take_while(fits).collect();
    if width == 0 { String::new() } else { format!("{begin}…") }
}

/// A line as several, broken between words, each but the first behind so many blanks. A word that is too long stays whole: it may
/// have to be copied.
pub(crate) fn wrapped(line: &str, width: usize, indent: usize) -> Vec<String> {
    if cells(line) <= width {
        return vec![line.to_owned()];
    }
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in line.split_inclusive(' ') {
        if cells(&current) + cells(word.trim_end()) > width && !current.trim().is_empty() {
            lines.push(current.trim_end().to_owned());
            current = " ".repeat(indent);
        }
        current.push_str(word);
    }
    lines.push(current.trim_end().to_owned());
    lines
}

/// A command as several lines that can be typed like that: broken between arguments only, which quotes hold together.
pub(crate) fn broken(command: &str, width: usize) -> Vec<String> {
    let mut quoted = false;
    let arguments = command.split(|c| {
        quoted ^= c == '\'';
        c == ' ' && !quoted
    });
    let mut lines = vec![String::new()];
    for argument in arguments {
        let line = lines.last_mut().expect("invariant: there is one from the start");
        if line.is_empty() {
            line.push_str(argument);
        } else if cells(line) + cells(argument) + 3 <= width {
            *line = format!("{line} {argument}");
        } else {
            line.push_str(" \\");
            lines.push(format!("    {argument}"));
        }
    }
    lines
}

/// Commands with what they do behind each, or below where there is no room.
pub(crate) fn pairs(commands: &[(String, &str)], width: usize) -> Vec<String> {
    let longest = commands.iter().map(|(command, _)| cells(command)).max().unwrap_or_default();
    let beside = commands.iter().all(|(_, what)| longest + cells(what) + 6 <= width);
    let lines = |(command, what): &(String, &str)| {
        if beside {
            vec![format!("  {command:longest$}  # {what}")]
        } else {
            vec![format!("  # {what}"), format!("  {command}")]
        }
    };
    commands.iter().flat_map(lines).collect()
}

/// Sets rows in columns that together fit into a width; empty cells show as `-`. `leave` names columns in the order in which they
/// are left out; the last column is shortened before.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]], width: usize, leave: &[usize]) -> Vec<String> {
    let shown = |cell: &String| if cell.is_empty() { "-".to_owned() } else { cell.clone() };
    let natural = |column: usize| rows.iter().map(|row| cells(&shown(&row[column]))).max().unwrap_or_default();
    let mut wide: Vec<(usize, usize)> = (0..N).map(|column| (column, natural(column))).collect();
    let mut leave = leave.iter();
    while needed(&wide, N) > width
        && let Some(gone) = leave.next()
    {
        wide.retain(|(column, _)| column != gone);
    }
    shrink(&mut wide, width, N);
    let line = |row: &[String; N]| {
        let set = |&(column, width): &(usize, usize)| {
            let cell = cut(&shown(&row[column]), width);
            let rest = width - cells(&cell);
            cell + &" ".repeat(rest)
        };
        wide.iter().map(set).collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// What columns take at least, if only the last one may be shortened.
fn needed(wide: &[(usize, usize)], count: usize) -> usize {
    let least = |&(column, width): &(usize, usize)| if column + 1 == count { width.min(LEAST) } else { width };
    wide.iter().map(least).sum::<usize>() + GAP * wide.len().saturating_sub(1)
}

fn shrink(wide: &mut [(usize, usize)], width: usize, count: usize) {
    loop {
        let total = wide.iter().map(|(_, width)| width).sum::<usize>() + GAP * wide.len().saturating_sub(1);
        let Some(widest) = wide.iter().map(|(_, width)| *width).max().filter(|widest| total > width && *widest > 1)
        else {
            return;
        };
        let last = wide.iter().position(|&(column, width)| column + 1 == count && width > LEAST);
        let place = last.or_else(|| wide.iter().position(|(_, width)| *width == widest)).unwrap_or_default();
        wide[place].1 -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[[&str; 4]]) -> Vec<[String; 4]> {
        cells.iter().map(|row| row.map(str::to_owned)).collect()
    }

    #[test]
    fn fr23_a_line_is_cut_where_the_terminal_ends() {
        #[rustfmt::skip]
        let cases = [
            ("basic-vm", 8, "basic-vm"), ("basic-vm", 7, "basic-…"), ("basic-vm", 1, "…"), ("basic-vm", 0, ""),
            // Two cells each: the third one would begin in the last cell.
            ("虚拟机", 6, "虚拟机"), ("虚拟机", 5, "虚拟…"), ("虚拟机", 4, "虚…"), ("虚拟机", 2, "…"),
            // A combining accent takes none.
            ("e\u{301}tage", 5, "e\u{301}tage"), ("e\u{301}tage", 4, "e\u{301}ta…"),
            ("a\x1b[2Jb\nc", 9, "a[2Jbc"),
        ];
        for (text, width, want) in cases {
            assert_eq!(cut(text, width), want, "{text:?} in {width}");
        }
    }

    #[test]
    fn fr23_prose_is_wrapped_between_words() {
        let line = "* spec.template: template \"smal\" not found";
        assert_eq!(wrapped(line, 80, 2), [line]);
        assert_eq!(wrapped(line, 26, 2), ["* spec.template: template", "  \"smal\" not found"]);
        assert_eq!(
            wrapped("    see https://example.org/a/long/way", 20, 6),
            ["    see", "      https://example.org/a/long/way"]
        );
    }

    #[test]
    fn fr23_a_long_command_is_broken_so_that_it_can_still_be_typed() {
        let command = "$ kubectl patch vm web -p '{\"spec\": {}}' --type=merge";
        assert_eq!(broken(command, 80), [command]);
        assert_eq!(
            broken(command, 29),
            ["$ kubectl patch vm web -p \\", "    '{\"spec\": {}}' \\", "    --type=merge"]
        );
    }

    #[test]
    fn fr23_what_a_command_does_stands_beside_or_above_it() {
        let commands = [("kubectl get machines".to_owned(), "all of them"), ("ls".to_owned(), "files")];
        assert_eq!(pairs(&commands, 37), ["  kubectl get machines  # all of them", "  ls                    # files"]);
        assert_eq!(pairs(&commands, 36), ["  # all of them", "  kubectl get machines", "  # files", "  ls"]);
    }

    #[test]
    fn fr23_a_table_fits_the_width_that_there_is() {
        let table = rows(&[
            ["NAME", "PHASE", "NODE", "MESSAGE"],
            ["basic-vm", "Running", "node-1", "the virtual machine runs"],
            ["虚拟机", "", "", "waiting until the virtual machine runs"],
        ]);
        #[rustfmt::skip]
        let cases = [
            (200, vec![
                "NAME      PHASE    NODE    MESSAGE",
                "basic-vm  Running  node-1  the virtual machine runs",
                "虚拟机    -        -       waiting until the virtual machine runs",
            ]),
            (50, vec![
                "NAME      PHASE    NODE    MESSAGE",
                "basic-vm  Running  node-1  the virtual machine ru…",
                "虚拟机    -        -       waiting until the virt…",
            ]),
            (40, vec![
                "NAME      PHASE    MESSAGE",
                "basic-vm  Running  the virtual machine …",
                "虚拟机    -        waiting until the vi…",
            ]),
            (20, vec!["NAME      PHASE", "basic-vm  Running", "虚拟机    -"]),
            (12, vec!["NAME   PHASE", "basi…  Runn…", "虚拟…  -"]),
        ];
        for (width, want) in cases {
            assert_eq!(columns(&table, width, &[2, 3]), want, "{width}");
        }
    }
}
