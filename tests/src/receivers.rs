//! What exports are sent to in the tests: a StatsD server and an OpenTelemetry agent that other people
//! wrote, and a collector that answers as badly as it is told to.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::poll_until;

/// For so long a receiver may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// Where `.ci/receivers` puts the programs.
fn folder() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/receivers");
    std::env::var_os("DOS_RECEIVERS").map_or_else(usual, PathBuf::from)
}

/// A port of this machine that nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}

/// The StatsD server of npm. Counts until it is dropped.
pub struct StatsdServer {
    child: Child,
    /// Where it listens.
    pub port: u16,
    manage: u16,
    _folder: TempDir,
}

impl StatsdServer {
    /// Starts it for IPv4, or for IPv6; `None` where it is not installed.
    pub fn start(ipv6: bool) -> Option<Self> {
        let program = folder().join("npm/node_modules/statsd/stats.js");
        let program = program.is_file().then_some(program)?;
        let place = TempDir::new().expect("a temporary folder");
        let config = place.path().join("config.js");
        let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let (port, manage) = (port.expect("a port").port(), free_port());
        let address = if ipv6 { "::1" } else { "127.0.0.1" };
        let text = format!(
            "{{ port: {port}, address: '{address}', address_ipv6: {ipv6}, mgmt_port: {manage}, \
             mgmt_address: '127.0.0.1', flushInterval: 1000000000, backends: [] }}"
        );
        fs::write(&config, text).expect("a configuration");
        let mut command = Command::new("node");
        command.arg(program).arg(config).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().ok()?;
        let server = Self { child, port, manage, _folder: place };
        poll_until("the StatsD server answers", STARTS_WITHIN, || server.asked("health"));
        Some(server)
    }

    /// The counters, by their names.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let answer = self.asked("counters").expect("the StatsD server to answer");
        let counter = |line: &str| {
            let (name, count) = line.trim().trim_end_matches(',').rsplit_once(": ")?;
            Some((name.trim_matches('\'').to_string(), count.parse().ok()?))
        };
        answer.lines().filter_map(counter).collect()
    }

    /// Its counters of ours, `call verdict`, once there are so many in all or some time has passed.
    pub fn verdicts(&self, wanted: u64) -> BTreeMap<String, u64> {
        let mut found = BTreeMap::new();
        let started = crate::stopwatch();
        while started.elapsed() < Duration::from_secs(10) {
            let ours = self.counters().into_iter().filter_map(|(name, count)| {
                let tags = name.strip_prefix("dos.verdict;syscall=")?;
                Some((tags.replace(";verdict=", " "), count))
            });
            found = ours.collect();
            if found.values().sum::<u64>() >= wanted {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        found
    }

    fn asked(&self, question: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.manage)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        writeln!(stream, "{question}").ok()?;
        let mut answer = String::new();
        for line in BufReader::new(stream).lines() {
            let line = line.ok()?;
            if line == "END" || question == "health" {
                return Some(answer + &line);
            }
            answer.push_str(&line);
            answer.push('\n');
        }
        None
    }
}

impl Drop for StatsdServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The OpenTelemetry agent. It writes down all that it receives.
pub struct Agent {
    child: Child,
    /// Where it listens for HTTP.
    pub port: u16,
    folder: TempDir,
}

/// What the agent has received.
#[derive(Debug, Default)]
pub struct Received {
    /// Of each log record, its attributes and fields, in order.
    pub records: Vec<BTreeMap<String, String>>,
    /// Counts by `call verdict`.
    pub points: BTreeMap<String, u64>,
    /// The attributes of the resource that was named last.
    pub resource: BTreeMap<String, String>,
}

