//! A table in Markdown that can be read as it stands.

use std::fmt::Write as _;

/// Rows of cells below a head.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// One with this head.
    pub(super) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self::with_head(head.map(str::to_owned).to_vec())
    }

    /// The same.
    pub(super) fn with_head(head: Vec<String>) -> Self {
        Self { rows: vec![head] }
    }

    /// Adds a row; one without figures is left out.
    pub(super) fn add(&mut self, row: Vec<String>) {
        if row.iter().skip(1).any(|cell| !cell.is_empty()) {
            self.rows.push(row);
        }
    }

    /// Whether there is nothing below the head.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::from("|");
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let _ = match column {
                    0 => write!(line, " {cell:<width$} |"),
                    _ => write!(line, " {cell:>width$} |"),
                };
            }
            writeln!(out, "{line}")?;
            if number == 0 {
                let rule = |(column, width): (usize, &usize)| match column {
                    0 => format!("{}|", "-".repeat(width + 2)),
                    _ => format!("{}:|", "-".repeat(width + 1)),
                };
                let rules: String = widths.iter().enumerate().map(rule).collect();
                writeln!(out, "|{rules}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_empty_rows_are_left_out() {
        let mut table = Table::new(["", "us"]);
        assert!(table.is_empty());
        table.add(vec!["nginx".to_owned(), "20.8".to_owned()]);
        table.add(vec!["none".to_owned(), String::new()]);
        let expected = "|       |   us |\n|-------|-----:|\n| nginx | 20.8 |\n";
        assert_eq!(table.to_string(), expected);
    }
}
