//! Values as people write them: sizes, counts, speeds. Errors are sentences for clap.

use super::Speed;
use crate::memory;
use crate::source::generator;

/// `4096`, `64K`, `16M`, `1G` to bytes.
///
/// # Errors
/// In words, for clap.
pub fn parse_bytes(s: &str) -> Result<u64, String> {
    let trimmed = s.trim();
    let (digits, factor) = match trimmed.char_indices().last() {
        Some((i, 'K' | 'k')) => (&trimmed[..i], 1u64 << 10),
        Some((i, 'M' | 'm')) => (&trimmed[..i], 1 << 20),
        Some((i, 'G' | 'g')) => (&trimmed[..i], 1 << 30),
        _ => (trimmed, 1),
    };
    let n: u64 = digits.parse().map_err(|_| format!("'{s}' is not a size like 4096, 64K, 16M or 1G"))?;
    n.checked_mul(factor).ok_or_else(|| format!("'{s}' is too large"))
}

/// `4096`, `96K`, `1M` to a number of slots the generator can have.
///
/// # Errors
/// In words, for clap.
pub fn parse_slots(s: &str) -> Result<u64, String> {
    let slots = parse_bytes(s).map_err(|_| format!("'{s}' is not a number like 4096, 96K or 1M"))?;
    let (least, most) = generator::SLOTS.into_inner();
    if generator::SLOTS.contains(&slots) {
        Ok(slots)
    } else {
        Err(format!("'{s}' is {slots} slots of 4 KiB; it must be {least} to {most} ({}M)", most >> 20))
    }
}

/// A number of CPUs the generator can have.
///
/// # Errors
/// In words, for clap.
pub fn parse_cpus(s: &str) -> Result<u16, String> {
    let (least, most) = generator::CPUS.into_inner();
    match s.parse() {
        Ok(cpus) if generator::CPUS.contains(&cpus) => Ok(cpus),
        _ => Err(format!("'{s}' is not a number of CPUs from {least} to {most}")),
    }
}

/// `500`, `100K`, `1M`, `2G` to a count of at least 1.
///
/// # Errors
/// In words, for clap.
pub fn parse_count(s: &str) -> Result<u64, String> {
    let (digits, factor) = match s.char_indices().last() {
        Some((i, 'K' | 'k')) => (&s[..i], 1_000),
        Some((i, 'M' | 'm')) => (&s[..i], 1_000_000),
        Some((i, 'G' | 'g')) => (&s[..i], 1_000_000_000),
        _ => (s, 1u64),
    };
    let n = digits.parse().ok().and_then(|n: u64| n.checked_mul(factor)).filter(|n| *n > 0);
    n.ok_or_else(|| format!("'{s}' is not a number like 500, 100K, 1M or 2G"))
}

/// `max`, `1x`, `0.5x`, `10` to a speed.
///
/// # Errors
/// In words, for clap.
pub fn parse_speed(s: &str) -> Result<Speed, String> {
    if s == "max" {
        return Ok(Speed::Max);
    }
    match s.strip_suffix('x').unwrap_or(s).parse::<f64>() {
        Ok(x) if x.is_finite() && x > 0.0 => Ok(Speed::Times(x)),
        _ => Err(format!("'{s}' is not a speed like max, 1x, 10x or 0.5x")),
    }
}

/// A memory limit: bytes as above, not less than anything useful needs.
///
/// # Errors
/// In words, for clap.
pub fn parse_memory(s: &str) -> Result<u64, String> {
    let bytes = parse_bytes(s)?;
    let least = memory::LEAST;
    if bytes < least {
        return Err(format!("'{s}' is too little for any slot map: give at least {}M", least >> 20));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_speeds() {
        assert_eq!(parse_bytes("16M"), Ok(16 << 20));
        assert_eq!(parse_bytes("4096"), Ok(4096));
        assert!(
            parse_bytes("M").is_err() && parse_bytes("").is_err() && parse_bytes("99999999999G").is_err()
        );
        assert_eq!(parse_speed("10x"), Ok(Speed::Times(10.0)));
        assert_eq!(parse_speed("max"), Ok(Speed::Max));
        assert!(parse_speed("-1x").is_err() && parse_speed("nanx").is_err() && parse_speed("0").is_err());
    }

    #[test]
    fn what_the_generator_cannot_have_is_refused() {
        assert_eq!((parse_slots("96K"), parse_slots("16M")), (Ok(96 << 10), Ok(16 << 20)));
        assert!(parse_slots("1K").is_err() && parse_slots("17M").is_err() && parse_slots("x").is_err());
        assert_eq!((parse_count("1M"), parse_count("7")), (Ok(1_000_000), Ok(7)));
        assert!(["0", "-1", "1T", "", "M", "99999999999G"].iter().all(|s| parse_count(s).is_err()));
        assert_eq!((parse_cpus("1"), parse_cpus("256")), (Ok(1), Ok(256)));
        assert!(parse_cpus("0").is_err() && parse_cpus("257").is_err());
    }

    #[test]
    fn a_limit_that_nothing_fits_in_is_refused() {
        assert_eq!(parse_memory("64M"), Ok(64 << 20));
        assert!(parse_memory("7M").unwrap_err().contains("8M") && parse_memory("much").is_err());
    }
}
