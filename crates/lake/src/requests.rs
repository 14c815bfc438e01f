//! A thread for requests over the network.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::Builder;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A thread on which requests make their way while the callers wait; so they may wait on any thread, those of a runtime
/// included. It ends with this value.
#[derive(Debug)]
pub struct RequestThread {
    handle: Handle,
    _end: oneshot::Sender<()>,
}

impl RequestThread {
    /// Starts it.
    pub fn start(name: &str) -> io::Result<Self> {
        let (started, runtime) = mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = &runtime {
                let _ = started.send(runtime.handle().clone());
                let _ = runtime.block_on(ended);
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(run)?;
        let handle = runtime.recv().map_err(io::Error::other)?;
        Ok(Self { handle, _end: end })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Makes a request, while the caller waits.
    pub fn wait<T: Send + 'static>(&self, request: impl Future<Output = T> + Send + 'static) -> T {
        let (done, outcome) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            let _ = done.send(request.await);
        });
        outcome.recv().expect("the thread outlives its requests")
    }
}
