//! What a PromQL query reads and what labels its answer has, checked against the series that exist.
//!
//! Not a type checker: Prometheus's own promtool is run beside it (`promtool.rs`). This one knows which names, labels and
//! words there are, which promtool can't.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorSelector};

type Labels = BTreeSet<String>;

/// Labels that Prometheus gives to whatever it scrapes.
const OF_TARGETS: [&str; 2] = ["instance", "job"];
/// Labels that hold words of somebody's policy, configuration or site: any value may be right.
const FREE: [&str; 10] =
    ["risk_class", "source", "rule", "topic", "version", "policy", "catalog", "le", "instance", "job"];

/// Series by name, each with its labels and the words that they hold.
#[derive(Clone, Debug, Default)]
pub struct Series {
    known: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Series {
    /// Of a scrape: every series is there from the start, so what isn't there doesn't exist.
    pub fn of_scrape(text: &str) -> Self {
        let mut all = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
            let (name, labels) = series.split_once('{').map_or((series, ""), |(n, l)| (n, l.trim_end_matches('}')));
            let known = all.known.entry(name.to_owned()).or_default();
            for (label, word) in labels.split("\",").filter_map(|label| label.split_once("=\"")) {
                known.entry(label.to_owned()).or_default().insert(word.trim_end_matches('"').to_owned());
            }
            OF_TARGETS.iter().for_each(|label| _ = known.entry((*label).to_owned()).or_default());
        }
        all.add("up", OF_TARGETS.map(str::to_owned).into(), &BTreeMap::new());
        all
    }

    /// Of a recording rule.
    pub fn add(&mut self, name: &str, labels: Labels, fixed: &BTreeMap<String, String>) {
        let known = self.known.entry(name.to_owned()).or_default();
        labels.into_iter().for_each(|label| _ = known.entry(label).or_default());
        fixed.iter().for_each(|(label, word)| _ = known.entry(label.clone()).or_default().insert(word.clone()));
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// Words that a label holds in any series that was scraped or fixed by a rule.
    fn words(&self, label: &str) -> BTreeSet<&str> {
        let all = self.known.values().filter_map(|labels| labels.get(label));
        all.flatten().map(String::as_str).collect()
    }

    /// Labels of what a query answers, and the names that it reads.
    pub fn check(&self, query: &str) -> Result<(Labels, BTreeSet<String>), String> {
        let parsed = parser::parse(query)?;
        let mut read = BTreeSet::new();
        let labels = self.labels(&parsed, &mut read)?;
        Ok((labels.unwrap_or_default(), read))
    }

    /// None for a plain number.
    fn labels(&self, expr: &Expr, read: &mut BTreeSet<String>) -> Result<Option<Labels>, String> {
        match expr {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(None),
            Expr::Paren(inner) => self.labels(&inner.expr, read),
            Expr::Unary(inner) => self.labels(&inner.expr, read),
            Expr::Subquery(inner) => self.labels(&inner.expr, read),
            Expr::VectorSelector(selector) => self.selector(selector, read).map(Some),
            Expr::MatrixSelector(selector) => self.selector(&selector.vs, read).map(Some),
            Expr::Call(call) => self.call(call, read),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, read).map(Some),
            Expr::Binary(binary) => self.binary(binary, read),
            Expr::Extension(_) => Err("an extension".to_owned()),
        }
    }

    fn selector(&self, selector: &VectorSelector, read: &mut BTreeSet<String>) -> Result<Labels, String> {
        let name = selector.name.as_deref().ok_or("a selector without a name")?;
        let known = self.known.get(name).ok_or_else(|| format!("no series {name}"))?;
        read.insert(name.to_owned());
        let groups = &selector.matchers;
        for matcher in groups.matchers.iter().chain(groups.or_matchers.iter().flatten()) {
            let label = &matcher.name;
            if !known.contains_key(label) {
                return Err(format!("{name} has no label {label}"));
            }
            let words = self.words(label);
            for word in words_of(matcher).into_iter().filter(|_| !FREE.contains(&label.as_str())) {
                if !words.contains(word.as_str()) {
                    return Err(format!("no series has {label}=\"{word}\""));
                }
            }
        }
        Ok(known.keys().cloned().collect())
    }

