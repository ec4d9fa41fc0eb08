//! `shutter enforce off|on|status`: the kill switch of an installation.
//!
//! Not for ceilings: those are the policy's and the configuration's.

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::help::Ending;
use super::site::{Format, Reach, Site, Where};
use super::{exit, shown};
use crate::casework::Enforcement;
use crate::clock;
use crate::config::read_key;
use crate::limits::{REASON_BYTES, cut};
use crate::log::Header;
use crate::service::switch::{self, Stands, Statement};
use crate::wire::Keyring;
use crate::wire::signature::signed_headers;
use crate::worker::{Switch, Trust};

/// The end of `shutter enforce --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter enforce off --config shutter.yaml --reason 'the cloud bot misbehaves'",
        "shutter enforce on --config shutter.yaml --reason 'mended, see INC-42' --as ada-laptop",
        "shutter enforce status --config shutter.yaml",
    ],
    notes: &[],
    found: None,
};
const OFF: Ending = Ending {
    examples: &["shutter enforce off --config shutter.yaml --reason 'the cloud bot misbehaves'"],
    notes: &[
        "It takes effect in every running worker at its next turn, within a second: nothing that changes the world \
              goes out, and what is out is withdrawn. It needs no key, so that an emergency never fails for want of one; \
              with --as, the record says who it was. Where that key isn't known or can't be read, it is switched off all \
              the same, unsigned.",
    ],
    found: None,
};
const ON: Ending = Ending {
    examples: &["shutter enforce on --config shutter.yaml --reason 'mended, see INC-42' --as ada-laptop"],
    notes: &[
        "It needs the key of a person (`feedback_keys`, kind person): every worker checks its signature, on Kafka too.",
    ],
    found: None,
};
const STATUS: Ending = Ending {
    examples: &["shutter enforce status --config shutter.yaml"],
    notes: &["What the topic `control` says; /readyz of an instance tells what it works under."],
    found: None,
};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Stop all enforcement at once.
    #[command(after_help = OFF.text())]
    Off(Throw),
    /// Allow enforcement again.
    #[command(after_help = ON.text())]
    On(Throw),
    /// Where it stands, and who threw it last.
    #[command(after_help = STATUS.text())]
    Status(Where),
}

/// Why, and as whom.
#[derive(Debug, clap::Args)]
pub struct Throw {
    #[command(flatten)]
    at: Where,
    /// Why; kept with the switch.
    #[arg(long)]
    reason: String,
    /// Id of the key that signs, of `feedback_keys`.
    #[arg(long = "as", value_name = "KEYID")]
    key: Option<String>,
}

/// Throws the switch, or tells where it stands.
///
/// # Errors
/// No such key, one that may not, or a log that can't be reached.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::Off(how) => throw(Enforcement::Off, &how),
        Args::On(how) => throw(Enforcement::On, &how),
        Args::Status(at) => {
            let site = Site::open(&at.config)?;
            tell(&site, at.format)
        }
    }
}

fn throw(enforcement: Enforcement, how: &Throw) -> anyhow::Result<ExitCode> {
    if enforcement == Enforcement::On && how.key.is_none() {
        return Err(exit::usage("--as is missing: switching enforcement on needs the key of a person"));
    }
    let site = Site::open(&how.at.config)?;
    let reason = match enforcement {
        // As much as is kept: nobody who wants it off at night is to count bytes.
        Enforcement::Off => cut(&how.reason, REASON_BYTES).to_owned(),
        Enforcement::On => how.reason.clone(),
    };
    let statement = Statement { enforcement, reason, at: clock::now() };
    let mut keyring = Keyring::default();
    let headers = match how.key.as_deref().map(|id| signed(&site, id, &statement, &mut keyring)) {
        None => Vec::new(),
        Some(Ok(headers)) => headers,
        // Nobody who wants it off at night is to look for a key first.
        Some(Err(why)) if enforcement == Enforcement::Off => {
            shown::remark(format_args!("warning: {why:#}; it is switched off all the same, unsigned"));
            Vec::new()
        }
        Some(Err(why)) => return Err(why),
    };
    // Judged here too, where the process or the topic would take it: a refusal has the same words everywhere.
    let judged = statement
        .judged(&site.config.tenant, &headers, &keyring, clock::now())
        .map_err(|e| exit::usage(e.to_string()))?;
    match &site.reach {
        Reach::Process(remote) => remote.enforce(&statement, &headers)?,
        Reach::Kafka | Reach::Database => {
            switch::throw(&*site.desk, &site.topics, &judged, headers)?;
            // The log's clock judges too.
            let stands = switch::stands(&*site.desk, &site.topics, &trust(&site).0)?;
            if let Some(why) = stands.disbelieved {
                anyhow::bail!("it was written, but no worker will believe it: {why}");
            }
        }
    }
    tell(&site, how.at.format)
}

