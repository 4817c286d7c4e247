//! Against programs that other people wrote, and counted by them.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use dos_tests::receivers::{Agent, StatsdServer};

use super::{append, counts, not_installed, recorded, rows};
const COUNT: i64 = 1500;

#[test]
fn a_statsd_server_counts_every_verdict() {
    for (ipv6, host) in [(false, "127.0.0.1"), (true, "::1")] {
        let Some(server) = StatsdServer::start(ipv6) else {
            return not_installed("the StatsD server");
        };
        let env = recorded(COUNT);
        let export = format!(
            "export --to statsd --host {host} --port {} --since auto --batch 100",
            server.port
        );
        env.dos(&export).exits(0).prints("1500 rows delivered");
        assert_eq!(server.verdicts(COUNT as u64), counts(COUNT));
        env.dos(&export).exits(0).prints("nothing new");
        append(&env, "{\"syscall\":\"a|b\",\"verdict\":\"\"}\n");
        env.dos(&export).exits(0).prints("1 row delivered");
        let all = server.verdicts(COUNT as u64 + 1);
        assert_eq!(all["a_b none"], 1, "{all:?}");
        let counters = server.counters();
        assert_eq!(counters["statsd.bad_lines_seen"], 0);
        let most = COUNT as u64 / 100 * 2;
        let datagrams = counters["statsd.packets_received"];
        assert!(datagrams < most, "{datagrams} datagrams, with many counters in each");
    }
}

#[test]
fn a_unix_socket_gets_datagrams_that_are_not_lost() {
    let env = recorded(COUNT);
    let path = env.path("statsd.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // More than a socket holds: the exporter has to wait for the reader.
    let host = format!("unix://{}", path.display());
    let exporter =
        env.spawn(["export", "--to", "statsd", "--host", &host, "--since", "auto", "--batch", "3"]);
    let mut counted = 0;
    let mut buffer = [0; 65536];
    while counted < COUNT {
        let length = socket.recv(&mut buffer).expect("a datagram");
        for line in std::str::from_utf8(&buffer[..length]).unwrap().lines() {
            let count = line.strip_prefix("dos.verdict:").and_then(|rest| rest.split('|').next());
            counted += count.unwrap().parse::<i64>().unwrap();
        }
    }
    exporter.finish().exits(0);
    assert_eq!(counted, COUNT);
    drop(socket);
    append(&env, &rows(1));
    let dead = env.run([
        "export",
        "--to",
        "statsd",
        "--host",
        &host,
        "--since",
        "auto",
        "--retry-for",
        "0",
    ]);
    dead.exits(1).prints("nobody listens");
}

#[test]
fn an_opentelemetry_agent_gets_every_row_in_every_encoding() {
    let Some(agent) = Agent::start() else {
        return not_installed("the OpenTelemetry agent");
    };
    let mut wanted: Vec<i64> = Vec::new();
    for (protocol, compression) in [
        ("http/protobuf", "none"),
        ("http/protobuf", "gzip"),
        ("http/json", "none"),
        ("http/json", "gzip"),
    ] {
        let mut env = recorded(COUNT);
        env.set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://localhost:{}/", agent.port));
        env.set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        env.set("OTEL_EXPORTER_OTLP_COMPRESSION", compression);
        env.set("OTEL_SERVICE_NAME", "fleet");
        env.dos("export --to otlp --since auto").exits(0).prints("1500 rows delivered");
        env.dos("export --to otlp --since auto").exits(0).prints("nothing new");
        wanted.extend(1..=COUNT);
        let received = agent.received(wanted.len());
        assert_eq!(received.numbers(), wanted, "{protocol} {compression}");
        assert_eq!(received.resource["service.name"], "fleet");
        let record = received.records.last().unwrap();
        let (syscall, verdict) = super::kind(COUNT);
        for (name, value) in [
            ("dos.syscall", syscall),
            ("dos.verdict", verdict),
            ("dos.run_id", "RID-2"),
            ("dos.source", "kernel"),
            ("dos.detail.n", "1500"),
            ("dos.detail.ok", "true"),
            ("dos.detail.f", "0.5"),
            ("Timestamp", "1768046400000000000"),
        ] {
            assert_eq!(record.get(name).map(String::as_str), Some(value), "{protocol}: {name}");
        }
    }
}

#[test]
fn an_opentelemetry_agent_counts_every_verdict() {
    let Some(agent) = Agent::start() else {
        return not_installed("the OpenTelemetry agent");
    };
    let mut wanted = counts(0);
    for protocol in ["http/protobuf", "http/json"] {
        let mut env = recorded(COUNT);
        env.set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        let endpoint = format!("http://127.0.0.1:{}", agent.port);
        let export =
            format!("export --to otlp --signal metrics --endpoint {endpoint} --since auto");
        env.dos(&export).exits(0).prints("1500 rows delivered");
        env.dos(&export).exits(0).prints("nothing new");
        for (name, count) in counts(COUNT) {
            *wanted.entry(name).or_insert(0) += count;
        }
        let total: u64 = wanted.values().sum();
        assert_eq!(agent.received(total as usize).points, wanted, "{protocol}");
    }
}

/// A collector that speaks TLS. Writes the length of each body, then what it got for a content type.
const SECURE: &str = r#"
import http.server, ssl, sys
class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open("got", "ab") as got:
            got.write(body + b"\n")
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
open("port", "w").write(str(server.server_port) + "\n")
server.serve_forever()
"#;

#[test]
fn a_collector_that_speaks_tls_is_reached_if_it_is_trusted() {
    let mut env = recorded(3);
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"]);
    openssl.args([
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]);
    env.furnish(&mut openssl);
    let made = openssl.output().is_ok_and(|output| output.status.success());
    let has_curl = std::process::Command::new("curl").arg("--version").output().is_ok();
    if !made || !has_curl {
        return not_installed("curl or openssl");
    }
    env.write("server.py", SECURE);
    let mut server = std::process::Command::new("python3");
    server.arg("server.py");
    env.furnish(&mut server);
    let _server = dos_tests::Running::start(server);
    let port = dos_tests::poll_until("it listens", Duration::from_secs(30), || {
        let text = std::fs::read_to_string(env.path("port")).ok()?;
        text.ends_with('\n').then(|| text.trim().to_string())
    });
    env.set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("https://localhost:{port}"));
    env.set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    env.set("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret");
    let distrusted = env.dos("export --to otlp --since auto");
    distrusted.exits(1).prints("certificate").prints("3 not");
    assert!(!env.path("got").exists());
    env.set("OTEL_EXPORTER_OTLP_CERTIFICATE", env.path("cert.pem"));
    // A proxy, whose word would be taken for the collector's, is not asked.
    env.set("https_proxy", format!("http://127.0.0.1:{}", dos_tests::receivers::free_port()));
    env.dos("export --to otlp --since auto").exits(0).prints("3 rows delivered");
    let got = std::fs::read_to_string(env.path("got")).unwrap();
    assert_eq!(got.matches("\"dos.seq\"").count(), 3);
    // To one URL, whatever stands in it.
    env.set("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", format!("https://localhost:{port}/{{a,b}}"));
    env.dos("export --to otlp").exits(0);
    let got = std::fs::read_to_string(env.path("got")).unwrap();
    assert_eq!(got.matches("\"dos.seq\"").count(), 6);
}
