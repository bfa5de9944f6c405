//! A small HTTP endpoint for a scraper on the same machine.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::ServeError;
use crate::registry::Registry;

/// Reads that one request may take: a client that sends its header byte by byte is cut off, without a clock.
const MOST_READS: usize = 16;

/// Settings of an [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointOptions {
    /// Where to listen. Default `127.0.0.1:0`, a free port.
    pub address: SocketAddr,
    /// Whether an address that other machines reach is taken. Default no: metrics tell much about a service, and this
    /// endpoint knows neither TLS nor passwords.
    pub allow_remote: bool,
    /// The path that answers. Default `/metrics`.
    pub path: String,
    /// The longest request header. Default 8 KiB.
    pub max_header_bytes: usize,
    /// Connections served at once; one more is refused with 503. Default 8.
    pub max_connections: usize,
    /// How long one read or write may take; a request may take 16 reads. Default 2 s.
    pub timeout: Duration,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            allow_remote: false,
            path: "/metrics".to_owned(),
            max_header_bytes: 8 * 1024,
            max_connections: 8,
            timeout: Duration::from_secs(2),
        }
    }
}

impl EndpointOptions {
    /// The same at another address.
    #[must_use]
    pub fn with_address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// The same, open to other machines.
    #[must_use]
    pub fn with_remote(mut self) -> Self {
        self.allow_remote = true;
        self
    }

    /// The same with another path.
    #[must_use]
    pub fn with_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The same with another longest header.
    #[must_use]
    pub fn with_max_header_bytes(mut self, bytes: usize) -> Self {
        self.max_header_bytes = bytes;
        self
    }

    /// The same with another number of connections.
    #[must_use]
    pub fn with_max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// The same with another timeout, not zero.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(Duration::from_millis(1));
        self
    }
}

