//! `shutter run`: the main job, until it is told to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clap::Args as ClapArgs;

use super::exit;
use super::help::Ending;
use super::logging::LogFlags;
use crate::clock;
use crate::config::Config;
use crate::http::{self, Http};
use crate::limits;
use crate::service::{self, AssembleError, Assembled, Backing, Chores, Options, ReloadError, Running, Stopped};
use crate::worker::Shared;

/// The end of `shutter run --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter run --config deploy/embedded.yaml",
        "SHUTTER_HTTP__LISTEN=127.0.0.1:9000 shutter run --config deploy/kafka.yaml",
    ],
    notes: &[
        "SIGTERM and SIGINT stop it after the open transaction. SIGHUP reads policy and catalog again, as a change of \
              their files does within a few seconds and POST /v1/rules/reload at once; the configuration is read at the start only.",
    ],
    found: None,
};

/// How often files of policy and catalog are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long open HTTP requests may still take when stopping.
const GOODBYE: Duration = Duration::from_secs(5);
/// Most bytes that a log line tells of what is wrong with the rules.
const DETAILS: usize = 4_000;

/// What the command takes.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The configuration; see docs/configuration.md.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs until a signal, or until a worker can't go on.
///
/// # Errors
/// A configuration that can't be used, or the cause why a worker stopped.
pub fn run(args: &Args, flags: &LogFlags) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    flags.start(config.logging.format, &config.logging.level);
    // Before a log is made or opened.
    let token =
        config.http.token_file.as_deref().map(crate::config::read_token).transpose().context("http.token_file")?;
    let options = Options { clock: clock::system(), config_file: args.config.display().to_string() };
    let assembled = Assembled::new(&config, options)?;
    for warning in &assembled.warnings {
        tracing::warn!("{warning}");
    }
    let Assembled { setups, shared, topics, partitions, codec, trust, backing, clock, .. } = assembled;
    let (embedded, chores) = match (&backing, &config.log.kafka) {
        (Backing::Kafka(_), Some(kafka)) => (None, Some(Chores::Purge(Box::new(kafka.clone()), Arc::clone(&topics)))),
        (Backing::Embedded(log), _) => (Some(log.clone()), Some(Chores::Trim(log.clone()))),
        (Backing::Kafka(_), None) => (None, None),
    };
    let http = Arc::new(Http {
        shared: Arc::clone(&shared),
        topics,
        partitions,
        codec,
        embedded,
        clock,
        token,
        trust,
        replaying: std::sync::Mutex::default(),
        waiting: http::Waiting::default(),
        reload: Some(from_disk(&config, &shared)),
    });
    let workers = setups.len();
    let listener = http::bind(config.http.listen)?;
    let address = listener.local_addr()?;
    let running = Running::start(Arc::clone(&shared), setups).context("starting the workers")?;
    if let Some(chores) = chores {
        chores.start(Arc::clone(&shared)).context("starting the chores")?;
    }
    tracing::info!(workers, tenant = %config.tenant, "shutter runs");

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(tokio::sync::Notify::new());
    let mut server = runtime.spawn(http::serve(http, listener, {
        let stop = Arc::clone(&stop);
        async move { stop.notified().await }
    }));
    tracing::info!(%address, "HTTP listens");
    let asked = runtime.spawn(signals(config.clone(), Arc::clone(&shared)));
    let outcome = watch(&running, &asked, &mut server, &runtime);
    stop.notify_one();
    let ended = running.stop();
    runtime.shutdown_timeout(GOODBYE);
    let failed = ended.into_iter().find_map(|stopped| stopped.outcome.err());
    match outcome.and(failed.map_or(Ok(()), |error| Err(error.into()))) {
        Ok(()) => {
            tracing::info!("stopped in good order");
            Ok(ExitCode::from(exit::OK))
        }
        Err(error) => Err(error),
    }
}

/// Waits for a signal, or for a worker or the server to end.
fn watch(
    running: &Running,
    asked: &tokio::task::JoinHandle<anyhow::Result<()>>,
    server: &mut tokio::task::JoinHandle<Result<(), http::HttpError>>,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<()> {
    loop {
        if let Some(Stopped { thread, outcome }) = running.wait(Duration::from_millis(200)) {
            return outcome.with_context(|| format!("worker {thread} stopped"));
        }
        if asked.is_finished() {
            return Ok(());
        }
        if server.is_finished() {
            return Ok(runtime.block_on(server).context("the HTTP server")??);
        }
    }
}

/// Ends at SIGTERM or SIGINT; SIGHUP, or a changed file, reads the rules again.
async fn signals(config: Config, shared: Arc<Shared>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hup = signal(SignalKind::hangup())?;
    let mut look = tokio::time::interval(LOOK);
    let mut seen = fingerprint(&config);
    loop {
        tokio::select! {
            _ = term.recv() => return Ok(()),
            _ = int.recv() => return Ok(()),
            _ = hup.recv() => reload(&config, &shared),
            _ = look.tick() => {
                let now = fingerprint(&config);
                if now != seen {
                    seen = now;
                    reload(&config, &shared);
                }
            }
        }
    }
}

/// For `POST /v1/rules/reload`.
fn from_disk(config: &Config, shared: &Arc<Shared>) -> http::rules::Reload {
    let (config, shared) = (config.clone(), Arc::clone(shared));
    Arc::new(move || service::reload(&config, &shared))
}

fn reload(config: &Config, shared: &Shared) {
    match service::reload(config, shared) {
        Ok(reloaded) => reloaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}")),
        Err(error) => {
            let (what, problems) = match &error {
                ReloadError::Rules(AssembleError::Rules { what, problems, .. }) => (*what, problems.clone()),
                other => ("policy or catalog", vec![other.to_string()]),
            };
            // One line, whatever stands in the files: whoever reads logs by the line must not lose half of it.
            let details = problems.join(" | ");
            tracing::error!(
                what,
                errors = problems.len(),
                details = limits::cut(&details, DETAILS),
                "the reload is refused as a whole, and the running rules stay in force; `shutter check` shows the lines meant"
            );
        }
    }
}

/// Names, sizes and times of the files of policy and catalog.
fn fingerprint(config: &Config) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    let mut files = Vec::new();
    for root in [config.policy.as_deref(), config.catalog.as_deref()].into_iter().flatten() {
        collect(root, &mut files, 0);
    }
    files.sort();
    files
}

fn collect(path: &Path, files: &mut Vec<(PathBuf, u64, Option<SystemTime>)>, depth: usize) {
    let Ok(about) = std::fs::metadata(path) else { return };
    if about.is_file() {
        files.push((path.to_path_buf(), about.len(), about.modified().ok()));
    } else if depth < 8
        && let Ok(entries) = std::fs::read_dir(path)
    {
        for entry in entries.flatten() {
            collect(&entry.path(), files, depth + 1);
        }
    }
}
