//! `shutter exceptions grant` and `revoke`: from what was typed to a signed record on `control`.

use std::process::ExitCode;

use super::{Grant, Revoke, trust};
use crate::cli::site::{Format, Reach, Site, Where};
use crate::cli::{exit, shown};
use crate::clock;
use crate::metrics::SlaTarget;
use crate::service::exceptions::{self, Known, Said};
use crate::wire::signature::signed_headers;
use crate::wire::{ExceptionGrant, ExceptionRevocation, Keyring};

pub(super) fn grant(args: &Grant) -> anyhow::Result<ExitCode> {
    let site = Site::open(&args.at.config)?;
    let granted_by = site.key(&args.key)?.actor.clone();
    let site_wide = args.scope.iter().any(Option::is_none);
    if site_wide && args.scope.len() > 1 {
        return Err(exit::usage("--scope site is everything; leave the others out"));
    }
    let pauses = if args.pauses.is_empty() { SlaTarget::ALL.to_vec() } else { args.pauses.clone() };
    let id = match &args.id {
        Some(id) => id.clone(),
        None => fresh_id(args.kind.as_str())?,
    };
    let said = Said::Grant(ExceptionGrant {
        id: id.into(),
        kind: args.kind,
        scope: args.scope.iter().flatten().map(|(word, value)| (word.as_str().into(), value.clone())).collect(),
        reason: args.reason.clone(),
        granted_by,
        requested_by: args.requested_by.clone(),
        at: clock::now(),
        from: args.from,
        until: args.until,
        revisit: args.revisit,
        pauses,
    });
    say(&site, &said, &args.key, &args.at)
}

pub(super) fn revoke(args: &Revoke) -> anyhow::Result<ExitCode> {
    let site = Site::open(&args.at.config)?;
    let revoked_by = site.key(&args.key)?.actor.clone();
    let known = Known::read(&*site.desk, &site.topics, &trust(&site))?;
    let grants = known.book.grants();
    let fits =
        |grant: &&ExceptionGrant| grant.id == args.id && args.of.as_ref().is_none_or(|of| grant.granted_by == *of);
    let found: Vec<&ExceptionGrant> = grants.iter().filter(fits).collect();
    let granted_by = match found.as_slice() {
        [one] => one.granted_by.clone(),
        [] => {
            return Err(exit::usage(format!(
                "no exception {} was granted beyond one case (`shutter exceptions list` shows them); one of a case ends with \
                 `shutter feedback revoke-exception`",
                args.id
            )));
        }
        several => {
            let who: Vec<&str> = several.iter().map(|grant| grant.granted_by.as_str()).collect();
            return Err(exit::usage(format!("several have granted {}: {}; say --of", args.id, who.join(", "))));
        }
    };
    let (id, reason, at) = (args.id.as_str().into(), args.reason.clone(), clock::now());
    let said = Said::Revoke(ExceptionRevocation { id, granted_by, revoked_by, reason, at });
    say(&site, &said, &args.key, &args.at)
}

fn say(site: &Site, said: &Said, key: &str, at: &Where) -> anyhow::Result<ExitCode> {
    let config = site.key(key)?;
    let secret = config.secret(|name| std::env::var(name).ok())?;
    let mut keyring = Keyring::default();
    keyring.insert(key, &config.actor, config.kind, &secret)?;
    let headers = signed_headers(&said.to_sign(&site.config.tenant)?, key, &secret).to_vec();
    // Judged here too, so that a refusal has the same words everywhere.
    said.judged(&site.config.tenant, &headers, &keyring, clock::now()).map_err(|e| exit::usage(e.to_string()))?;
    match &site.reach {
        Reach::Process(remote) => remote.except(said, &headers)?,
        Reach::Kafka | Reach::Database => {
            let trust = trust(site);
            if let Some(why) = Known::read(&*site.desk, &site.topics, &trust)?.vain(said) {
                return Err(exit::usage(format!("it would change nothing: {why}")));
            }
            exceptions::say(&*site.desk, &site.topics, said, headers)?;
            // The log's clock judges too.
            let known = Known::read(&*site.desk, &site.topics, &trust)?;
            if let Some(why) = known.disbelieved.last().filter(|_| !is_known(&known, said)) {
                anyhow::bail!("it was written, but no worker will believe it: {}", why.why);
            }
        }
    }
    match (at.format, said) {
        (Format::Json, said) => shown::json(said)?,
        (Format::Text, Said::Grant(grant)) => {
            let (id, why) = (shown::line(&grant.id), shown::line(&grant.reason));
            shown::say(format_args!("{} {id} is granted until {}: {why}", grant.kind, grant.until))?;
        }
        (Format::Text, Said::Revoke(said)) => shown::say(format_args!("{} is taken back", shown::line(&said.id)))?,
    }
    if matches!(site.reach, Reach::Database) {
        shown::remark("no process runs; it holds from the next start on");
    }
    Ok(ExitCode::from(exit::OK))
}

fn is_known(known: &Known, said: &Said) -> bool {
    let grants = known.book.grants();
    match said {
        Said::Grant(grant) => grants.get(&grant.granted_by, &grant.id) == Some(grant),
        Said::Revoke(said) => {
            let grant = grants.get(&said.granted_by, &said.id);
            let rules = known.book.current_rules();
            grant.zip(rules).is_some_and(|(grant, rules)| grants.revoked(grant, &rules).is_some())
        }
    }
}

fn fresh_id(kind: &str) -> anyhow::Result<String> {
    let mut bytes = [0u8; 3];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("no randomness to be had: {e}"))?;
    Ok(format!("{}-{}", kind.replace('_', "-"), hex::encode(bytes)))
}
