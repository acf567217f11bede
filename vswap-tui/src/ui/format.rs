//! Numbers as people read them: grouped counts, KiB, us, shares that never round a loss away.

/// `1234567` as `1,234,567`.
pub fn count(n: u64) -> String {
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

/// A count in at most `width` columns: grouped if that fits, else `12.3k`, `4.56M`, `7.89G`, `1.2T`.
pub fn count_in(n: u64, width: usize) -> String {
    let full = count(n);
    if full.len() <= width { full } else { scaled(n as f64, 1000.0, &["", "k", "M", "G", "T", "P", "E"]) }
}

/// Events or pages per second. Below ten one decimal, so that a trickle is not shown as silence.
pub fn rate(per_second: f64, width: usize) -> String {
    if !per_second.is_finite() || per_second <= 0.0 {
        return "0".into();
    }
    if per_second < 0.1 {
        return "<0.1".into();
    }
    if per_second < 10.0 {
        return format!("{per_second:.1}");
    }
    count_in(per_second.round() as u64, width)
}

/// Bytes with a binary unit: `812 B`, `48.2 MiB`.
pub fn bytes(n: u64) -> String {
    if n < 1024 {
        return format!("{n} B");
    }
    scaled(n as f64, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"])
}

/// Nanoseconds with the unit people think in: `850 ns`, `12.3 us`, `4.56 ms`, `1.2 s`, `3.0 min`.
pub fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_500_000 => scaled(ns as f64, 1000.0, &[" ns", " us", " ms"]),
        999_500_000..120_000_000_000 => format!("{:.1} s", ns as f64 / 1e9),
        120_000_000_000..7_200_000_000_000 => format!("{:.1} min", ns as f64 / 60e9),
        _ => format!("{:.1} h", ns as f64 / 3600e9),
    }
}

/// A share of 1 as percent. `100 %` and `0 %` mean exactly that: what is only nearly so keeps its digits.
pub fn percent(share: f64) -> String {
    if share >= 1.0 {
        "100 %".into()
    } else if share <= 0.0 || share.is_nan() {
        "0 %".into()
    } else if share > 0.9995 {
        ">99.9 %".into()
    } else if share < 0.0005 {
        "<0.1 %".into()
    } else {
        format!("{:.1} %", share * 100.0)
    }
}

/// `part / whole` as percent; an empty whole is shown as such.
pub fn percent_of(part: u64, whole: u64) -> String {
    if whole == 0 { "-".into() } else { percent(part as f64 / whole as f64) }
}

/// A span of time as `MM:SS.t`, with hours and days when there are any.
pub fn span(ns: u64) -> String {
    let tenths = ns / 100_000_000;
    let (t, s, m, h) = (tenths % 10, tenths / 10 % 60, tenths / 600 % 60, tenths / 36_000);
    if h >= 24 {
        format!("{}d {:02}:{m:02}:{s:02}", h / 24, h % 24)
    } else if h > 0 {
        format!("{h}:{m:02}:{s:02}")
    } else {
        format!("{m:02}:{s:02}.{t}")
    }
}

/// Time of day (UTC) of a `CLOCK_REALTIME` instant, `23:59:01Z`.
pub fn time_of_day(realtime_ns: u64) -> String {
    let s = realtime_ns / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}Z", s / 3600, s / 60 % 60, s % 60)
}

/// Three significant digits and the unit that keeps the number below the step.
fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // 999.5 would print as 1000 of the smaller unit.
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let digits = match value {
        v if v < 9.995 && unit > 0 => 2,
        v if v < 99.95 && unit > 0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_shortened() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count_in(1_234_567, 9), "1,234,567");
        assert_eq!(count_in(1_234_567, 6), "1.23M");
        assert_eq!(count_in(999_999, 5), "1.00M");
        assert!(count_in(u64::MAX, 5).len() <= 5);
    }

    #[test]
    fn bytes_and_times_carry_their_unit() {
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(4096), "4.00 KiB");
        assert_eq!(bytes(50_541_363), "48.2 MiB");
        assert_eq!(bytes(1 << 30), "1.00 GiB");
        assert_eq!(duration(850), "850 ns");
        assert_eq!(duration(12_340), "12.3 us");
        assert_eq!(duration(4_560_000), "4.56 ms");
        assert_eq!(duration(1_234_000_000), "1.2 s");
        assert_eq!(duration(999_900_000), "1.0 s");
        assert_eq!(duration(180_000_000_000), "3.0 min");
    }

    #[test]
    fn a_share_that_is_not_whole_never_reads_whole() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.99999), ">99.9 %");
        assert_eq!(percent(0.00001), "<0.1 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.614), "61.4 %");
        assert_eq!(percent_of(1, 0), "-");
    }

    #[test]
    fn a_trickle_is_not_silence() {
        assert_eq!(rate(0.0, 8), "0");
        assert_eq!(rate(0.01, 8), "<0.1");
        assert_eq!(rate(0.5, 8), "0.5");
        assert_eq!(rate(12_345.6, 8), "12,346");
        assert_eq!(rate(f64::NAN, 8), "0");
    }

    #[test]
    fn spans_and_times_of_day() {
        assert_eq!(span(83_450_000_000), "01:23.4");
        assert_eq!(span(3_723_000_000_000), "1:02:03");
        assert_eq!(span(90_061_000_000_000), "1d 01:01:01");
        assert_eq!(time_of_day(1_700_000_000_000_000_000), "22:13:20Z");
    }
}
