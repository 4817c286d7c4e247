//! What an export costs, beside a bare client of the same transport that sends the same in the same run.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Bench, median, ratio, shown};

const ROWS: usize = 100_000;
const BATCH: usize = 512;
const ROUNDS: usize = 5;
/// Answers of a collector that has taken everything.
const TAKEN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// What came in, request by request.
type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

impl Bench {
    pub(super) fn export(&self) -> anyhow::Result<()> {
        let workspace = self.observed(ROWS)?;
        println!(
            "{ROWS} verdicts through `dos export --since auto`, whole process, median of {ROUNDS}:"
        );
        self.export_to_file(&workspace)?;
        self.export_to_statsd(&workspace)?;
        self.export_to_collector(&workspace, &[])?;
        self.export_to_collector(&workspace, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")])?;
        self.export_to_collector(&workspace, &[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")])?;
        println!();
        Ok(())
    }

    /// The bare client writes the same rows, as many at once, and syncs as often.
    fn export_to_file(&self, workspace: &Path) -> anyhow::Result<()> {
        let out = workspace.join("out.jsonl");
        let (mut ours, mut bare, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let to_file = ["--to", "file", "--path", "out.jsonl"];
            ours.push(exported(&self.dos, workspace, &to_file, &[])?);
            let text = fs::read_to_string(&out)?;
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            ensure!(lines.len() == ROWS, "{} rows arrived", lines.len());
            fs::remove_file(&out)?;
            let started = Instant::now();
            let mut file = File::options().append(true).create(true).open(&out)?;
            for batch in lines.chunks(BATCH) {
                file.write_all(batch.concat().as_bytes())?;
                file.sync_data()?;
            }
            bare.push(started.elapsed());
            fs::remove_file(&out)?;
            theirs.push(exported(&self.original, workspace, &to_file, &[])?);
            fs::remove_file(&out)?;
        }
        told("file", &mut ours, "a client that writes the same and syncs as often", &mut bare);
        let theirs = median(&mut theirs);
        println!("    the original, which syncs nothing: {}, {}", shown(theirs), rate(theirs));
        Ok(())
    }

    /// The bare client sends a datagram for each verdict, as clients do.
    fn export_to_statsd(&self, workspace: &Path) -> anyhow::Result<()> {
        let server = UdpSocket::bind("127.0.0.1:0")?;
        server.set_read_timeout(Some(Duration::from_millis(200)))?;
        let port = server.local_addr()?.port();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let drained = std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            let mut count: usize = 0;
            while !end.load(Ordering::SeqCst) {
                count += usize::from(server.recv(&mut buffer).is_ok());
            }
            count
        });
        let (mut ours, mut bare, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        let port_text = port.to_string();
        for _ in 0..ROUNDS {
            let to_statsd = ["--to", "statsd", "--port", &port_text];
            ours.push(exported(&self.dos, workspace, &to_statsd, &[])?);
            let started = Instant::now();
            let client = UdpSocket::bind("127.0.0.1:0")?;
            client.connect(("127.0.0.1", port))?;
            for _ in 0..ROWS {
                client.send(b"dos.verdict:1|c|#syscall:liveness,verdict:ADVANCING")?;
            }
            bare.push(started.elapsed());
            theirs.push(exported(&self.original, workspace, &to_statsd, &[])?);
        }
        told("statsd", &mut ours, "a client that sends a datagram for each", &mut bare);
        let theirs = median(&mut theirs);
        println!("    the original: {}, {}", shown(theirs), rate(theirs));
        ended.store(true, Ordering::SeqCst);
        let datagrams = drained.join().map_err(|_| anyhow::anyhow!("the server panicked"))?;
        ensure!(datagrams > 0, "nothing arrived");
        Ok(())
    }

    /// The bare client sends the same requests over one connection, ready-made.
    fn export_to_collector(
        &self,
        workspace: &Path,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let kept: Kept = Arc::default();
        let keeps = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let keeps = Arc::clone(&keeps);
                std::thread::spawn(move || collect(stream, &keeps));
            }
        });
        let endpoint = format!("http://127.0.0.1:{port}");
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let to_collector = ["--to", "otlp", "--endpoint", &endpoint];
            ours.push(exported(&self.dos, workspace, &to_collector, variables)?);
            let requests = std::mem::take(&mut *kept.lock().map_err(|_| anyhow::anyhow!("panic"))?);
            ensure!(requests.len() == ROWS.div_ceil(BATCH), "{} requests", requests.len());
            let started = Instant::now();
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            let mut answers = BufReader::new(stream.try_clone()?);
            for request in &requests {
                (&stream).write_all(request)?;
                answers.read_exact(&mut [0; TAKEN.len()])?;
            }
            bare.push(started.elapsed());
            kept.lock().map_err(|_| anyhow::anyhow!("panic"))?.clear();
        }
        let how: String = variables.iter().map(|(_, value)| format!(" {value}")).collect();
        let what = "a client that sends the same requests ready-made";
        told(&format!("otlp{how}"), &mut ours, what, &mut bare);
        Ok(())
    }
}

/// Runs an export of all rows, and says how long it took.
fn exported(
    program: &Path,
    workspace: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<Duration> {
    for entry in fs::read_dir(workspace.join(".dos"))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("export-cursor") {
            fs::remove_file(entry.path())?;
        }
    }
    let mut command = Command::new(program);
    command
        .arg("export")
        .args(arguments)
        .args(["--since", "auto"])
        .current_dir(workspace)
        .env("DISPATCH_HOME", workspace.join("home"))
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().with_context(|| format!("failed to run {program:?}"))?;
    let took = started.elapsed();
    ensure!(status.success(), "{program:?} {arguments:?} ended with {status}");
    Ok(took)
}

/// Takes requests, whole, and keeps them as they came.
fn collect(stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    loop {
        let mut request = Vec::new();
        let mut length = 0;
        loop {
            let before = request.len();
            reader.read_until(b'\n', &mut request).ok().filter(|count| *count > 0)?;
            let line = String::from_utf8_lossy(request.get(before..)?).to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let head = request.len();
        request.resize(head + length, 0);
        reader.read_exact(request.get_mut(head..)?).ok()?;
        kept.lock().ok()?.push(request);
        reader.get_mut().write_all(TAKEN).ok()?;
    }
}

fn told(name: &str, ours: &mut [Duration], what: &str, bare: &mut [Duration]) {
    let (ours, bare) = (median(ours), median(bare));
    println!("  {name}: {}, {}", shown(ours), rate(ours));
    println!(
        "    {what}: {}, {}; ours takes {:.1} times as long",
        shown(bare),
        rate(bare),
        ratio(ours, bare)
    );
}

fn rate(took: Duration) -> String {
    format!("{:.0} a second", ROWS as f64 / took.as_secs_f64())
}