impl Agent {
    /// Starts it; `None` where it is not installed.
    pub fn start() -> Option<Self> {
        let program = folder().join("python/rotel/rotel-agent");
        let program = program.is_file().then_some(program)?;
        let place = TempDir::new().expect("a temporary folder");
        let (port, grpc) = (free_port(), free_port());
        let output = fs::File::create(place.path().join("received")).expect("a file");
        let child = Command::new(program)
            .args(["start", "--exporter", "blackhole", "--debug-log", "logs"])
            .args(["--debug-log", "metrics", "--debug-log-verbosity", "detailed", "--pid-file"])
            .arg(place.path().join("pid"))
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{port}")])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the same file"))
            .stderr(output)
            .spawn()
            .ok()?;
        poll_until("the OpenTelemetry agent listens", STARTS_WITHIN, || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Some(Self { child, port, folder: place })
    }

    /// What it has received, once so many records and points are there or some time has passed.
    pub fn received(&self, wanted: usize) -> Received {
        let mut received = Received::default();
        let started = crate::stopwatch();
        while started.elapsed() < Duration::from_secs(10) {
            received = self.now();
            let counted: u64 = received.points.values().sum();
            if received.records.len() + counted as usize >= wanted {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        received
    }

    /// What it has received so far.
    fn now(&self) -> Received {
        let text = fs::read_to_string(self.folder.path().join("received")).unwrap_or_default();
        let mut received = Received::default();
        // Which of the lists of attributes the next ones belong to.
        let mut part = "";
        let mut point = String::new();
        for line in text.lines() {
            match line.strip_prefix("     -> ").and_then(|line| line.split_once(": ")) {
                Some((name, value)) => {
                    let value = value.split_once('(').map_or(value, |(_, value)| value);
                    let value = value.strip_suffix(')').unwrap_or(value).to_string();
                    match part {
                        "resource" => drop(received.resource.insert(name.to_string(), value)),
                        "point" => point = format!("{point} {value}").trim().to_string(),
                        "record" => {
                            if let Some(record) = received.records.last_mut() {
                                record.insert(name.to_string(), value);
                            }
                        }
                        _ => {}
                    }
                }
                None if line.starts_with("Resource attributes") => part = "resource",
                None if line.starts_with("LogRecord #") => {
                    part = "record";
                    received.records.push(BTreeMap::new());
                }
                None if line.starts_with("Data point attributes") => {
                    part = "point";
                    point.clear();
                }
                None if line.starts_with("Value: ") => {
                    let count = line.trim_start_matches("Value: ").parse::<f64>().unwrap_or(0.0);
                    *received.points.entry(point.clone()).or_insert(0) += count as u64;
                }
                None if line.starts_with("ScopeLogs") || line.starts_with("ScopeMetrics") => {
                    part = "";
                }
                None => {
                    let fields = ["Body", "SeverityText", "SeverityNumber", "Timestamp"];
                    let field = line.split_once(": ").filter(|(name, _)| fields.contains(name));
                    if let (Some((name, value)), Some(record)) =
                        (field, received.records.last_mut())
                    {
                        record.entry(name.to_string()).or_insert_with(|| value.to_string());
                    }
                }
            }
        }
        received
    }
}

impl Received {
    /// The numbers of the rows that came as log records, in order.
    pub fn numbers(&self) -> Vec<i64> {
        let number = |record: &BTreeMap<String, String>| record.get("dos.seq")?.parse().ok();
        self.records.iter().filter_map(number).collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a broken collector does with a request.
#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// Takes it.
    Take,
    /// Takes it, and answers with this body.
    TakeSaying(&'static str),
    /// Takes it, and answers after so many milliseconds.
    TakeAfter(u64),
    /// Answers with this code, and with these headers, each with its line end.
    Answer(u16, &'static str),
    /// Reads it and never answers.
    Hang,
    /// Reads half of it and resets the connection.
    ResetWhileReading,
    /// Takes it, and resets the connection in the middle of the answer.
    ResetWhileAnswering,
}

/// One request that was read whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its path.
    pub path: String,
    /// Its headers, in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
    /// Was it taken?
    pub taken: bool,
}

/// A collector that does what it is told, once each, and then takes all.
pub struct Peer {
    /// Where it listens.
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    plans: Sender<Does>,
}

impl Peer {
    /// Starts it.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().map(|address: SocketAddr| address.port());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (plans, planned) = channel();
        let planned = Arc::new(Mutex::new(planned));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, planned) = (Arc::clone(&seen), Arc::clone(&planned));
                std::thread::spawn(move || serve(stream, &seen, &planned));
            }
        });
        Self { port: port.expect("its number"), requests, plans }
    }

    /// What it does with the next requests.
    pub fn plan(&self, plans: &[Does]) {
        plans.iter().for_each(|plan| self.plans.send(*plan).expect("the collector"));
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("nobody panicked").clone()
    }

    /// The numbers of the rows of all requests that were taken, in order.
    pub fn numbers(&self) -> Vec<i64> {
        let taken = self.requests().into_iter().filter(|request| request.taken);
        taken.flat_map(|request| numbers(&request.body)).collect()
    }
}

/// The numbers of the rows in a request for logs in JSON.
fn numbers(body: &[u8]) -> Vec<i64> {
    let request: Value = serde_json::from_slice(body).expect("JSON");
    let records = &request["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    let number = |record: &Value| {
        let attributes = record["attributes"].as_array()?;
        let seq = attributes.iter().find(|attribute| attribute["key"] == "dos.seq")?;
        seq["value"]["intValue"].as_str()?.parse().ok()
    };
    records.as_array().expect("records").iter().filter_map(number).collect()
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Request>>, planned: &Mutex<Receiver<Does>>) {
    let mut reader = BufReader::new(stream);
    while let Some((path, headers, length)) = head(&mut reader) {
        let does = planned.lock().ok().and_then(|plans| plans.try_recv().ok());
        let does = does.unwrap_or(Does::Take);
        let mut body = vec![0; length];
        if matches!(does, Does::ResetWhileReading) {
            let _ = reader.read_exact(&mut body[..length / 2]);
            return reset(reader.into_inner());
        }
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let refused = matches!(does, Does::Answer(..) | Does::Hang | Does::ResetWhileReading);
        let taken = !refused;
        seen.lock().expect("nobody panicked").push(Request { path, headers, body, taken });
        let answer = match does {
            Does::Take => answer(200, "", "{}"),
            Does::TakeSaying(text) => answer(200, "", text),
            Does::TakeAfter(millis) => {
                std::thread::sleep(Duration::from_millis(millis));
                answer(200, "", "{}")
            }
            Does::Answer(code, headers) => answer(code, headers, "not now"),
            Does::Hang => {
                std::thread::sleep(Duration::from_secs(20));
                return;
            }
            Does::ResetWhileReading => return,
            Does::ResetWhileAnswering => "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"".into(),
        };
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
        if matches!(does, Does::ResetWhileAnswering) {
            return reset(reader.into_inner());
        }
    }
}

fn answer(code: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {code} Answer\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

/// Closes a connection with something unread, which resets it.
fn reset(stream: TcpStream) {
    std::thread::sleep(Duration::from_millis(20));
    drop(stream);
}

/// The path, the headers and the length of the body of the next request.
fn head(reader: &mut impl BufRead) -> Option<(String, BTreeMap<String, String>, usize)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let path = line.split(' ').nth(1)?.to_string();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_string());
            }
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    Some((path, headers, length.unwrap_or(0)))
}
