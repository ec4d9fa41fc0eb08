//! Logs of the program itself, on stderr: text for people, JSON for machines. Not for metrics or receipts.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One readable line.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// The two options that every command takes. What isn't given comes from the configuration file.
#[derive(Clone, Debug, Default, Args)]
pub struct LogFlags {
    /// How log lines are written [default: text]
    #[arg(long, global = true, value_enum, help_heading = "Logging")]
    pub log_format: Option<LogFormat>,

    /// Least level that is logged: error, warn, info, debug, trace, or directives such as `info,shutter::log=debug` [default: info]
    #[arg(long, global = true, value_parser = level, help_heading = "Logging", value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// The default of `--log-level`.
pub const DEFAULT_LEVEL: &str = "info";

/// A filter's text, if it is one.
pub fn level(text: &str) -> Result<String, String> {
    // Anything is a target's name to EnvFilter; a lone word that is no level is surely a slip.
    let lone_word = !text.contains(['=', ',', ':']);
    if lone_word && tracing::level_filters::LevelFilter::from_str(text).is_err() {
        return Err(format!("`{text}` is no level; expected error, warn, info, debug, trace or off"));
    }
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl LogFlags {
    /// Starts logging; a flag wins over what is configured. A second call changes nothing.
    pub fn start(&self, format: LogFormat, level: &str) {
        let level = self.log_level.as_deref().unwrap_or(level);
        let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new(DEFAULT_LEVEL));
        // Where stderr is gone, telling so on stderr would end the thread that had something to log.
        let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
        // A failure means that a subscriber is there already, which is then the one that counts.
        let _already = match self.log_format.unwrap_or(format) {
            LogFormat::Text => base.with_ansi(io::stderr().is_terminal()).try_init(),
            LogFormat::Json => base.json().flatten_event(true).with_current_span(false).try_init(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn a_slip_in_the_level_is_told() {
        assert!(level("info").is_ok());
        assert!(level("info,shutter::log=debug").is_ok());
        assert!(level("inof").is_err());
        assert!(level("shutter=loud").is_err());
    }
}
