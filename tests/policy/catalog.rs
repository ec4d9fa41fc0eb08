//! Context, owners with their age, and that one person's many accounts are one person.

use shutter::facts::{Context, Facts};
use shutter::finding::{Attr, Class, Exposure, ExposureKind};
use shutter::policy::catalog::Shifts;
use shutter::policy::{Catalog, OwnerOrder, OwnerStep, Recipient};
use shutter::time::{Span, WallTime};

use crate::matching::finding;

const PEOPLE: &str = "catalog: shutter/1
verified_at: 2026-11-01
people:
  ada: {identities: {email: Ada@example.org, github: ada-q}, manager: grace}
  grace: {identities: {github: gmarlow}}
teams:
  payments: {members: [ada], manager: grace, backup: platform, approver: grace, queue: PAY}
  platform: {members: [gmarlow]}
";

const THINGS: &str = "catalog: shutter/1
verified_at: 2026-11-01
accounts:
  '0111': {owner: team/payments, environment: prod}
  '0222': {owner: platform, verified_at: 2020-01-01}
repositories:
  - {match: acme/*, owner: platform, exposure: pipeline_adjacent, environment: dev}
  - {match: acme/shop, owner: ada}
services:
  shop: {owner: payments, environment: prod, exposure: customer_facing, repository: acme/shop, namespace: shop}
  other: {namespace: both}
  third: {namespace: both}
resources:
  - {match: {id: 'bucket-*'}, exposure: none}
relations:
  - {from: 'role/shop-*', serves: shop}
";

fn catalog() -> Catalog {
    match Catalog::compile(&[("people.yaml", PEOPLE), ("things.yaml", THINGS)]) {
        Ok((catalog, warnings)) => {
            assert!(warnings.is_empty(), "{warnings:#?}");
            catalog
        }
        Err(report) => panic!("{report}"),
    }
}

fn order(steps: &[OwnerStep]) -> OwnerOrder {
    OwnerOrder { order: steps.to_vec(), fallback: Some("team/platform".into()), stale_after: Span::days(30) }
}

fn now() -> WallTime {
    WallTime::parse("2026-11-10T00:00:00Z").expect("a time")
}

#[test]
fn ones_many_accounts_are_one_person() {
    let catalog = catalog();
    for identity in ["ada", "person/ada", "ada-q", "github/ada-q", "ADA@example.org", "email/ada@example.org"] {
        assert_eq!(catalog.person(identity).map(|p| p.id.as_str()), Some("ada"), "{identity}");
        assert!(
            catalog.is_member(identity, "team/payments") && catalog.is_member(identity, "person/ada"),
            "{identity}"
        );
        assert!(!catalog.is_member(identity, "team/platform"), "{identity}");
    }
    assert!(catalog.person("nobody").is_none() && !catalog.is_member("nobody", "team/payments"));
}

#[test]
fn an_account_of_two_people_is_an_error_and_an_ambiguous_word_names_nobody() {
    let two = "catalog: shutter/1\npeople:\n  a: {identities: {github: x}}\n  b: {identities: {github: X}}\n";
    let report = Catalog::compile(&[("c.yaml", two)]).expect_err("two people with one account");
    assert!(report.to_string().contains("c.yaml:4:3: error: `github/x` names more than one person: a, b"), "{report}");
    let across = "catalog: shutter/1\npeople:\n  a: {identities: {github: x}}\n  x: {}\n";
    let (catalog, warnings) = Catalog::compile(&[("c.yaml", across)]).expect("only a warning");
    assert_eq!(warnings.iter().filter(|w| w.code == "shared-identity").count(), 1);
    assert!(catalog.person("x").is_none());
    assert_eq!(catalog.person("github/x").map(|p| p.id.as_str()), Some("a"));
    assert_eq!(catalog.person("person/x").map(|p| p.id.as_str()), Some("x"));
}

#[test]
fn context_comes_from_the_nearest_and_exposure_adds_up() {
    let catalog = catalog();
    assert_eq!(catalog.context(&finding(Class::Secret, "x")), Context::default(), "nothing known is not `none`");
    let mut f = finding(Class::Secret, "x");
    f.resource.account = Some("0111".into());
    f.resource.repository = Some("acme/api".into());
    let context = catalog.context(&f);
    assert_eq!(context.environment.as_deref(), Some("dev"), "the repository is nearer than the account");
    assert_eq!(context.exposure, Some(Exposure::NONE.with(ExposureKind::PipelineAdjacent)));
    f.resource.repository = Some("acme/shop".into());
    let context = catalog.context(&f);
    assert_eq!((context.environment.as_deref(), context.service.as_deref()), (Some("prod"), Some("shop")));
    f.resource.id = "bucket-1".into();
    f.resource.repository = None;
    assert_eq!(catalog.context(&f).exposure, Some(Exposure::NONE), "known to be none");
    f.attributes.set(Attr::KubernetesNamespace, "both");
    assert_eq!(catalog.context(&f).service, None, "two services share the namespace");
}

#[test]
fn a_service_account_knows_the_production_workload_it_serves() {
    let mut f = finding(Class::Identity, "overprivileged");
    f.resource.id = "role/shop-writer".into();
    let context = catalog().context(&f);
    assert_eq!((context.used_by.as_deref(), context.used_by_environment.as_deref()), (Some("shop"), Some("prod")));
}

#[test]
fn the_first_fresh_owner_wins_and_a_stale_one_says_so() {
    let catalog = catalog();
    let context = Context::default();
    let mut f = finding(Class::Secret, "x");
    let owner = |f: &_, steps: &[OwnerStep]| {
        catalog.owner(&order(steps), &Facts { finding: f, context: &context }, now()).expect("there is a fallback")
    };
    let steps = [OwnerStep::Tag("owner".into()), OwnerStep::Account, OwnerStep::Repository, OwnerStep::Service];
    let found = owner(&f, &steps);
    assert_eq!((found.id.as_str(), found.source.as_str(), found.stale), ("team/platform", "fallback", false));
    f.resource.account = Some("0222".into());
    let found = owner(&f, &steps);
    assert_eq!((found.id.as_str(), found.source.as_str(), found.stale), ("team/platform", "account", true));
    f.resource.repository = Some("acme/shop".into());
    let found = owner(&f, &steps);
    assert_eq!((found.id.as_str(), found.source.as_str(), found.stale), ("person/ada", "repository", false));
    assert_eq!(found.manager.as_deref(), Some("person/grace"));
    f.resource.tags.insert("owner".into(), "payments".into());
    let found = owner(&f, &steps);
    assert_eq!((found.id.as_str(), found.source.as_str()), ("team/payments", "tags.owner"));
    assert_eq!(found.queue.as_deref(), Some("PAY"));
    assert_eq!(catalog.resolve(&Recipient::OwnerBackup, Some(&found)).as_deref(), Some("team/platform"));
    f.resource.tags.insert("owner".into(), "somebody who left".into());
    assert_eq!(owner(&f, &steps).source, "repository", "a tag that names nobody answers nothing");
    let nobody = OwnerOrder { order: vec![], fallback: None, stale_after: Span::days(1) };
    assert_eq!(catalog.owner(&nobody, &Facts { finding: &f, context: &context }, now()), None);
}

#[test]
fn the_last_matching_repository_wins() {
    let context = Context::default();
    let mut f = finding(Class::Secret, "x");
    f.resource.repository = Some("acme/shop".into());
    let found = catalog().owner(&order(&[OwnerStep::Repository]), &Facts { finding: &f, context: &context }, now());
    assert_eq!(found.map(|o| o.id.to_string()).as_deref(), Some("person/ada"));
}

#[test]
fn mistakes_in_a_catalog_have_places() {
    for (text, expected) in [
        (
            "accounts:\n  '1': {owner: team/paymets}\nteams: {payments: {members: [a]}}\npeople: {a: {}}",
            "c.yaml:3:16: error: `team/paymets` is neither a person nor a team of this catalog; did you mean `team/payments`?",
        ),
        ("accounts:\n  '1': {exposure: internet}", "c.yaml:3:19: error: `internet` is no way of exposure here"),
        ("accounts:\n  '1': {onwer: a}", "c.yaml:3:9: error: unknown key `onwer` in an account; did you mean `owner`?"),
        ("verified_at: yesterday", "c.yaml:2:14: error: found `yesterday`; expected a date"),
        ("resources: [{match: {}}]", "c.yaml:2:21: error: a resource entry for everything"),
        ("people:\n  a: {manager: b}", "c.yaml:3:16: error: `b` is neither a person nor a team of this catalog"),
        ("teams:\n  a: {members: [b]}", "c.yaml:3:17: error: `b` is no person of this catalog"),
        (
            "people:\n  a: {away: 2026-07-17 to 2026-07-06}",
            "c.yaml:3:13: error: `2026-07-17 to 2026-07-06` ends before it begins",
        ),
        (
            "people:\n  a: {away: [July]}",
            "c.yaml:3:14: error: found `July`; expected days such as 2026-07-06 to 2026-07-17",
        ),
        ("people:\n  a: {deputy: b}", "c.yaml:3:15: error: `b` is neither a person nor a team of this catalog"),
        ("people:\n  a: {zone: Berlin}", "c.yaml:3:13: error: `Berlin` is no time zone"),
        (
            "teams:\n  a: {rotation: {members: [b], every: 1 fortnight, from: 2026-06-29}}\npeople: {b: {}}",
            "c.yaml:3:39: error: `1 fortnight` is not a length of time",
        ),
        (
            "teams:\n  a: {rotation: {members: [b], every: 1 week, from: monday}}\npeople: {b: {}}",
            "c.yaml:3:53: error: found `monday`; expected a day, such as 2026-06-29 or 2026-06-29 09:00",
        ),
        (
            "teams:\n  a: {rotation: {members: [], every: 1 week, from: 2026-06-29}}",
            "c.yaml:3:17: error: a rotation of 0",
        ),
        (
            "teams:\n  a: {members: [b]}\npeople: {b: {}}\nrenamed: {a: b}",
            "c.yaml:5:11: error: `team/a` is renamed, and still stands in this catalog",
        ),
        ("renamed: {a: b}", "c.yaml:2:14: error: `b` is neither a person nor a team of this catalog"),
        ("renamed: {a: b, b: a}", "c.yaml:2:11: error: `team/a` is renamed in a circle"),
        ("nonsense: 1", "c.yaml:2:1: error: unknown key `nonsense` in a catalog file"),
    ] {
        let report = Catalog::compile(&[("c.yaml", format!("catalog: shutter/1\n{text}\n"))]).expect_err(text);
        assert!(report.to_string().starts_with(expected), "{text}\nfound    {report}\nexpected {expected}");
    }
    let report = Catalog::compile(&[("c.yaml", "kind: Component\n")]).expect_err("neither form");
    assert!(report.to_string().contains("neither a catalog file nor a Backstage entity"), "{report}");
}

#[test]
fn a_missing_catalog_is_an_empty_one_and_a_missing_folder_an_error() {
    let (catalog, warnings) = Catalog::compile(&[] as &[(&str, &str)]).expect("nothing is wrong with nothing");
    assert!(!catalog.has_entries() && warnings.is_empty());
    assert_eq!(catalog.digest, Catalog::empty().digest);
    let error = shutter::policy::files::read(std::path::Path::new("no/such/folder")).expect_err("it isn't there");
    assert!(error.to_string().starts_with("no/such/folder: "), "{error}");
}

#[test]
fn the_policy_names_only_people_whom_the_catalog_knows() {
    let text = "language: shutter/1\nowners: {order: [account], fallback: team/paymets}\napprovals:\n  a: {ask: [team/payments], need: 2, expires: 1h}\n";
    let mut compiled = shutter::policy::compile(shutter::policy::Sources::new([("p.yaml", text)]));
    assert!(!compiled.report.has_errors());
    compiled.check_catalog(&catalog());
    let found: Vec<String> = compiled.report.diagnostics.iter().take(2).map(ToString::to_string).collect();
    assert!(found[0].starts_with("p.yaml:2:38: error: the catalog doesn't know `team/paymets`"), "{found:#?}");
    assert!(found[1].starts_with("p.yaml:4:3: error: `a` needs 2 people, and the catalog knows 1"), "{found:#?}");
    assert!(compiled.policy.is_none());
}

#[test]
fn old_names_work_and_are_told() {
    let text = "language: shutter/1\nowners: {order: [account], fallback: team/billing}\n";
    let mut compiled = shutter::policy::compile(shutter::policy::Sources::new([("p.yaml", text)]));
    let catalog =
        "catalog: shutter/1\nteams: {payments: {members: [ada]}}\npeople: {ada: {}}\nrenamed: {billing: payments}\n";
    let (catalog, _) = Catalog::compile(&[("c.yaml", catalog)]).expect("it compiles");
    compiled.check_catalog(&catalog);
    assert!(!compiled.report.has_errors());
    let told: Vec<String> = compiled.report.diagnostics.iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(|t| t.starts_with("p.yaml:2:38: warning: `team/billing` is `team/payments` now")),
        "{told:#?}"
    );
    assert_eq!(catalog.owner_named("billing", "feedback").map(|owner| owner.id), Some("team/payments".into()));
}

/// Backstage has no word for absences; they stand in annotations.
#[test]
fn absences_of_backstage_users_are_read() {
    let text = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: ada, annotations: {shutter/away: \"2026-07-06 to 2026-07-17, 2026-08-03\", shutter/deputy: grace}}\nspec: {memberOf: [payments]}\n---\napiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: grace}\nspec: {memberOf: [payments]}\n---\napiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: payments}\nspec: {type: team}\n";
    let (catalog, warnings) = Catalog::compile(&[("c.yaml", text)]).expect("it compiles");
    assert!(warnings.is_empty(), "{warnings:#?}");
    let reached = |at: &str| {
        catalog.reach("person/ada", Shifts::OnDuty, WallTime::parse(at).expect("a time")).who.expect("somebody")
    };
    assert_eq!(reached("2026-07-17T23:59:00Z"), "person/grace");
    assert_eq!(reached("2026-07-18T00:00:00Z"), "person/ada");
    assert_eq!(reached("2026-08-03T12:00:00Z"), "person/grace");
}

#[test]
fn an_entry_without_an_age_is_stale() {
    let text = "catalog: shutter/1\nteams: {a: {members: [x]}}\npeople: {x: {}}\naccounts: {'1': {owner: a}}\n";
    let (catalog, warnings) = Catalog::compile(&[("c.yaml", text)]).expect("only a warning");
    assert_eq!(warnings.iter().map(|w| w.code).collect::<Vec<_>>(), ["no-age"]);
    let context = Context::default();
    let mut f = finding(Class::Secret, "x");
    f.resource.account = Some("1".into());
    let found = catalog.owner(&order(&[OwnerStep::Account]), &Facts { finding: &f, context: &context }, now());
    assert!(found.is_some_and(|owner| owner.stale && owner.source == "account"));
}
