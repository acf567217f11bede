//! A stream read through a window: look ahead by any number of bytes, step forward, know the offset.
//!
//! Gives pipes what resynchronising needs (to look again at bytes already read) without seeking.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

const CHUNK: usize = 256 << 10;

pub(super) struct Window<R> {
    inner: R,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl<R: Read> Window<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, buf: Vec::new(), start: 0, end: 0, offset: 0 }
    }

    /// Goes on at `offset`, forgetting what was read ahead.
    pub(super) fn jump(&mut self, offset: u64) -> io::Result<()>
    where
        R: Seek,
    {
        self.inner.seek(SeekFrom::Start(offset))?;
        (self.start, self.end, self.offset) = (0, 0, offset);
        Ok(())
    }

    /// Offset in the stream of the first byte [`Window::look`] shows.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next `n` bytes; fewer only at the end of the stream. Memory grows with what is really there, at most
    /// by one chunk ahead of it.
    pub(super) fn look(&mut self, n: usize) -> io::Result<&[u8]> {
        while self.end - self.start < n {
            if self.buf.len() - self.end < CHUNK {
                self.buf.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                if self.buf.len() < self.end + CHUNK {
                    self.buf.resize(self.end + CHUNK, 0);
                }
            }
            match self.inner.read(&mut self.buf[self.end..]) {
                Ok(0) => break,
                Ok(got) => self.end += got,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(&self.buf[self.start..self.end.min(self.start + n)])
    }

    /// Bytes already in memory, no reading.
    pub(super) fn loaded(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Steps over `n` bytes that [`Window::look`] showed.
    pub(super) fn step(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.offset += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, as a slow pipe may.
    struct Drip(Vec<u8>);
    impl Read for Drip {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            buf[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn looks_ahead_and_steps_over_a_dripping_stream() {
        let mut w = Window::new(Drip((0..100).collect()));
        assert_eq!(w.look(3).unwrap(), &[0, 1, 2]);
        w.step(2);
        assert_eq!((w.look(2).unwrap(), 2), (&[2, 3][..], 2));
        assert_eq!(w.offset(), 2);
        assert_eq!(w.look(1000).unwrap().len(), 98);
        w.step(98);
        assert!(w.look(1).unwrap().is_empty());
        assert_eq!(w.offset(), 100);
    }

    #[test]
    fn long_streams_keep_memory_small() {
        let data: Vec<u8> = (0..4 * CHUNK).map(|i| i as u8).collect();
        let mut w = Window::new(&data[..]);
        for i in 0..data.len() / 1024 {
            assert_eq!(w.look(1024).unwrap(), &data[i * 1024..][..1024]);
            w.step(1024);
        }
        assert!(w.buf.len() <= 2 * CHUNK);
    }
}
