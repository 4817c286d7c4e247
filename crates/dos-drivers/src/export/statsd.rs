//! Counters for a StatsD server, over UDP or a Unix socket.
//!
//! UDP acknowledges nothing: that a datagram was sent does not say that it arrived. What this machine
//! is told, such as that nobody listens, is taken for a failure. A Unix socket loses nothing that was
//! sent, and waits while the server is busy.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use dos_core::export::statsd::{METRIC, datagrams, lines};
use dos_core::verdict::VerdictEvent;

use super::{BadSetting, Exporter, NotTaken, Taken};

/// The server's port unless told otherwise.
pub const PORT: u16 = 8125;
/// What fits into an Ethernet frame beside the headers of IPv6 and of tunnels.
const UDP_BYTES: usize = 1432;
/// A Unix socket has no frames.
const UNIX_BYTES: usize = 8192;
/// A server of this machine that takes nothing for so long is stuck.
const UNIX_WAIT: Duration = Duration::from_secs(5);
/// For so long the first datagram waits for word that nobody is there.
const REFUSAL_WAIT: Duration = Duration::from_millis(15);
const SCHEME: &str = "unix://";

/// A StatsD server.
pub struct Statsd {
    server: Server,
    metric: String,
    shown: String,
    open: Option<Socket>,
}

enum Server {
    Udp { host: String, port: u16 },
    Unix(String),
}

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Statsd {
    /// The server at a host, which is a name, an address of IPv4 or IPv6, or `unix:///PATH`.
    pub fn new(host: &str, port: u16, metric: Option<&str>) -> Result<Self, BadSetting> {
        let metric = metric.unwrap_or(METRIC);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if metric.is_empty() || !metric.chars().all(plain) {
            let allowed = "letters, digits, dots, `_` and `-`";
            return Err(BadSetting(format!("{metric:?} is no name of a metric; use {allowed}")));
        }
        let (server, shown) = match host.strip_prefix(SCHEME) {
            Some(path) if path.starts_with('/') => {
                (Server::Unix(path.to_string()), host.to_string())
            }
            Some(_) => {
                return Err(BadSetting(format!("{host:?} names no socket; write unix:///PATH")));
            }
            None => {
                let host = host.trim_start_matches('[').trim_end_matches(']').to_string();
                let shown = match host.contains(':') {
                    true => format!("[{host}]:{port}"),
                    false => format!("{host}:{port}"),
                };
                (Server::Udp { host, port }, shown)
            }
        };
        Ok(Self { server, metric: metric.to_string(), shown, open: None })
    }

    fn send(&mut self, lines: &[String]) -> io::Result<()> {
        let first = self.open.is_none();
        let socket = match self.open.take() {
            Some(socket) => socket,
            None => self.server.open()?,
        };
        let most = match socket {
            Socket::Udp(_) => UDP_BYTES,
            Socket::Unix(_) => UNIX_BYTES,
        };
        for (number, datagram) in datagrams(lines, most).iter().enumerate() {
            socket.send(datagram)?;
            socket.refusal(first && number == 0)?;
        }
        self.open = Some(socket);
        Ok(())
    }
}

impl Exporter for Statsd {
    fn transport(&self) -> &str {
        "statsd"
    }

    fn destination(&self) -> &str {
        &self.shown
    }

    fn export(&mut self, events: &[VerdictEvent]) -> Result<Taken, NotTaken> {
        self.send(&lines(events, &self.metric)).map_err(|error| {
            let reason = match error.kind() {
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => "nobody listens",
                _ => return NotTaken::later(format!("cannot send to {}: {error}", self.shown)),
            };
            NotTaken::later(format!("{reason} at {}; start the server", self.shown))
        })?;
        Ok(Taken::default())
    }
}

impl Server {
    fn open(&self) -> io::Result<Socket> {
        match self {
            Self::Udp { host, port } => {
                let addresses = (host.as_str(), *port).to_socket_addrs()?;
                let mut failure = io::Error::other("the name has no address");
                for address in addresses {
                    match connected(address) {
                        Ok(socket) => return Ok(Socket::Udp(socket)),
                        Err(error) => failure = error,
                    }
                }
                Err(failure)
            }
            Self::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(UNIX_WAIT))?;
                Ok(Socket::Unix(socket))
            }
        }
    }
}

/// A socket that only talks to this address, so that it is told when nobody listens there.
fn connected(address: SocketAddr) -> io::Result<UdpSocket> {
    let any = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(REFUSAL_WAIT))?;
    Ok(socket)
}

impl Socket {
    fn send(&self, datagram: &str) -> io::Result<()> {
        let sent = match self {
            Self::Udp(socket) => socket.send(datagram.as_bytes())?,
            Self::Unix(socket) => socket.send(datagram.as_bytes())?,
        };
        match sent == datagram.len() {
            true => Ok(()),
            false => Err(io::Error::other("a datagram was cut off")),
        }
    }

    /// What has been heard of the datagrams that were sent; with `wait`, after a moment.
    fn refusal(&self, wait: bool) -> io::Result<()> {
        let Self::Udp(socket) = self else { return Ok(()) };
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        if !wait {
            return Ok(());
        }
        // A server says nothing; what comes, if anything, is word of a datagram that found nobody.
        match socket.recv(&mut [0; 1]) {
            Err(error) if !is_silence(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
