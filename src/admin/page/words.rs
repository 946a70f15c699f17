//! Figures as people read them: with their units, and no longer than they need be.

/// A narrow space between a figure and its unit, which does not break.
const GAP: char = '\u{202f}';

/// What stands where there is no figure.
pub(in crate::admin) const NONE: &str = "\u{2013}";

/// A whole number with commas between its thousands.
pub(in crate::admin) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of three digits, and the letter for its thousands: `203`, `k`.
pub(in crate::admin) fn short(number: f64) -> (String, &'static str) {
    scaled(number, 1000.0, &["", "k", "M", "G", "T"])
}

/// A rate in a cell: `203 k`.
pub(in crate::admin) fn rate(number: f64) -> String {
    join(&short(number))
}

/// A size in three digits, and its unit: `41.2`, `MiB`.
pub(in crate::admin) fn size(bytes: f64) -> (String, &'static str) {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// A size in a cell: `41.2 MiB`.
pub(in crate::admin) fn bytes(bytes: u64) -> String {
    join(&size(bytes as f64))
}

/// So many bytes a second in a cell: `1.08 MiB/s`.
pub(in crate::admin) fn byte_rate(bytes: f64) -> String {
    format!("{}/s", join(&size(bytes.round())))
}

/// A figure and its unit as one text.
pub(in crate::admin) fn join((figure, unit): &(String, &'static str)) -> String {
    match *unit {
        "" => figure.clone(),
        unit => format!("{figure}{GAP}{unit}"),
    }
}

/// A part of a whole in percent, or nothing of nothing.
pub(in crate::admin) fn percent(part: f64, whole: f64) -> Option<String> {
    if whole <= 0.0 {
        return None;
    }
    let percent = 100.0 * part / whole;
    // What is not everything must not be rounded to it.
    let percent = if part < whole {
        percent.min(99.9)
    } else {
        percent
    };
    Some(format!("{percent:.1}"))
}

/// A part of a whole in a cell: `98.4 %`.
pub(in crate::admin) fn share(part: f64, whole: f64) -> String {
    match percent(part, whole) {
        Some(figure) => format!("{figure}{GAP}%"),
        None => NONE.to_owned(),
    }
}

/// A time in its two largest units: `3 d 4 h`.
pub(in crate::admin) fn duration_s(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit);
    let first = first.unwrap_or(UNITS.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, name) in UNITS.iter().skip(first).take(2) {
        let whole = rest / unit;
        rest %= unit;
        if whole > 0 || parts.is_empty() {
            parts.push(format!("{whole}{GAP}{name}"));
        }
    }
    parts.join(" ")
}

/// A time that a request took: `14 us` with its proper letter, `1.25 ms`, `2.1 s`.
pub(in crate::admin) fn duration_us(us: u64) -> String {
    join(&scaled(us as f64, 1000.0, &["\u{b5}s", "ms", "s"]))
}

/// Three digits of a number, and the unit that leaves so few before the point.
fn scaled(number: f64, step: f64, units: &'static [&'static str]) -> (String, &'static str) {
    let mut rest = number;
    let mut index = 0;
    // 999.6 would be written as 1000.
    while rest >= step - 0.5 && index + 1 < units.len() {
        rest /= step;
        index += 1;
    }
    let unit = units.get(index).copied().unwrap_or_default();
    let is_whole = index == 0 && rest.fract() == 0.0;
    let text = match rest {
        _ if is_whole => format!("{rest:.0}"),
        0.0..9.995 => format!("{rest:.2}"),
        9.995..99.95 => format!("{rest:.1}"),
        _ => format!("{rest:.0}"),
    };
    (text, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let plain = |text: String| text.replace(GAP, " ");
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
        for (number, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (7.0, "7"),
            (999.0, "999"),
            (999.7, "1.00 k"),
            (1234.0, "1.23 k"),
            (203_417.0, "203 k"),
            (999_700.0, "1.00 M"),
            (12_345_678.0, "12.3 M"),
        ] {
            assert_eq!(plain(rate(number)), text, "{number}");
        }
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (43_201_331, "41.2 MiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(plain(bytes(size)), text);
        }
    }

    #[test]
    fn shares_and_times_say_no_more_than_is_known() {
        let plain = |text: String| text.replace(GAP, " ");
        assert_eq!(share(0.0, 0.0), NONE);
        assert_eq!(plain(share(1.0, 1.0)), "100.0 %");
        assert_eq!(plain(share(99_999.0, 100_000.0)), "99.9 %");
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (90_000, "1 d 1 h"),
            (86_400 * 400, "400 d"),
        ] {
            assert_eq!(plain(duration_s(seconds)), text);
        }
        for (us, text) in [(14, "14 \u{b5}s"), (1250, "1.25 ms"), (2_100_000, "2.10 s")] {
            assert_eq!(plain(duration_us(us)), text);
        }
    }
}
