//! An attachment to a process's streams.

use std::sync::Arc;

use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::input::{InputClaim, InputQueue};
use super::output::{Next, OutputLog, Piece};
use super::running::Process;
use crate::error::{AgentError, Result};
use crate::proto::{
    AttachOpen, AttachRequest, AttachResponse, Opened, Output, OutputEnd, OutputOffsets, StdinWindow, Stream,
    attach_request, attach_response,
};

type Sender = mpsc::Sender<std::result::Result<AttachResponse, Status>>;

/// A reader's place in one output stream.
#[derive(Debug)]
struct Cursor {
    stream: Stream,
    log: Arc<OutputLog>,
    offset: u64,
    ended: bool,
}

impl Cursor {
    fn new(stream: Stream, log: &Arc<OutputLog>, from: u64) -> Self {
        Self { stream, log: log.clone(), offset: log.clamp(from), ended: false }
    }

    fn next(&self) -> Next {
        if self.ended { Next::Nothing } else { self.log.next(self.offset) }
    }

    fn take(&mut self, piece: Piece) -> attach_response::Response {
        self.offset = piece.offset + piece.data.len() as u64;
        attach_response::Response::Output(Output {
            stream: self.stream.into(),
            offset: piece.offset,
            time_ns: piece.time,
            data: piece.data,
        })
    }

    fn finish(&mut self, offset: u64) -> attach_response::Response {
        self.ended = true;
        attach_response::Response::OutputEnd(OutputEnd { stream: self.stream.into(), offset })
    }
}

/// One attachment.
#[derive(Debug)]
pub struct Attachment {
    process: Arc<Process>,
    cursors: Vec<Cursor>,
    claim: Option<InputClaim>,
    read_only: bool,
    window: StdinWindow,
    done: bool,
}

impl Attachment {
    /// Joins a process as `open` asks and says what the first answer is.
    pub fn new(process: Arc<Process>, open: &AttachOpen) -> (Self, AttachResponse) {
        let from = open.from.unwrap_or_default();
        let mut cursors = vec![Cursor::new(Stream::Stdout, &process.stdout, from.stdout)];
        cursors.extend(process.stderr.as_ref().map(|log| Cursor::new(Stream::Stderr, log, from.stderr)));
        let claim = process.stdin.as_ref().filter(|_| !open.read_only).map(|stdin| stdin.claim());
        let window = process.stdin.as_ref().map(|stdin| stdin.window()).unwrap_or_default();
        let opened = Opened {
            from: Some(OutputOffsets {
                stdout: cursors[0].offset,
                stderr: cursors.get(1).map_or(0, |cursor| cursor.offset),
            }),
            stdin_window: claim.is_some().then_some(window),
            terminal: process.terminal,
        };
        let attachment = Self { process, cursors, claim, read_only: open.read_only, window, done: false };
        (attachment, AttachResponse { response: Some(attach_response::Response::Opened(opened)) })
    }

    /// Carries the traffic until the process has ended and everything was sent, or the host goes away.
    pub async fn run(mut self, mut requests: Streaming<AttachRequest>, responses: Sender) {
        let process = self.process.clone();
        let mut listening = true;
        while !self.done {
            let changed = process.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let pending = self.pending();
            tokio::select! {
                permit = responses.reserve(), if pending => {
                    let Ok(permit) = permit else { return };
                    if let Some(response) = self.next() {
                        permit.send(Ok(AttachResponse { response: Some(response) }));
                    }
                }
                request = requests.message(), if listening => match request {
                    Ok(Some(request)) => {
                        if let Err(error) = self.handle(request) {
                            // The host may be gone already.
                            let _ = responses.send(Err(error.into())).await;
                            return;
                        }
                    }
                    Ok(None) => listening = false,
                    Err(_) => return,
                },
                () = changed => {}
                () = responses.closed() => return,
            }
        }
    }

