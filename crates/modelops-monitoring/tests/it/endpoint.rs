//! The HTTP endpoint under well-meaning and hostile clients. Loopback only.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use modelops_monitoring::{Collected, Collector, Endpoint, EndpointOptions, Format};
use modelops_monitoring::{RegisterError, Registry, ServeError};

fn served(options: EndpointOptions) -> (Registry, Endpoint) {
    let registry = Registry::new("shop").unwrap();
    registry.counter("orders", "Orders.").unwrap().inc_by(5);
    let endpoint = Endpoint::serve(&registry, options).unwrap();
    (registry, endpoint)
}

fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    connection
}

fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut connection = connect(address);
    connection.write_all(request).unwrap();
    let _already_closed = connection.shutdown(Shutdown::Write);
    let mut answer = String::new();
    let _reset = connection.read_to_string(&mut answer);
    answer
}

#[test]
fn a_scrape_gets_the_format_it_asks_for() {
    let (registry, endpoint) = served(EndpointOptions::default());
    let answer = ask(
        endpoint.address(),
        b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nACCEPT: application/openmetrics-text;version=2.0.0\r\nAccept: text/plain;q=0.1\r\n\r\n",
    );
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Type: {}", Format::OpenMetrics2.content_type())));
    assert!(head.contains(&format!("Content-Length: {}", body.len())));
    assert_eq!(body, registry.to_openmetrics2());
    let head = ask(endpoint.address(), b"HEAD /metrics HTTP/1.0\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
}

#[test]
fn what_is_not_a_scrape_is_refused() {
    let options = EndpointOptions::default().with_max_header_bytes(256);
    let (_registry, endpoint) = served(options);
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(300));
    let endless = "GET /metrics HTTP/1.1\r\nX: a".repeat(40);
    let cases: [(&[u8], &str); 9] = [
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
        (b"GET / HTTP/1.1\r\n\r\n", "404"),
        (b"GET /metrics\r\n\r\n", "400"),
        (b"GET metrics HTTP/1.1\r\n\r\n", "400"),
        (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", "400"),
        (b"\xff\xfe\r\n\r\n", "400"),
        (b"\r\n\r\n", "400"),
        (long.as_bytes(), "431"),
        (endless.as_bytes(), "431"),
    ];
    for (request, status) in cases {
        let answer = ask(endpoint.address(), request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request:?}: {answer}"
        );
    }
    assert_eq!(
        ask(endpoint.address(), b"GET /met"),
        "",
        "half a request has no answer"
    );
    assert!(ask(endpoint.address(), b"GET /metrics HTTP/1.1\r\n\r\n").contains("200 OK"));
}

#[test]
fn silent_and_dripping_clients_are_cut_off_and_others_are_served_meanwhile() {
    let options = EndpointOptions::default()
        .with_max_connections(2)
        .with_timeout(Duration::from_millis(200));
    let (_registry, endpoint) = served(options);
    let silent = connect(endpoint.address());
    let mut answer = String::new();
    (&silent).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    // Never silent for long, never done.
    let mut dripping = connect(endpoint.address());
    for byte in b"GET /metrics HTTP/1.1\r\nA: b".iter().cycle().take(100) {
        std::thread::sleep(Duration::from_millis(10));
        if dripping.write_all(&[*byte]).is_err() {
            break;
        }
    }
    let mut answer = String::new();
    let ended = dripping.read_to_string(&mut answer);
    let waited = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(
        !ended.is_err_and(waited) && !answer.contains("200 OK"),
        "{answer}"
    );
    assert!(ask(endpoint.address(), b"GET /metrics HTTP/1.1\r\n\r\n").contains("200 OK"));
}

#[test]
fn one_connection_too_many_is_refused_and_a_place_comes_free_again() {
    let options = EndpointOptions::default().with_max_connections(1);
    let (_registry, endpoint) = served(options);
    let mut first = connect(endpoint.address());
    first.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    // The acceptor takes connections in their order, so the first holds the only place by now.
    assert!(ask(endpoint.address(), b"GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503 "));
    first.write_all(b"\r\n").unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("shop_orders_total 5\n"));
    drop(first);
    let served = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        ask(endpoint.address(), b"GET /metrics HTTP/1.1\r\n\r\n").contains("200 OK")
    });
    assert!(served);
}

#[test]
fn it_stops_when_dropped_and_listens_on_loopback_alone() {
    let (registry, endpoint) = served(EndpointOptions::default());
    let address = endpoint.address();
    assert!(address.ip().is_loopback());
    drop(endpoint);
    assert!(TcpStream::connect(address).is_err());
    let everywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let refused = Endpoint::serve(&registry, EndpointOptions::default().with_address(everywhere));
    assert!(matches!(refused, Err(ServeError::Remote { address }) if address == everywhere));
    let again = Endpoint::serve(&registry, EndpointOptions::default().with_address(address)).unwrap();
    let taken = Endpoint::serve(
        &registry,
        EndpointOptions::default().with_address(again.address()),
    );
    assert!(matches!(taken, Err(ServeError::Io { .. })));
}

struct Told(&'static str, &'static [(&'static str, &'static str)]);

impl Collector for Told {
    fn collect(&self, out: &mut Collected) {
        out.counter(self.0, "Told.", self.1, 1.5);
        out.counter(self.0, "Told.", self.1, 2.5);
        out.gauge(self.0, "Told.", self.1, 3.5);
    }
}

#[test]
fn a_collector_is_held_to_the_rules_of_the_registry() {
    let registry = Registry::new("shop").unwrap();
    registry
        .add_collector(Box::new(Told("work_seconds", &[("kind", "a")])))
        .unwrap();
    let text = registry.to_openmetrics();
    assert!(text.contains("work_seconds_total{kind=\"a\"} 1.5\n") && !text.contains("2.5"));
    let taken = |outcome| matches!(outcome, Err(RegisterError::Taken { .. }));
    assert!(taken(registry.add_collector(Box::new(Told("work_seconds", &[])))));
    assert!(matches!(
        registry.add_collector(Box::new(Told("a b", &[]))),
        Err(RegisterError::Name { .. })
    ));
    assert!(matches!(
        registry.add_collector(Box::new(Told("other", &[("le", "")]))),
        Err(RegisterError::Label { .. })
    ));
    let bare = Registry::new("").unwrap();
    bare.add_collector(Box::new(Told("work_seconds", &[]))).unwrap();
    assert!(matches!(
        bare.counter("work_seconds", ""),
        Err(RegisterError::Taken { .. })
    ));
}
