//! A line of a drawing, as wide as its terminal and in its colours, or whole and plain.

use std::io;
use std::io::IsTerminal;
use std::io::Write;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use terminal_size::{Width, terminal_size_of};

use crate::escape::escape;

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// The fewest characters that are left of a long name.
const LEAST: usize = 12;

/// How a drawing looks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// The characters of a line, where long ones are shortened.
    pub(crate) width: Option<usize>,
    pub(crate) is_coloured: bool,
    /// True if nothing that repeats is folded.
    pub(crate) is_full: bool,
}

impl Look {
    /// Returns the look for standard output: wide and coloured as the terminal, elsewhere whole and plain.
    pub(crate) fn of_stdout(is_full: bool) -> Self {
        let out = io::stdout();
        if !out.is_terminal() {
            return Self { is_full, ..Self::default() };
        }
        let width = terminal_size_of(&out).filter(|_| !is_full).map(|(Width(width), _)| usize::from(width));
        Self { width, is_coloured: AutoStream::choice(&out) != ColorChoice::Never, is_full }
    }
}

/// Pieces of text, of which names may be shortened. Control characters of a trail are written out.
#[derive(Debug, Default)]
pub(crate) struct Line {
    spans: Vec<Span>,
}

#[derive(Debug)]
struct Span {
    text: String,
    style: Style,
    is_name: bool,
}

impl Line {
    pub(crate) fn with(mut self, style: Style, text: impl Into<String>) -> Self {
        self.spans.push(Span { text: escape(&text.into()), style, is_name: false });
        self
    }

    /// Adds a text that is shortened in the middle where the line is too long.
    pub(crate) fn name(mut self, text: impl Into<String>) -> Self {
        self.spans.push(Span { text: escape(&text.into()), style: PLAIN, is_name: true });
        self
    }

    pub(crate) fn write(mut self, out: &mut impl Write, look: Look) -> io::Result<()> {
        if let Some(width) = look.width {
            self.fit(width);
        }
        for Span { text, style, .. } in self.spans.iter().filter(|span| !span.text.is_empty()) {
            if look.is_coloured {
                write!(out, "{}{text}{}", style.render(), style.render_reset())?;
            } else {
                write!(out, "{text}")?;
            }
        }
        writeln!(out)
    }

    /// Shortens the longest names until the line fits, and cuts its end where that is not enough.
    fn fit(&mut self, width: usize) {
        loop {
            let excess = self.spans.iter().map(|span| length(&span.text)).sum::<usize>().saturating_sub(width);
            let names = self.spans.iter_mut().filter(|span| span.is_name && length(&span.text) > LEAST);
            match names.max_by_key(|span| length(&span.text)) {
                Some(longest) if excess > 0 => {
                    let left = length(&longest.text).saturating_sub(excess);
                    longest.text = shortened(&longest.text, left.max(length(&longest.text) / 2).max(LEAST));
                }
                _ => break,
            }
        }
        let mut left = width;
        for span in &mut self.spans {
            if length(&span.text) > left {
                span.text = span.text.chars().take(left.saturating_sub(1)).collect();
                span.text.push_str(if left > 0 { "…" } else { "" });
            }
            left = left.saturating_sub(length(&span.text));
        }
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Takes out the middle of a text, whose end tells more than its beginning.
fn shortened(text: &str, most: usize) -> String {
    let kept = most - 1;
    let head: String = text.chars().take(kept / 3).collect();
    let tail: String = text.chars().skip(length(text) - (kept - kept / 3)).collect();
    format!("{head}…{tail}")
}
