//! Numbers as a table shows them.

/// A multiple, with three digits that count.
pub fn times(ratio: Option<f64>) -> String {
    match ratio {
        None => "-".to_owned(),
        Some(ratio) if ratio < 0.1 => format!("{ratio:.4}x"),
        Some(ratio) if ratio < 10.0 => format!("{ratio:.2}x"),
        Some(ratio) => format!("{ratio:.0}x"),
    }
}

/// A time in the unit that reads best.
pub fn time(nanos: u64) -> String {
    match nanos {
        0..10_000 => format!("{nanos} ns"),
        10_000..10_000_000 => format!("{:.1} us", nanos as f64 / 1e3),
        _ => format!("{:.1} ms", nanos as f64 / 1e6),
    }
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of threads, in words.
pub fn threads(threads: u32) -> &'static str {
    if threads == 1 { "one thread" } else { "two threads" }
}
