//! Numbers as the text report prints them.

/// `1234567` as `1,234,567`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Bytes with a binary unit: `812 B`, `48.2 MiB`.
pub(super) fn bytes(n: u64) -> String {
    scaled(n, &[(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")], "B")
}

/// Nanoseconds with the unit people think in: `850 ns`, `12.3 us`, `4.6 ms`, `1.2 s`.
pub(super) fn duration(ns: u64) -> String {
    scaled(ns, &[(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")], "ns")
}

/// `part / whole` as percent; an empty whole is shown as such.
pub(super) fn percent_of(part: u64, whole: u64) -> String {
    if whole == 0 { "-".into() } else { format!("{:.1} %", part as f64 / whole as f64 * 100.0) }
}

fn scaled(n: u64, units: &[(u64, &str)], smallest: &str) -> String {
    match units.iter().find(|(size, _)| n >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", n as f64 / *size as f64),
        None => format!("{n} {smallest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((bytes(812), bytes(1 << 20)), ("812 B".into(), "1.0 MiB".into()));
        assert_eq!(
            (duration(850), duration(12_300), duration(1_200_000_000)),
            ("850 ns".into(), "12.3 us".into(), "1.2 s".into())
        );
        assert_eq!((percent_of(1, 0), percent_of(1, 2)), ("-".into(), "50.0 %".into()));
    }
}
