//! What the command line and the environment say about a collector, by the rules of the OpenTelemetry
//! specification.

use std::collections::BTreeMap;
use std::time::Duration;

use dos_core::export::otlp::{Encoding, SCOPE, Signal};
use dos_store::StoreError;
use dos_store::workspace::Environment;

use crate::export::BadSetting;
use crate::export::http::Endpoint;

const ENDPOINT: &str = "http://localhost:4318";
const TIMEOUT: Duration = Duration::from_secs(10);
const LOGS_PATH: &str = "/v1/logs";
const METRICS_PATH: &str = "/v1/metrics";

/// Where rows go, and how they are written.
pub struct Settings {
    /// The collector.
    pub endpoint: Endpoint,
    /// What is sent.
    pub signal: Signal,
    /// How it is written.
    pub encoding: Encoding,
    /// Is it compressed?
    pub gzip: bool,
    /// Who sends.
    pub resource: Vec<(String, String)>,
}

/// What does not come from variables.
pub struct Given<'a> {
    /// What is sent.
    pub signal: Signal,
    /// The endpoint on the command line.
    pub endpoint: Option<&'a str>,
    /// What `.env` sets.
    pub dotenv: &'a BTreeMap<String, String>,
    /// What is said of this workspace.
    pub resource: Vec<(String, String)>,
}

impl Settings {
    /// Reads the variables.
    pub fn read(
        environment: &impl Environment,
        given: Given<'_>,
    ) -> Result<Result<Self, BadSetting>, StoreError> {
        let variables = Variables { signal: given.signal, values: values(environment)? };
        Ok(variables.settings(given))
    }
}

/// The variables that are looked at, beside those of one signal.
const NAMES: &[&str] = &["DOS_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"];
const OF_SIGNALS: &[&str] = &[
    "ENDPOINT",
    "HEADERS",
    "TIMEOUT",
    "COMPRESSION",
    "PROTOCOL",
    "CERTIFICATE",
    "CLIENT_CERTIFICATE",
    "CLIENT_KEY",
];

fn values(environment: &impl Environment) -> Result<BTreeMap<String, String>, StoreError> {
    let mut names: Vec<String> = NAMES.iter().map(|name| name.to_string()).collect();
    for part in OF_SIGNALS {
        names.extend(["", "LOGS_", "METRICS_"].map(|of| format!("OTEL_EXPORTER_OTLP_{of}{part}")));
    }
    let mut values = BTreeMap::new();
    for name in names {
        // An empty one counts as not set, as the specification wants.
        if let Some(value) = environment.variable(&name)?.filter(|value| !value.trim().is_empty()) {
            values.insert(name, value.trim().to_string());
        }
    }
    Ok(values)
}

struct Variables {
    signal: Signal,
    values: BTreeMap<String, String>,
}

impl Variables {
    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The name of a setting of this signal, as the variable for it alone.
    fn own(&self, part: &str) -> String {
        let signal = match self.signal {
            Signal::Logs => "LOGS",
            Signal::Metrics => "METRICS",
        };
        format!("OTEL_EXPORTER_OTLP_{signal}_{part}")
    }

    /// A setting, with the name of the variable that makes it: the one for this signal, or for all.
    fn setting(&self, part: &str) -> Option<(String, &str)> {
        let names = [self.own(part), format!("OTEL_EXPORTER_OTLP_{part}")];
        names.into_iter().find_map(|name| {
            let value = self.values.get(&name)?;
            Some((name, value.as_str()))
        })
    }