/// The headers that prove who says it, by a key of the configuration.
fn signed(site: &Site, id: &str, statement: &Statement, keyring: &mut Keyring) -> anyhow::Result<Vec<Header>> {
    let key = site.key(id)?;
    let secret = key.secret(|name| std::env::var(name).ok())?;
    keyring.insert(id, &key.actor, key.kind, &secret)?;
    Ok(signed_headers(&statement.to_sign(&site.config.tenant), id, &secret).to_vec())
}

fn tell(site: &Site, format: Format) -> anyhow::Result<ExitCode> {
    let (enforcement, thrown, disbelieved) = match &site.reach {
        Reach::Process(remote) => {
            let (enforcement, thrown) = remote.enforcement()?;
            (enforcement, thrown, None)
        }
        Reach::Kafka | Reach::Database => {
            let (trust, unread) = trust(site);
            let Stands { thrown, disbelieved } = switch::stands(&*site.desk, &site.topics, &trust)?;
            let why = disbelieved.map(|why| match unread.as_slice() {
                [] => why,
                ids => format!("{why} (this machine can't read the secrets of these keys: {})", ids.join(", ")),
            });
            (thrown.enforcement(), thrown.switch().cloned(), why)
        }
    };
    match (format, &thrown) {
        (Format::Json, _) => {
            shown::json(&json!({"enforcement": enforcement, "switch": thrown, "disbelieved": disbelieved}))?;
        }
        (Format::Text, None) if disbelieved.is_some() => {
            shown::say(format_args!("enforcement is {enforcement}: what was said of it last is not believed"))?;
        }
        (Format::Text, None) => shown::say("enforcement is on; nobody ever switched it")?,
        (Format::Text, Some(Switch { actor, reason, at, .. })) => {
            shown::say(format_args!(
                "enforcement is {enforcement}, since {at}, by {}: {}",
                shown::line(actor),
                shown::line(reason)
            ))?;
        }
    }
    if let Some(why) = disbelieved {
        shown::remark(format_args!("warning: the last record of the switch on `control` changes nothing: {why}"));
    }
    if matches!(site.reach, Reach::Database) {
        shown::remark("no process runs; it holds from the next start on");
    }
    Ok(ExitCode::from(exit::OK))
}

/// By the keys that this machine can read, and the ids of those that it can't.
fn trust(site: &Site) -> (Trust, Vec<&str>) {
    let mut keyring = Keyring::default();
    let mut unread = Vec::new();
    for key in &site.config.feedback_keys {
        let read = key.secret(|name| std::env::var(name).ok());
        if read.and_then(|secret| keyring.insert(&key.id, &key.actor, key.kind, &secret)).is_err() {
            unread.push(key.id.as_str());
        }
    }
    // Without the site key only the name of who said `off` again can't be believed; the switch is judged the same.
    let site_key = site.config.redaction_key_file.as_deref().and_then(|file| read_key(file).ok()).unwrap_or_default();
    (Trust::new(&site.config.tenant, site.topics.control.clone(), &site_key, Arc::new(keyring)), unread)
}
