//! Markdown tables with columns that line up.

/// Prints a table; the first column holds names, the others numbers.
pub fn print(title: &str, head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().expect("at least the head")
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    println!("{title}\n");
    print_row(head.iter().map(|cell| (*cell).to_owned()), &widths);
    let rule = |(column, width): (usize, &usize)| match column {
        0 => "-".repeat(*width),
        _ => format!("{}:", "-".repeat(*width - 1)),
    };
    print_row(widths.iter().enumerate().map(rule), &widths);
    for row in rows {
        print_row(row.iter().cloned(), &widths);
    }
    println!();
}

fn print_row(cells: impl Iterator<Item = String>, widths: &[usize]) {
    let padded = cells.zip(widths).enumerate().map(|(column, (cell, &width))| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    println!("| {} |", padded.collect::<Vec<_>>().join(" | "));
}