/// A running HTTP endpoint that answers `GET /metrics` in the format that the scraper asks for.
///
/// HTTP/1.1 with one request a connection, GET and HEAD only. Dropping it stops it.
///
/// ```
/// use std::io::{Read, Write};
/// use modelops_monitoring::{Endpoint, EndpointOptions, Registry};
/// let registry = Registry::new("shop")?;
/// registry.counter("orders", "Orders taken.")?.inc();
/// let endpoint = Endpoint::serve(&registry, EndpointOptions::default())?;
///
/// let mut scraper = std::net::TcpStream::connect(endpoint.address())?;
/// scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
/// let mut answer = String::new();
/// scraper.read_to_string(&mut answer)?;
/// assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("shop_orders_total 1\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("http_server", "scrape"))]
pub struct Endpoint {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Begins to answer.
    ///
    /// # Errors
    /// [`ServeError::Remote`] for an address beyond this machine that was not allowed; [`ServeError::Io`] where the
    /// address cannot be listened on.
    pub fn serve(registry: &Registry, options: EndpointOptions) -> Result<Self, ServeError> {
        if !options.allow_remote && !options.address.ip().is_loopback() {
            return Err(ServeError::Remote {
                address: options.address,
            });
        }
        let io = |error: std::io::Error| ServeError::Io {
            address: options.address,
            kind: error.kind(),
        };
        let listener = TcpListener::bind(options.address).map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let (registry, stop) = (registry.clone(), Arc::clone(&stopping));
        let shared = Arc::new(options.clone());
        let acceptor = thread::Builder::new()
            .name("metrics-endpoint".to_owned())
            .spawn(move || accept(&listener, &registry, &shared, &stop))
            .map_err(io)?;
        Ok(Self {
            address,
            stopping,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stopping.store(true, Release);
        // The acceptor waits for a connection: this is it.
        let mut wake = self.address;
        if wake.ip().is_unspecified() {
            wake.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let woken = TcpStream::connect_timeout(&wake, Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take()
            && woken.is_ok()
        {
            let _ended = acceptor.join();
        }
    }
}

/// A place among the connections served at once.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

fn accept(
    listener: &TcpListener,
    registry: &Registry,
    options: &Arc<EndpointOptions>,
    stopping: &AtomicBool,
) {
    let busy = Arc::new(AtomicUsize::new(0));
    for connection in listener.incoming() {
        if stopping.load(Acquire) {
            return;
        }
        let Ok(connection) = connection else {
            // Out of descriptors, most likely: others have to end first.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let _set = connection.set_read_timeout(Some(options.timeout));
        let _set = connection.set_write_timeout(Some(options.timeout));
        let place = Place(Arc::clone(&busy));
        if busy.fetch_add(1, AcqRel) >= options.max_connections {
            // One short read: nobody else is accepted meanwhile.
            let _set = connection.set_read_timeout(Some(Duration::from_millis(10)));
            refuse(connection, "503 Service Unavailable", 1);
            continue;
        }
        let (registry, options) = (registry.clone(), Arc::clone(options));
        // Where no thread can be had the connection is dropped, which closes it.
        let _started = thread::Builder::new()
            .name("metrics-scrape".to_owned())
            .spawn(move || {
                let _place = place;
                answer(connection, &registry, &options);
            });
    }
}

/// Answers one request; what goes wrong on the way ends the connection.
fn answer(mut connection: TcpStream, registry: &Registry, options: &EndpointOptions) {
    let header = match read_header(&mut connection, options.max_header_bytes) {
        Ok(header) => header,
        Err(Some(status)) => return refuse(connection, status, MOST_READS),
        Err(None) => return,
    };
    let Some(request) = Request::parse(&header) else {
        return refuse(connection, "400 Bad Request", MOST_READS);
    };
    if !matches!(request.method, "GET" | "HEAD") {
        return refuse(
            connection,
            "405 Method Not Allowed\r\nAllow: GET, HEAD",
            MOST_READS,
        );
    }
    if request.path != options.path {
        return refuse(connection, "404 Not Found", MOST_READS);
    }
    let exposition = registry.expose(request.accept.as_deref());
    let mut response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        exposition.content_type,
        exposition.body.len()
    )
    .into_bytes();
    if request.method == "GET" {
        response.extend_from_slice(&exposition.body);
    }
    let _sent = connection
        .write_all(&response)
        .and_then(|()| connection.shutdown(Shutdown::Write));
}

/// Reads up to the empty line; `Err` holds the status to answer with, if any.
fn read_header(connection: &mut TcpStream, most: usize) -> Result<String, Option<&'static str>> {
    let mut header = Vec::new();
    let mut chunk = [0; 1024];
    for _ in 0..MOST_READS {
        let read = match connection.read(&mut chunk) {
            Ok(0) => return Err(None),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(Some("408 Request Timeout")),
        };
        header.extend_from_slice(&chunk[..read]);
        let end = header.windows(4).position(|window| window == b"\r\n\r\n");
        if end.unwrap_or(header.len()) > most {
            return Err(Some("431 Request Header Fields Too Large"));
        }
        if let Some(end) = end {
            header.truncate(end);
            return String::from_utf8(header).map_err(|_| Some("400 Bad Request"));
        }
    }
    Err(Some("408 Request Timeout"))
}

/// Answers with `status` and takes what the client still sends, in at most `reads` reads: closing at once would throw
/// the answer away.
fn refuse(mut connection: TcpStream, status: &str, reads: usize) {
    let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let _sent = connection
        .write_all(response.as_bytes())
        .and_then(|()| connection.shutdown(Shutdown::Write));
    let mut rest = [0; 1024];
    for _ in 0..reads {
        if !matches!(connection.read(&mut rest), Ok(read) if read > 0) {
            break;
        }
    }
}

/// The parts of a request that matter here.
#[derive(Debug, PartialEq)]
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    /// All `Accept` headers as one list.
    accept: Option<String>,
}

impl<'a> Request<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let mut lines = header.split("\r\n");
        let mut parts = lines.next()?.split(' ');
        let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
        let sound = parts.next().is_none() && version.starts_with("HTTP/1.") && target.starts_with('/');
        if !sound {
            return None;
        }
        let path = target.split('?').next().unwrap_or(target);
        let mut accept: Option<String> = None;
        for line in lines {
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("accept") {
                let all = accept.get_or_insert_default();
                if !all.is_empty() {
                    all.push(',');
                }
                all.push_str(value.trim());
            }
        }
        Some(Self { method, path, accept })
    }
}
