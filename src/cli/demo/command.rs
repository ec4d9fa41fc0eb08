//! The command: puts the service, the detections and those who answer together, and waits for the end.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use tokio::sync::Notify;

use super::answers::Answers;
use super::closing::Closing;
use super::examples::examples;
use super::noise::{Arrival, BROKEN, wave};
use super::pace::{self, Pace};
use super::site::DemoSite;
use super::stop::Signals;
use super::story::Story;
use crate::cli::exit;
use crate::cli::help::Ending;
use crate::clock::{self, Clock};
use crate::http::{self, Http, HttpError};
use crate::log::embedded::{Append, EmbeddedLog};
use crate::log::topics::Topics;
use crate::service::{Assembled, Backing, Chores, Options, Running, Stopped};
use crate::time::Span;
use crate::worker::Shared;

/// The end of `shutter demo --help`.
pub const END: Ending = Ending {
    examples: &["shutter demo --once", "shutter demo"],
    notes: &[
        "Nothing outside is touched: a temporary folder, a free port of this machine, made-up detections. Demo time \
              begins on 2026-03-02 09:00 and runs up to a quarter of an hour a second.",
    ],
    found: Some("with --once: a worked example was not closed as verified, or it was stopped before that"),
};

/// How often actions are answered and timelines printed.
const STEP: Duration = Duration::from_millis(40);
/// Waves of noise before the closing table, and the demo time between two.
const WAVES: usize = 6;
const BETWEEN: Span = Span::minutes(5);
/// How often each noisy detector repeats itself in a wave.
const REPEATS: usize = 25;
/// Without --once: demo time between two new detections, and repeats in each.
const TRICKLE: Span = Span::minutes(30);
const TRICKLE_REPEATS: usize = 2;
/// Without --once: after so many trickles the worked examples come again, elsewhere.
const NEW_EXAMPLES: usize = 6;
/// Longest real time that --once waits for the cases to close.
const PATIENCE: Duration = Duration::from_secs(50);
/// How long open HTTP requests may still take when stopping.
const GOODBYE: Duration = Duration::from_secs(2);

/// Options of `shutter demo`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// End after the closing table, instead of going on until Ctrl-C
    #[arg(long)]
    once: bool,

    /// Address of the HTTP side on this machine [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", hide_default_value = true, value_parser = this_machine)]
    listen: SocketAddr,
}

fn this_machine(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| format!("`{text}` is no address; expected such as 127.0.0.1:8080"))?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(format!("{address} can be reached from other machines, and the demo asks for no token; expected 127.0.0.1"))
    }
}

/// Runs the demo.
///
/// # Errors
/// Where the service can't start or stops, or nobody reads the output any more.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // Before there is a folder that a signal could leave behind.
    let signals = runtime.block_on(async { Signals::catch() }).context("catching signals")?;
    let listener = match http::bind(args.listen) {
        Err(HttpError::Listen { address, error }) => {
            return Err(exit::usage(format!("--listen: can't listen on {address}: {error}; choose another port")));
        }
        bound => bound?,
    };
    let address = listener.local_addr()?;
    let DemoSite { folder, config, secrets } = DemoSite::make(args.listen)?;
    let asked = Arc::new(AtomicBool::new(false));
    runtime.spawn(signals.watch(Arc::clone(&asked), folder.path().to_owned()));
    let pace = Pace::begin();
    let clock = pace.clock();
    let options = Options { clock: Arc::clone(&clock), config_file: "demo.yaml".to_owned() };
    let assembled = Assembled::new(&config, options)?;
    let Backing::Embedded(log) = assembled.backing else { anyhow::bail!("the demo's log is not the embedded one") };
    let catalog = Arc::clone(&assembled.rules.catalog);
    let Assembled { setups, shared, topics, partitions, codec, trust, .. } = assembled;
    let answers = Answers::new(log.clone(), codec.clone(), &topics, catalog, secrets);

    let http = Arc::new(Http {
        shared: Arc::clone(&shared),
        topics: Arc::clone(&topics),
        partitions,
        codec,
        embedded: Some(log.clone()),
        clock: Arc::clone(&clock),
        token: None,
        trust,
        replaying: Mutex::default(),
        waiting: http::Waiting::default(),
        reload: None,
    });
    let stop = Arc::new(Notify::new());
    let mut server = runtime.spawn(http::serve(http, listener, {
        let stop = Arc::clone(&stop);
        async move { stop.notified().await }
    }));
    let running = Running::start(Arc::clone(&shared), setups).context("starting the workers")?;
    Chores::Trim(log.clone()).start(Arc::clone(&shared)).context("starting the chores")?;

    let mut play = Play {
        shared,
        log,
        topics,
        clock,
        pace,
        answers,
        story: Story::new(io::stdout().is_terminal()),
        sent: 0,
        broken: 0,
        waves: 0,
        settled: false,
        once: args.once,
        began: clock::instant(),
    };
    let outcome = play.until_it_ends(&running, address, || {
        if server.is_finished() {
            runtime.block_on(&mut server)?.context("the HTTP server")?;
            anyhow::bail!("the HTTP server stopped");
        }
        Ok(asked.load(Ordering::Relaxed))
    });
    stop.notify_one();
    let ended = running.stop();
    runtime.shutdown_timeout(GOODBYE);
    let code = outcome?;
    // Not earlier: the workers have their log in it.
    folder.close().context("removing the temporary folder")?;
    match ended.into_iter().find_map(|stopped| stopped.outcome.err()) {
        Some(error) => Err(error.into()),
        None => Ok(code),
    }
}