    fn settings(&self, given: Given<'_>) -> Result<Settings, BadSetting> {
        let timeout = match self.setting("TIMEOUT") {
            None => TIMEOUT,
            Some((name, text)) => match text.parse() {
                Ok(millis) if millis > 0 => Duration::from_millis(millis),
                _ => return Err(unusable(&name, text, "a number of milliseconds")),
            },
        };
        let gzip = match self.setting("COMPRESSION") {
            None | Some((_, "none")) => false,
            Some((_, "gzip")) => true,
            Some((name, text)) => return Err(unusable(&name, text, "gzip or none")),
        };
        let encoding = match self.setting("PROTOCOL") {
            None | Some((_, "http/protobuf")) => Encoding::Protobuf,
            Some((_, "http/json")) => Encoding::Json,
            Some((name, text)) => {
                return Err(unusable(&name, text, "http/protobuf or http/json"));
            }
        };
        let (url, by_repository) = self.url(given.endpoint, given.dotenv);
        let secret = ["HEADERS", "CLIENT_CERTIFICATE"].iter().find_map(|part| self.setting(part));
        if let Some((name, _)) = secret.filter(|_| by_repository) {
            return Err(BadSetting(format!(
                "{name} is not sent to a collector that the .env of the workspace has chosen; give \
                 --endpoint, or set DOS_OTLP_ENDPOINT yourself"
            )));
        }
        let mut endpoint = Endpoint::new(&url, timeout, false)?;
        let file = |part: &str| self.setting(part).map(|(_, file)| file);
        let own = file("CLIENT_CERTIFICATE").map(|own| (own, file("CLIENT_KEY")));
        endpoint.certificates(file("CERTIFICATE"), own);
        if let Some((from, text)) = self.setting("HEADERS") {
            for (name, value) in pairs(text).map_err(|part| {
                BadSetting(format!(
                    "{from} has a part without `=`, number {part}; write NAME=VALUE"
                ))
            })? {
                endpoint.header(&name, &value, &from)?;
            }
        }
        let resource = self.resource(given.resource)?;
        Ok(Settings { endpoint, signal: self.signal, encoding, gzip, resource })
    }

    /// The endpoint of one signal is taken as it is; any other is the base that a path is put behind.
    /// Also whether it was chosen by `.env`, and so by the repository.
    fn url(&self, given: Option<&str>, dotenv: &BTreeMap<String, String>) -> (String, bool) {
        if let Some(base) = given.or_else(|| self.value("DOS_OTLP_ENDPOINT")) {
            return (self.below(base), false);
        }
        if let Some(whole) = self.value(&self.own("ENDPOINT")) {
            return (whole.to_string(), false);
        }
        if let Some(base) = self.value("OTEL_EXPORTER_OTLP_ENDPOINT") {
            return (self.below(base), false);
        }
        match dotenv.get("DOS_OTLP_ENDPOINT").filter(|base| !base.is_empty()) {
            Some(base) => (self.below(base), true),
            None => (self.below(ENDPOINT), false),
        }
    }

    /// The path of this signal, unless the base already ends in one.
    fn below(&self, base: &str) -> String {
        let base = base.trim().trim_end_matches('/');
        let path = match self.signal {
            Signal::Logs => LOGS_PATH,
            Signal::Metrics => METRICS_PATH,
        };
        if base.ends_with(path) { base.to_string() } else { format!("{base}{path}") }
    }

    fn resource(&self, given: Vec<(String, String)>) -> Result<Vec<(String, String)>, BadSetting> {
        let mut resource: BTreeMap<String, String> = given.into_iter().collect();
        resource.insert("service.name".to_string(), SCOPE.to_string());
        if let Some(text) = self.value("OTEL_RESOURCE_ATTRIBUTES") {
            resource.extend(pairs(text).map_err(|part| {
                BadSetting(format!(
                    "OTEL_RESOURCE_ATTRIBUTES has a part without `=`, number {part}"
                ))
            })?);
        }
        if let Some(name) = self.value("OTEL_SERVICE_NAME") {
            resource.insert("service.name".to_string(), name.to_string());
        }
        Ok(resource.into_iter().collect())
    }
}

fn unusable(name: &str, text: &str, wanted: &str) -> BadSetting {
    BadSetting(format!("{name} is {text:?}; this program takes {wanted}"))
}

