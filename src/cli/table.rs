//! Tables for people: columns as wide as what is in them, columns of numbers to the right.

/// Lays out rows of equal length below their heading.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let column = |index: usize| {
        let cells = || rows.iter().map(|row| row[index].as_str());
        let width = cells().chain([heading[index]]).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let is_of_numbers = cells().any(is_number) && cells().all(|cell| is_number(cell) || cell == UNKNOWN);
        Column { width, is_of_numbers }
    };
    let columns: Vec<Column> = (0..heading.len()).map(column).collect();
    let mut text = line(heading.iter().copied(), &columns);
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str), &columns));
    }
    text
}

/// What stands in a cell whose value is not known, or is none.
const UNKNOWN: &str = "-";

struct Column {
    width: usize,
    is_of_numbers: bool,
}

/// A number, perhaps with a unit; not an address, nor a list of numbers.
fn is_number(cell: &str) -> bool {
    let unit = |char: char| char.is_ascii_alphabetic() || [' ', '%', '/'].contains(&char);
    cell.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && cell.trim_end_matches(unit).parse::<f64>().is_ok()
}

fn line<'a>(cells: impl Iterator<Item = &'a str>, columns: &[Column]) -> String {
    let pad = |(cell, &Column { width, is_of_numbers }): (&'a str, &Column)| {
        if is_of_numbers { format!("{cell:>width$}") } else { format!("{cell:width$}") }
    };
    let cells: Vec<String> = cells.zip(columns).map(pad).collect();
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

    #[test]
    fn numbers_go_to_the_right_as_a_column() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["-", "10.0.0.1:9092", "1000"]), row(["12 ms", "9", "-1"])];
        let expected = "  lag  address          id\n    -  10.0.0.1:9092  1000\n12 ms  9                -1\n";
        assert_eq!(table(&["lag", "address", "id"], &rows), expected);
    }
}
