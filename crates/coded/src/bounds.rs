//! Bounds of texts that are too long to stand in statistics.

/// The longest text that stands there whole: as much as the Parquet library keeps.
const MAX_BYTES: usize = 64;

/// Returns a text that no value is below if none is below `text`, and whether it is `text`.
pub(crate) fn lower(text: &str) -> (&str, bool) {
    let cut = cut(text);
    (cut, cut.len() == text.len())
}

/// Returns a text that no value is above if none is above `text`, and whether it is `text`. It is `text` also where no
/// character of its beginning can be raised.
pub(crate) fn upper(text: &str) -> (String, bool) {
    let mut cut = cut(text).to_owned();
    if cut.len() < text.len() {
        while let Some(last) = cut.pop() {
            if let Some(next) = char::from_u32(u32::from(last) + 1) {
                cut.push(next);
                return (cut, false);
            }
        }
    }
    (text.to_owned(), true)
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_outwards_between_characters() {
        let long = |end: &str| format!("{}{end}{}", "a".repeat(MAX_BYTES - end.len()), "z".repeat(9));
        assert_eq!(lower(&long("b")), (&long("b")[..MAX_BYTES], false));
        assert_eq!(upper(&long("b")), (long("c")[..MAX_BYTES].to_owned(), false));
        // The last character before the surrogates, and the last of all.
        assert_eq!(upper(&long("\u{d7ff}")), (format!("{}b", "a".repeat(MAX_BYTES - 4)), false));
        let last = "\u{10ffff}".repeat(MAX_BYTES);
        assert_eq!(upper(&last), (last.clone(), true));
        let split = format!("{}\u{e9}", "a".repeat(MAX_BYTES - 1));
        assert_eq!(lower(&split), (&split[..MAX_BYTES - 1], false));
        assert_eq!((lower("short"), upper("short")), (("short", true), ("short".to_owned(), true)));
    }
}
