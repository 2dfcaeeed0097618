//! Text in columns.

/// The headings and the rows as lines, each column as wide as its widest cell. Counts characters,
/// as terminals do for all but the widest.
pub(super) fn lines<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let headings = headings.map(str::to_owned);
    let all = || std::iter::once(&headings).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    all().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(&format!("{cell:<width$}  "));
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [
            row(["1", "", "x"]),
            row(["22", "\u{e4}\u{e4}\u{e4}\u{e4}", "y"]),
        ];
        assert_eq!(
            lines(["ID", "WHY", "N"], &rows),
            [
                "ID  WHY   N",
                "1         x",
                "22  \u{e4}\u{e4}\u{e4}\u{e4}  y"
            ]
        );
        assert_eq!(lines(["ID"], &[]), ["ID"]);
    }
}
