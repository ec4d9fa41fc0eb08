//! A temporary folder that holds what an installation has: configuration, policy, catalog, keys. All but the keys
//! is built in, from deploy/demo.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use smol_str::SmolStr;
use tempfile::TempDir;

use crate::config::Config;
use crate::policy::{Catalog, Policy, files};
use crate::wire::ActorKind;

const CONFIG: &str = include_str!("../../../deploy/demo/demo.yaml");
const FILES: &[(&str, &str)] = &[
    ("policy/demo.yaml", include_str!("../../../deploy/demo/policy/demo.yaml")),
    ("catalog/catalog.yaml", include_str!("../../../deploy/demo/catalog/catalog.yaml")),
    ("mappings/saas-posture.yaml", include_str!("../../../deploy/demo/mappings/saas-posture.yaml")),
    ("mappings/key-hunter.yaml", include_str!("../../../deploy/demo/mappings/key-hunter.yaml")),
];

/// The folder, and what was read from it.
pub struct DemoSite {
    /// Removed with this value.
    pub folder: TempDir,
    /// The configuration, with a key for everybody who answers.
    pub config: Config,
    /// Secret of everybody who answers, by their name.
    pub secrets: BTreeMap<SmolStr, Vec<u8>>,
}

impl DemoSite {
    /// Makes it, listening at `listen`.
    ///
    /// # Errors
    /// Where the temporary folder can't be written.
    pub fn make(listen: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("shutter-demo-").tempdir().context("making a temporary folder")?;
        for (name, text) in FILES {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap_or(folder.path())).context("making a temporary folder")?;
            fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        }
        fs::create_dir_all(folder.path().join("keys")).context("making a temporary folder")?;
        let mut secrets = BTreeMap::new();
        let mut text = format!("{CONFIG}feedback_keys:\n");
        for (name, kind) in everybody(folder.path())? {
            let file = format!("keys/{name}.key");
            let mut random = [0; 32];
            getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness to be had: {error}"))?;
            let secret = hex::encode(random);
            write_private(&folder.path().join(&file), &secret)?;
            writeln!(text, "  - {{id: {name}, actor: {name}, kind: {kind}, secret_file: {file}}}")?;
            secrets.insert(name, secret.into_bytes());
        }
        let mut config = Config::from_parts("demo.yaml", &text, [], folder.path())?;
        config.http.listen = listen;
        Ok(Self { folder, config, secrets })
    }
}

/// Whoever may answer: responders and verifiers of the policy, people of the catalog.
fn everybody(folder: &Path) -> anyhow::Result<BTreeMap<SmolStr, ActorKind>> {
    let broken =
        |report: crate::policy::Report| anyhow::anyhow!("{}", report.render(crate::policy::report::Colour::Never));
    let (policy, _) = Policy::compile(files::read(&folder.join("policy"))?).map_err(broken)?;
    let (catalog, _) = Catalog::compile(files::read(&folder.join("catalog"))?).map_err(broken)?;
    let executors = policy.actions.values().map(|action| (action.by.clone(), ActorKind::Executor));
    let verifiers =
        policy.playbooks.iter().filter_map(|p| p.verify.as_ref()?.by.clone()).map(|by| (by, ActorKind::Verifier));
    let people = catalog.people.keys().map(|person| (person.clone(), ActorKind::Person));
    Ok(executors.chain(verifiers).chain(people).map(|(name, kind)| (SmolStr::from(&*name), kind)).collect())
}

fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.with_context(|| format!("writing {}", file.display()))
}
