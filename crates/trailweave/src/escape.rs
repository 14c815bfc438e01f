//! Texts of a trail, whose control characters must not reach a terminal.

/// Writes control characters as a string of Rust or JSON has them: `\n`, `\u{1b}`.
pub(crate) fn escape(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars().flat_map(|it| if it.is_control() { it.escape_default().collect() } else { vec![it] }).collect()
}
