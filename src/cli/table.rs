//! Tables for people: columns as wide as what is in them, numbers to the right.

/// Lays out rows of equal length below their heading.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(heading[column].chars().count())
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let mut text = line(heading.iter().copied(), &widths);
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str), &widths));
    }
    text
}

fn line<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let pad = |(cell, &width): (&'a str, &usize)| {
        let is_number = cell.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        if is_number { format!("{cell:>width$}") } else { format!("{cell:width$}") }
    };
    let cells: Vec<String> = cells.zip(widths).map(pad).collect();
    format!("{}\n", cells.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let row = |name: &str, number: &str| vec![name.to_owned(), number.to_owned(), "x".to_owned()];
        let expected = "name    bytes  state\na           7  x\nlonger  12345  x\n";
        assert_eq!(table(&["name", "bytes", "state"], &[row("a", "7"), row("longer", "12345")]), expected);
    }
}