/// `NAME=VALUE,NAME=VALUE`, each percent-encoded. The number of the first part that is none, if any.
fn pairs(text: &str) -> Result<Vec<(String, String)>, usize> {
    let parts = text.split(',').map(str::trim).enumerate().filter(|(_, part)| !part.is_empty());
    let pair = |(index, part): (usize, &str)| {
        let (name, value) = part.split_once('=').ok_or(index + 1)?;
        Ok((decoded(name.trim()), decoded(value.trim())))
    };
    parts.map(pair).collect()
}

/// A text with its percent-encoded bytes put in. What is no such byte stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match byte.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Said(Vec<(&'static str, &'static str)>);

    impl Environment for Said {
        fn variable(&self, name: &str) -> Result<Option<String>, StoreError> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, value)| value.to_string()))
        }
    }

    fn settings(
        signal: Signal,
        endpoint: Option<&str>,
        variables: &[(&'static str, &'static str)],
    ) -> Result<Settings, BadSetting> {
        let dotenv = BTreeMap::from([("DOS_OTLP_ENDPOINT".to_string(), "http://dotenv".into())]);
        let given = Given { signal, endpoint, dotenv: &dotenv, resource: Vec::new() };
        Settings::read(&Said(variables.to_vec()), given).unwrap()
    }

    #[track_caller]
    fn url(endpoint: Option<&str>, variables: &[(&'static str, &'static str)]) -> [String; 2] {
        [Signal::Logs, Signal::Metrics]
            .map(|signal| settings(signal, endpoint, variables).unwrap().endpoint.url().to_string())
    }

    #[test]
    fn an_endpoint_for_all_is_a_base_and_one_for_a_signal_is_whole() {
        let of = |base: &str| [format!("{base}/v1/logs"), format!("{base}/v1/metrics")];
        assert_eq!(url(None, &[]), of("http://dotenv"));
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        assert_eq!(url(None, &[all]), of("http://collector:4318"));
        let below = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/mine/");
        assert_eq!(url(None, &[below]), of("http://collector:4318/mine"));
        let whole = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:4318");
        let both = url(None, &[all, whole]);
        assert_eq!(both, ["http://logs:4318", "http://collector:4318/v1/metrics"]);
        let ours = ("DOS_OTLP_ENDPOINT", "http://ours/v1/logs");
        assert_eq!(url(None, &[all, whole, ours])[0], "http://ours/v1/logs");
        assert_eq!(url(Some("http://given"), &[all, whole, ours]), of("http://given"));
        assert_eq!(url(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), of("http://dotenv"));
    }

    #[test]
    fn the_variables_of_a_signal_come_first() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
            ("OTEL_SERVICE_NAME", "mine"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,team=a%2Cb"),
        ];
        let logs = settings(Signal::Logs, None, &variables).unwrap();
        assert_eq!((logs.encoding, logs.gzip), (Encoding::Json, true));
        assert!(!settings(Signal::Metrics, None, &variables).unwrap().gzip);
        let named = |key: &str, value: &str| (key.to_string(), value.to_string());
        assert_eq!(logs.resource, [named("service.name", "mine"), named("team", "a,b")]);
    }

    #[test]
    fn a_setting_that_cannot_be_used_is_named() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"),
            ("OTEL_RESOURCE_ATTRIBUTES", "secret"),
        ] {
            let fault = settings(Signal::Logs, None, &[(name, value)]).err().unwrap().0;
            assert!(fault.contains(name), "{fault}");
            assert!(!fault.contains("secret"), "{fault}");
        }
    }

    #[test]
    fn headers_are_percent_decoded() {
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        let text = "api-key=a%20b, x=1=2 ,,y=%zz%4";
        assert_eq!(
            pairs(text),
            Ok(vec![pair("api-key", "a b"), pair("x", "1=2"), pair("y", "%zz%4")])
        );
    }
}