    fn call(&self, call: &Call, read: &mut BTreeSet<String>) -> Result<Option<Labels>, String> {
        let mut all: Option<Labels> = None;
        for argument in &call.args.args {
            if let Some(labels) = self.labels(argument, read)? {
                all.get_or_insert_default().extend(labels);
            }
        }
        match call.func.name {
            "histogram_quantile" if !all.as_mut().is_some_and(|labels| labels.remove("le")) => {
                Err("histogram_quantile of something without le".to_owned())
            }
            "absent" => Ok(Some(Labels::new())),
            "time" | "scalar" => Ok(None),
            _ => Ok(all),
        }
    }

    fn aggregate(&self, aggregate: &AggregateExpr, read: &mut BTreeSet<String>) -> Result<Labels, String> {
        let inner = self.labels(&aggregate.expr, read)?.ok_or("a sum over a number")?;
        match &aggregate.modifier {
            None => Ok(Labels::new()),
            Some(LabelModifier::Include(by)) => {
                within(&by.labels, &inner).map(|()| by.labels.iter().cloned().collect())
            }
            Some(LabelModifier::Exclude(without)) => {
                within(&without.labels, &inner)?;
                Ok(inner.into_iter().filter(|label| !without.labels.contains(label)).collect())
            }
        }
    }

    fn binary(&self, binary: &BinaryExpr, read: &mut BTreeSet<String>) -> Result<Option<Labels>, String> {
        let (left, right) = (self.labels(&binary.lhs, read)?, self.labels(&binary.rhs, read)?);
        let (left, right) = match (left, right) {
            (Some(left), Some(right)) => (left, right),
            (left, right) => return Ok(left.or(right)),
        };
        match binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref()) {
            Some(LabelModifier::Include(on)) => {
                within(&on.labels, &left)?;
                within(&on.labels, &right)?;
            }
            Some(LabelModifier::Exclude(_)) => return Err("say `on`, not `ignoring`".to_owned()),
            // `absent` has no labels, and nothing to be compared with.
            None if left != right && !left.is_empty() => {
                return Err(format!("both sides must have the same labels: {left:?}, {right:?}"));
            }
            None => {}
        }
        Ok(Some(left))
    }
}

fn within(wanted: &[String], known: &Labels) -> Result<(), String> {
    match wanted.iter().find(|label| !known.contains(*label)) {
        Some(label) => Err(format!("no label {label} in {known:?}")),
        None => Ok(()),
    }
}

/// What it compares with, as far as that is plain words.
fn words_of(matcher: &Matcher) -> Vec<String> {
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => vec![matcher.value.clone()],
        MatchOp::Re(_) | MatchOp::NotRe(_) => matcher.value.split('|').filter(plain).map(str::to_owned).collect(),
    }
}

#[test]
fn a_wrong_query_is_told() {
    let scrape =
        "a_total{kind=\"x\",class=\"c\"} 0\na_total{kind=\"y\",class=\"c\"} 0\nb_bucket{kind=\"x\",le=\"1\"} 0\n";
    let series = Series::of_scrape(scrape);
    let wrong = |query: &str| series.check(query).expect_err(query);
    assert_eq!(wrong("sum(nothing)"), "no series nothing");
    assert_eq!(wrong("a_total{colour=\"x\"}"), "a_total has no label colour");
    assert_eq!(wrong("a_total{kind=\"z\"}"), "no series has kind=\"z\"");
    assert_eq!(wrong("a_total{kind=~\"x|z\"}"), "no series has kind=\"z\"");
    assert!(wrong("sum by (colour) (a_total)").starts_with("no label colour"));
    assert!(wrong("sum by (kind) (a_total) / sum by (class) (a_total)").starts_with("both sides"));
    assert!(wrong("histogram_quantile(0.5, sum by (kind) (b_bucket))").ends_with("without le"));
    assert!(series.check("sum by (kind (a_total)").is_err());
    let (labels, read) = series.check("sum by (kind) (rate(a_total{kind=~\"x|y\"}[5m])) > 0").expect("right");
    assert_eq!((labels, read), (["kind".to_owned()].into(), ["a_total".to_owned()].into()));
}
