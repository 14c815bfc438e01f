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
        Look { done, of, text: format!("correlate: {done} of {of} events, in {slices} slices of time") }
    };
    watch(common, &look, work)
}

/// One look at a piece of work.
struct Look {
    done: u64,
    of: u64,
    text: String,
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
    while stopped.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
        let Look { done, of, text } = look();
        bar.set_length(of.max(1));
        bar.set_position(done);
        bar.set_message(text);
    }
    bar.finish_and_clear();
}

fn print(stopped: &mpsc::Receiver<()>, look: &dyn Fn() -> Look) {
    while stopped.recv_timeout(LINE) == Err(RecvTimeoutError::Timeout) {
        let Look { done, of, text } = look();
        tracing::info!(target: TARGET, done, of, "{text}");
    }
}