/// The demo under way.
struct Play {
    shared: Arc<Shared>,
    log: EmbeddedLog,
    topics: Arc<Topics>,
    clock: Clock,
    pace: Pace,
    answers: Answers,
    story: Story,
    /// Records sent so far, and how many of them are broken.
    sent: usize,
    broken: usize,
    waves: usize,
    /// Whether the closing table was printed.
    settled: bool,
    once: bool,
    began: Instant,
}

impl Play {
    /// Steps until it is told to stop, or with `--once` until everything has settled.
    fn until_it_ends(
        &mut self,
        running: &Running,
        address: SocketAddr,
        mut asked: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout();
        writeln!(out, "Demo time begins at {}, and runs up to {} times as fast as yours.", pace::BEGIN, pace::FAST)?;
        writeln!(out, "demo time       case      who               what")?;
        loop {
            if let Some(Stopped { thread, outcome }) = running.wait(STEP) {
                outcome.with_context(|| format!("worker {thread} stopped"))?;
            }
            let asked = asked()?;
            self.feed()?;
            self.answers.step((self.clock)())?;
            if self.is_idle()? {
                self.pace.hurry();
            } else {
                self.pace.slow_down();
            }
            self.story.tell(&self.shared.views(), &mut out)?;
            if asked {
                return self.stopped(&mut out);
            }
            let late = self.began.elapsed() > PATIENCE;
            if !self.settled && self.waves >= WAVES && (late || self.closing().all_quiet()) {
                let missing = self.close(&mut out)?;
                if self.once {
                    return Ok(ExitCode::from(if missing.is_empty() { exit::OK } else { exit::FOUND }));
                }
                self.settled = true;
                writeln!(out, "{}", how_to_look(address))?;
            }
        }
    }

    /// Prints what is true where it was told to stop. Nothing is missing then: what is open would have gone on.
    fn stopped(&self, out: &mut impl io::Write) -> anyhow::Result<ExitCode> {
        let closing = self.closing();
        writeln!(out, "\n{}\n{}", closing.tables(), closing.stopped(self.round(), (self.clock)()))?;
        Ok(ExitCode::from(if self.once { exit::FOUND } else { exit::OK }))
    }

    /// The worked examples come once in each round.
    fn round(&self) -> usize {
        1 + self.waves.saturating_sub(WAVES).div_ceil(NEW_EXAMPLES)
    }

    /// Whether everything that is in the log has been worked on.
    fn is_idle(&self) -> anyhow::Result<bool> {
        for topic in self.topics.inputs() {
            let committed = self.log.committed(&topic)?;
            if self.log.ends(&topic)?.iter().any(|(p, end)| end.0 > 0 && !committed.contains(&(*p, *end))) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn closing(&self) -> Closing {
        Closing::new(self.shared.views(), self.shared.metrics.text_at((self.clock)()), self.sent)
    }

    /// Prints the tables, and what is missing.
    fn close(&self, out: &mut impl io::Write) -> anyhow::Result<Vec<String>> {
        let closing = self.closing();
        let missing = closing.missing(self.broken);
        writeln!(out, "\n{}", closing.tables())?;
        if missing.is_empty() {
            writeln!(out, "All worked examples are closed, verified by somebody other than who fixed them.")?;
        }
        for what in &missing {
            writeln!(out, "missing: {what}")?;
        }
        Ok(missing)
    }

    /// Sends the next detections when it is time for them.
    fn feed(&mut self) -> anyhow::Result<()> {
        let now = (self.clock)();
        let shown = |waves: usize, between: Span| Span::millis(between.as_millis() * i64::try_from(waves).unwrap_or(0));
        let due = match self.waves.checked_sub(WAVES) {
            None => pace::BEGIN.plus(shown(self.waves, BETWEEN)),
            Some(trickles) => pace::BEGIN.plus(shown(WAVES, BETWEEN)).plus(shown(trickles + 3, TRICKLE)),
        };
        if now < due || !self.shared.readiness().is_ready() || (self.once && self.waves >= WAVES) {
            return Ok(());
        }
        let trickle = self.waves.checked_sub(WAVES);
        let mut arrivals = match trickle {
            None if self.waves == 0 => examples(0, now),
            Some(t) if t % NEW_EXAMPLES == 0 => examples(1 + t / NEW_EXAMPLES, now),
            _ => Vec::new(),
        };
        arrivals.extend(wave(if trickle.is_some() { TRICKLE_REPEATS } else { REPEATS }, now));
        self.waves += 1;
        self.send(arrivals)
    }

    fn send(&mut self, arrivals: Vec<Arrival>) -> anyhow::Result<()> {
        self.pace.slow_down();
        let mut by_source: BTreeMap<&str, Vec<Append>> = BTreeMap::new();
        self.sent += arrivals.len();
        self.broken += BROKEN;
        for Arrival { source, value, headers } in arrivals {
            by_source.entry(source).or_default().push(Append { key: None, value: Some(value), headers });
        }
        for (source, appends) in by_source {
            let topic =
                self.topics.detections.get(source).with_context(|| format!("no source {source} in the demo"))?;
            self.log.append(topic, &appends, None).context("sending detections")?;
        }
        Ok(())
    }
}

fn how_to_look(address: SocketAddr) -> String {
    format!(
        "The demo goes on; Ctrl-C ends it. Meanwhile, from another terminal:
  curl -s http://{address}/metrics
  curl -s 'http://{address}/v1/cases?phase=open'
  curl -s 'http://{address}/v1/actions/enforce?offset=0'
"
    )
}
