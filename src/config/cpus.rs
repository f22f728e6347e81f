//! Lists of CPUs as the kernel writes them: `0-3,8`.

use super::error::ValueError;
use crate::base::limits::CPU_NUMBER_END;

/// The CPUs of a list, in its order. Every CPU may be named once: two shards on one CPU are never meant.
pub fn parse(text: &str) -> Result<Vec<usize>, ValueError> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(ValueError::NotACpuList);
        }
        for cpu in first..=last {
            if cpus.contains(&cpu) {
                return Err(ValueError::CpuTwice(cpu));
            }
            cpus.push(cpu);
        }
    }
    Ok(cpus)
}

/// The list in the form that [`parse`] reads, with runs joined.
pub fn format(cpus: &[usize]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = cpus;
    while let Some(&first) = rest.first() {
        let run = rest.iter().enumerate().take_while(|(i, cpu)| **cpu == first + i).count();
        parts.push(if run == 1 { first.to_string() } else { format!("{first}-{}", first + run - 1) });
        rest = &rest[run..];
    }
    parts.join(",")
}

fn number(text: &str) -> Result<usize, ValueError> {
    let number: usize = text.trim().parse().map_err(|_| ValueError::NotACpuList)?;
    if number < CPU_NUMBER_END { Ok(number) } else { Err(ValueError::NotACpuList) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(parse("0"), Ok(vec![0]));
        assert_eq!(parse("0-3,8"), Ok(vec![0, 1, 2, 3, 8]));
        assert_eq!(parse("4, 2"), Ok(vec![4, 2]));
        assert_eq!(parse("1,0-2"), Err(ValueError::CpuTwice(1)));
        for text in ["", ",", "a", "3-1", "1-", "0-99999999999", "8192"] {
            assert_eq!(parse(text), Err(ValueError::NotACpuList), "{text}");
        }
        for text in ["0", "0-3,8", "4,2", "1-2,6-7"] {
            assert_eq!(format(&parse(text).unwrap()), text);
        }
    }
}
