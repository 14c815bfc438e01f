//! Progress on standard error: a bar on a terminal, a line every ten seconds elsewhere.

use std::io;
use std::io::IsTerminal;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use bytesize::ByteSize;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;

use crate::args::Common;

const REDRAW: Duration = Duration::from_millis(100);
const LINE: Duration = Duration::from_secs(10);
/// The log's name for progress.
pub(crate) const TARGET: &str = "trailweave::progress";

/// Shows how far an ingest is while `work` runs.
pub(crate) fn ingesting<T>(common: &Common, state: &trailweave_ingest::Progress, work: impl FnOnce() -> T) -> T {
    let read = |number: &AtomicU64| number.load(Relaxed);
    let look = || Look {
        done: read(&state.bytes_done),
        of: read(&state.bytes_planned),
        text: format!(
            "ingest: {} of {} objects, {} of {}, {} records, {} rows",
            read(&state.objects_done),
            read(&state.objects_planned),
            ByteSize(read(&state.bytes_done)),
            ByteSize(read(&state.bytes_planned)),
            read(&state.records),
            read(&state.rows),
        ),
    };
    watch(common, &look, work)
}

/// Shows how far a correlation is while `work` runs.
pub(crate) fn correlating<T>(common: &Common, state: &trailweave_correlate::Progress, work: impl FnOnce() -> T) -> T {
    let look = || {
        let (done, of) = (state.rows_done.load(Relaxed), state.rows.load(Relaxed));
        let slices = state.slices_done.load(Relaxed);
        Look { done, of, text: format!("correlate: {done} of {of} events, {slices} slices of time done") }
    };
    watch(common, &look, work)
}

/// One look at a piece of work.
struct Look {
    done: u64,
    of: u64,
    text: String,
}

impl Look {
    /// Says how far it is, and how long the rest takes at the pace so far.
    fn timed(&self, elapsed: Duration) -> String {
        let left = u128::from(self.of.saturating_sub(self.done)) * elapsed.as_millis();
        match left.checked_div(u128::from(self.done)) {
            Some(left) if left > 0 => format!("{}, about {} s left", self.text, left.div_ceil(1000)),
            _ => self.text.clone(),
        }
    }
}

fn watch<T>(common: &Common, look: &(dyn Fn() -> Look + Sync), work: impl FnOnce() -> T) -> T {
    if common.quiet {
        return work();
    }
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || if io::stderr().is_terminal() { draw(&stopped, look) } else { print(&stopped, look) });
        let result = work();
        drop(stop);
        result
    })
}

fn draw(stopped: &mpsc::Receiver<()>, look: &dyn Fn() -> Look) {
    let style = ProgressStyle::with_template("{spinner} {wide_bar} {msg}").expect("the template is well formed");
    let bar = ProgressBar::new(0).with_style(style);
    let mut elapsed = Duration::ZERO;
    while stopped.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
        elapsed += REDRAW;
        let look = look();
        bar.set_length(look.of.max(1));
        bar.set_position(look.done);
        bar.set_message(look.timed(elapsed));
    }
    bar.finish_and_clear();
}

fn print(stopped: &mpsc::Receiver<()>, look: &dyn Fn() -> Look) {
    let mut elapsed = Duration::ZERO;
    while stopped.recv_timeout(LINE) == Err(RecvTimeoutError::Timeout) {
        elapsed += LINE;
        let look = look();
        tracing::info!(target: TARGET, done = look.done, of = look.of, "{}", look.timed(elapsed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_at_the_pace_so_far() {
        let look = |done, of| Look { done, of, text: "at work".to_owned() }.timed(Duration::from_secs(30));
        assert_eq!(look(0, 0), "at work");
        assert_eq!(look(0, 100), "at work");
        assert_eq!(look(25, 100), "at work, about 90 s left");
        assert_eq!(look(100, 100), "at work");
        assert_eq!(look(101, 100), "at work");
    }
}
