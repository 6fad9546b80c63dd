//! The guest's standard output: captures it, and passes whole lines to the [`Counter`] as they are written.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::Counter;

/// Captures output in a pipe, and passes its lines to a counter.
#[derive(Clone)]
pub(crate) struct Marks {
    pipe: MemoryOutputPipe,
    counter: Counter,
    /// The start of a line whose end is not written yet.
    line: Arc<Mutex<Vec<u8>>>,
}

impl Marks {
    pub(crate) fn new(pipe: MemoryOutputPipe, counter: Counter) -> Self {
        Self { pipe, counter, line: Arc::default() }
    }

    fn pass_lines(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            line.extend_from_slice(part);
            if let Some(whole) = line.strip_suffix(b"\n") {
                self.counter.parse_line(&String::from_utf8_lossy(whole));
                line.clear();
            }
        }
    }
}

impl IsTerminal for Marks {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Marks {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        self.pipe.async_stream()
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl OutputStream for Marks {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.pipe.write(bytes.clone())?;
        self.pass_lines(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.pipe.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.pipe.check_write()
    }
}

#[async_trait]
impl Pollable for Marks {
    async fn ready(&mut self) {
        self.pipe.ready().await;
    }
}
