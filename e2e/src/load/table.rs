//! A table that is printed line by line, as its values become known.

use std::fmt::Write;

/// Columns as wide as their headings.
#[derive(Clone, Debug)]
pub struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// Prints the headings.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        let widths = headings.iter().map(|heading| heading.len()).collect();
        let table = Self { widths };
        table.row(&headings.iter().map(ToString::to_string).collect::<Vec<_>>());
        table
    }

    /// Prints a line.
    pub fn row(&self, cells: &[String]) {
        println!("{}", self.line(cells));
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&self.widths) {
            // Writing to a String does not fail.
            let _ = write!(line, "{cell:>width$}  ");
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_end_where_their_headings_end() {
        let table = Table::new(&["viewers", "p99"]);
        let line = table.line(&["50".to_owned(), "3.5".to_owned()]);
        assert_eq!(line, "     50  3.5");
    }
}
