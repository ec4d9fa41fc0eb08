//! `shutter normalize`: records of a file → findings as JSON lines. For looking at what a format extracts, for
//! writing mapping files, and for tests; not the way in for detections.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;
use smol_str::SmolStr;

use super::exit;
use super::help::Ending;
use super::input::{Form, InputError, Records};
use super::shown;
use crate::clock;
use crate::formats::{DecodeInput, Decoder, Format, Mapping, Redactor, fingerprint};
use crate::time::WallTime;

/// The end of `shutter normalize --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter normalize --format trivy report.json",
        "shutter normalize --format sarif results.sarif.gz | jq -r '[.severity, .title] | @tsv'",
        "shutter normalize --mapping deploy/mappings/ait-ads.yaml alerts.csv.gz",
        "kafkacat -C -t detections.falco -e | shutter normalize --format falco -",
    ],
    notes: &[
        "One finding a line on standard output; every rejected record, with its place and the reason, on standard error.",
        "Secrets are replaced by a hash keyed with SHUTTER_SITE_KEY from the environment, so that they can be compared \
         with those of a running Shutter; without it, with a fixed key that hides nothing from somebody who can guess. \
         The key is what is in the key file, in hex where that holds bytes: SHUTTER_SITE_KEY=$(xxd -p -c 64 site.key)",
    ],
    found: Some("records were rejected; the findings of the others are all there"),
};

/// Options of `shutter normalize`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Format of the records
    #[arg(long, value_name = "NAME", value_parser = format, required_unless_present = "mapping", help = format_help())]
    pub format: Option<Format>,

    /// Mapping file that says how the records are read, in place of a format
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pub mapping: Option<PathBuf>,

    /// How the file is cut into records; by default its name and its first bytes decide
    #[arg(long, value_enum)]
    pub records: Option<Form>,

    /// Name of the source that the findings carry [default: the name of the format]
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,

    /// Tenant that the fingerprints belong to
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub tenant: String,

    /// When the records arrived, for those without a time of their own [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub received_at: Option<WallTime>,

    /// File of records: .json, .ndjson, .csv, each also gzipped; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
}

pub(super) fn format(name: &str) -> Result<Format, String> {
    Format::parse(name).map_err(|error| error.to_string())
}

pub(super) fn format_help() -> String {
    format!("Format of the records: {}", Format::names().collect::<Vec<_>>().join(", "))
}

pub(super) fn time(text: &str) -> Result<WallTime, String> {
    WallTime::parse(text).map_err(|error| error.to_string())
}

/// Runs it.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (decoder, name) = decoder(args.format, args.mapping.as_deref())?;
    let source = SmolStr::from(args.source.as_deref().unwrap_or(&name));
    let redactor = redactor();
    let input = DecodeInput { source: &source, received_at: args.received_at.unwrap_or_else(clock::now), headers: &[] };
    let file = args.file.to_string_lossy();
    let topic = if file == "-" { SmolStr::new_static("stdin") } else { SmolStr::from(file.as_ref()) };

    let mut out = BufWriter::new(io::stdout().lock());
    let (mut read, mut rejected) = (0_u64, 0_u64);
    for record in Records::open(&args.file, form(args.records, &decoder))? {
        let record = match record {
            Ok(record) => record,
            Err(error @ InputError::Io(_)) => {
                out.flush()?;
                return Err(error.ends(&args.file, read));
            }
            Err(error @ InputError::TooLarge(_)) => {
                rejected += 1;
                shown::remark(format_args!("{topic}: {error}"));
                continue;
            }
        };
        read += 1;
        match decoder.decode(&record.bytes, &input, &redactor) {
            Err(reject) => {
                rejected += 1;
                shown::remark(format_args!("{topic}: {}: rejected ({}): {reject}", record.place, reject.code.as_str()));
            }
            Ok(findings) => {
                for mut finding in findings {
                    finding.fingerprint = fingerprint(&args.tenant, &finding);
                    finding.position.topic = topic.clone();
                    finding.position.offset = i64::try_from(record.place.number).unwrap_or(i64::MAX);
                    serde_json::to_writer(&mut out, &finding).map_err(io::Error::from)?;
                    out.write_all(b"\n")?;
                }
            }
        }
    }
    out.flush()?;
    if read + rejected == 0 {
        shown::remark(format_args!("{topic}: no records in it; is that the right file, and is --records right?"));
    }
    Ok(ExitCode::from(if rejected == 0 { exit::OK } else { exit::FOUND }))
}

/// Replaces secrets, under the site's key where the environment has it: what is read from a file compares with
/// what runs. The key is written as in its file, or in hex where the file has bytes.
pub(super) fn redactor() -> Redactor {
    let Some(key) = std::env::var_os("SHUTTER_SITE_KEY") else { return Redactor::new(b"shutter normalize") };
    let key = key.into_encoded_bytes();
    let mut bytes = [0_u8; crate::config::KEY_BYTES];
    match hex::decode_to_slice(key.trim_ascii(), &mut bytes) {
        Ok(()) => Redactor::new(&bytes),
        Err(_) => Redactor::new(&key),
    }
}

/// What reads the records, and its name.
pub(super) fn decoder(format: Option<Format>, mapping: Option<&Path>) -> anyhow::Result<(Decoder, String)> {
    if let Some(format) = format {
        return Ok((Decoder::BuiltIn(format), format.name().to_owned()));
    }
    let Some(path) = mapping else { return Err(exit::usage("neither --format nor --mapping is given")) };
    let name = path.to_string_lossy();
    let text = crate::config::read_text(path)
        .map_err(|error| exit::usage(format!("{name}: can't be read: {error}; name a mapping file")))?;
    let mapping = Mapping::parse(&name, &text).map_err(|error| exit::usage(error.to_string()))?;
    let name = mapping.name().to_owned();
    Ok((Decoder::Mapped(Arc::new(mapping)), name))
}

/// How the file is cut: as asked for, else as the mapping says, else as the file looks.
pub(super) fn form(asked: Option<Form>, decoder: &Decoder) -> Option<Form> {
    let mapped = match decoder {
        Decoder::Mapped(mapping) => mapping.is_csv().map(|header| if header { Form::Csv } else { Form::CsvBare }),
        Decoder::BuiltIn(_) => None,
    };
    asked.or(mapped)
}