    fn handle(&mut self, request: AttachRequest) -> Result<()> {
        match request.request {
            Some(attach_request::Request::Stdin(data)) => {
                let (stdin, claim) = self.stdin()?;
                stdin.push(claim, data.offset, data.data)
            }
            Some(attach_request::Request::StdinEndOffset(offset)) => {
                let (stdin, claim) = self.stdin()?;
                stdin.finish(claim, offset)
            }
            Some(attach_request::Request::Acknowledge(offsets)) => {
                if !self.read_only {
                    self.process.stdout.acknowledge(offsets.stdout);
                    if let Some(stderr) = &self.process.stderr {
                        stderr.acknowledge(offsets.stderr);
                    }
                }
                Ok(())
            }
            Some(attach_request::Request::Open(_)) => {
                Err(AgentError::invalid("attach: open is the first message only"))
            }
            None => Err(AgentError::invalid("attach: a message says nothing")),
        }
    }

    fn stdin(&self) -> Result<(&InputQueue, InputClaim)> {
        match (&self.process.stdin, self.claim) {
            (Some(stdin), Some(claim)) => Ok((stdin, claim)),
            (None, _) => Err(AgentError::conflict("the process was started without stdin")),
            (_, None) => Err(AgentError::conflict("a read-only attachment cannot write stdin")),
        }
    }

    fn pending(&self) -> bool {
        let all_ended = self.cursors.iter().all(|cursor| cursor.ended);
        self.window_is_due()
            || self.cursors.iter().any(|cursor| cursor.next() != Next::Nothing)
            || (all_ended && self.process.exit_status().is_some())
    }

    fn window_is_due(&self) -> bool {
        self.claim.is_some()
            && self.process.stdin.as_ref().is_some_and(|stdin| worth_telling(self.window, stdin.window()))
    }

    fn next(&mut self) -> Option<attach_response::Response> {
        if self.window_is_due()
            && let Some(stdin) = &self.process.stdin
        {
            self.window = stdin.window();
            return Some(attach_response::Response::StdinWindow(self.window));
        }
        // What was read first goes first.
        let next = |(index, cursor): (usize, &Cursor)| match cursor.next() {
            Next::Piece(piece) => Some((index, piece)),
            _ => None,
        };
        if let Some((index, piece)) =
            self.cursors.iter().enumerate().filter_map(next).min_by_key(|(_, piece)| piece.time)
        {
            return Some(self.cursors[index].take(piece));
        }
        for cursor in &mut self.cursors {
            if let Next::End(offset) = cursor.next() {
                return Some(cursor.finish(offset));
            }
        }
        if self.cursors.iter().all(|cursor| cursor.ended)
            && let Some(status) = self.process.exit_status()
        {
            self.done = true;
            return Some(attach_response::Response::Exited(status));
        }
        None
    }
}

/// A window is told of when it has moved by a good part, or when everything was taken.
fn worth_telling(told: StdinWindow, now: StdinWindow) -> bool {
    const PART: u64 = super::input::INPUT_WINDOW / 4;
    let drained = now.limit == now.accepted + super::input::INPUT_WINDOW;
    now.limit >= told.limit + PART || (drained && now != told)
}

#[cfg(test)]
mod tests {
    use super::super::input::INPUT_WINDOW;
    use super::*;

    #[test]
    fn windows_are_told_in_good_parts_and_at_rest() {
        let window = |accepted: u64, consumed: u64| StdinWindow { accepted, limit: consumed + INPUT_WINDOW };
        assert!(!worth_telling(window(0, 0), window(0, 0)));
        assert!(!worth_telling(window(0, 0), window(1000, 10)));
        assert!(worth_telling(window(0, 0), window(1000, 1000)));
        assert!(worth_telling(window(0, 0), window(INPUT_WINDOW, INPUT_WINDOW / 4)));
        assert!(!worth_telling(window(5, 5), window(5, 5)));
    }
}
