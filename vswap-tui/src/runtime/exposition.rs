//! A small HTTP server for one page, `/metrics`: reads only, holds the newest text, never makes the pump wait.

use crate::export::openmetrics;
use crate::snapshot::Snapshot;
use anyhow::Context;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A client that takes longer gets no more.
const PATIENCE: Duration = Duration::from_secs(2);
/// The text is made this often: scrapers come every ten seconds or so.
const EVERY: Duration = Duration::from_secs(1);
/// Longest request that is read; everything a scraper sends fits.
const MAX_REQUEST: usize = 8192;

/// What is served, and when it was made.
pub struct Exposition {
    text: Arc<Mutex<Arc<str>>>,
    made: Option<Instant>,
    address: SocketAddr,
}

/// `9099` is that port on the loopback address; any other address has to be named.
///
/// # Errors
/// In words, for clap.
pub fn parse_address(s: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = s.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    s.parse().map_err(|_| format!("'{s}' is not a port or an address like 127.0.0.1:9099"))
}

impl Exposition {
    /// Listens, and answers in a thread of its own until the process ends.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn listen(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .with_context(|| format!("listen on {address} for --openmetrics; another port may be free"))?;
        let address = listener.local_addr().context("address of the listener")?;
        let text: Arc<Mutex<Arc<str>>> =
            Arc::new(Mutex::new(Arc::from(openmetrics::text(&Snapshot::default()))));
        let served = Arc::clone(&text);
        thread::Builder::new()
            .name("openmetrics".into())
            .spawn(move || {
                for client in listener.incoming().flatten() {
                    let text = Arc::clone(&served.lock().unwrap_or_else(PoisonError::into_inner));
                    // A client that went away is no news.
                    let _ = answer(client, &text);
                }
            })
            .context("start the thread that serves metrics")?;
        Ok(Self { text, made: None, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The text should be made anew.
    pub fn due(&self) -> bool {
        self.made.is_none_or(|at| at.elapsed() >= EVERY)
    }

    /// Serves this from now on.
    pub fn show(&mut self, snapshot: &Snapshot) {
        let text = Arc::from(openmetrics::text(snapshot));
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
        self.made = Some(Instant::now());
    }
}

/// One request, one answer, closed.
fn answer(mut client: TcpStream, text: &str) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let until = Instant::now() + PATIENCE;
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = client.read(&mut part)?;
        request.extend_from_slice(&part[..n]);
        if n == 0 || request.len() > MAX_REQUEST || Instant::now() > until {
            return Ok(());
        }
    }
    let line = String::from_utf8_lossy(&request);
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        ("GET" | "HEAD", "/metrics" | "/") => ("200 OK", openmetrics::CONTENT_TYPE, text),
        ("GET" | "HEAD", _) => ("404 Not Found", "text/plain", "metrics are at /metrics\n"),
        _ => ("405 Method Not Allowed", "text/plain", "this is read only\n"),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    if method != "HEAD" {
        client.write_all(body.as_bytes())?;
    }
    client.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_bare_port_is_loopback() {
        assert_eq!(parse_address("9099").unwrap().to_string(), "127.0.0.1:9099");
        assert_eq!(parse_address("[::1]:80").unwrap().to_string(), "[::1]:80");
        assert!(parse_address("host").is_err() && parse_address("99999").is_err());
    }

    #[test]
    fn it_serves_the_newest_state_and_nothing_else() {
        let mut e = Exposition::listen(parse_address("0").unwrap()).unwrap();
        assert!(e.due());
        e.show(&Snapshot { events: 42, ..Snapshot::default() });
        assert!(!e.due());
        let answer = ask(e.address(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(openmetrics::CONTENT_TYPE),
            "{answer}"
        );
        assert!(answer.contains("\nvswap_events_total 42\n") && answer.ends_with("# EOF\n"), "{answer}");
        assert!(ask(e.address(), "GET /x HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        assert!(ask(e.address(), "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        assert_eq!(
            ask(e.address(), &"x".repeat(MAX_REQUEST + 1024)),
            "",
            "what is no request gets no answer"
        );
    }
}
