//! What is wrong with a policy or a catalog, with its places, for people and for machines.
//!
//! Not for finding it (`compile/`, `lint/`).

use std::fmt;

use annotate_snippets::{AnnotationKind, Level as Mark, Renderer, Snippet};
use serde::Serialize;

use crate::limits;

use super::source::Sources;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The policy can't be used.
    Error,
    /// It can, but probably doesn't say what is meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Number of the file among the sources.
    #[serde(skip)]
    pub number: usize,
    /// Its name.
    pub file: std::sync::Arc<str>,
    /// Line, from 1; 0 where only the file is known.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Bytes of the file that are meant.
    #[serde(skip)]
    pub bytes: (usize, usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            _ => write!(f, "{}:{}:{}", self.file, self.line, self.column),
        }
    }
}

/// One thing that is wrong or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// Stable word for machines.
    pub code: &'static str,
    /// Where; none where the whole is meant.
    pub place: Option<Place>,
    /// What was found.
    pub message: String,
    /// What was expected, and the next step.
    pub help: Option<String>,
    /// Other places that matter, each with why.
    pub also: Vec<(Place, String)>,
}

/// A diagnostic of a policy that compiles.
pub type Warning = Diagnostic;

impl Diagnostic {
    /// With what was expected or what to do.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        let help = help.into();
        if !help.is_empty() {
            self.help = Some(help);
        }
        self
    }

    /// With another place that matters.
    pub fn also(&mut self, place: &Place, why: impl Into<String>) -> &mut Self {
        self.also.push((place.clone(), why.into()));
        self
    }
}

/// `file:line:column: error: what; help`, on one line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        };
        write!(f, "{level}: {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Everything that was found in one policy or catalog, by place.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Report {
    /// What was looked at.
    pub sources: Sources,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// How many there are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.level == level).count()
    }

    /// Whether anything makes it unusable.
    pub fn has_errors(&self) -> bool {
        self.count(Level::Error) > 0
    }

    /// Errors first, then by place; cut where nobody reads on.
    pub(super) fn sort(&mut self) {
        self.diagnostics.sort_by_key(|d| {
            let place = d.place.as_ref().map(|place| (place.number, place.line, place.column));
            (d.level != Level::Error, place, d.code)
        });
        self.diagnostics.truncate(limits::DIAGNOSTICS);
    }

    /// The same with every file's name below `folder`, as a user can open it.
    #[must_use]
    pub fn below(mut self, folder: &str) -> Self {
        let inner = |place: &mut Place| place.file = format!("{folder}/{}", place.file).into();
        for diagnostic in &mut self.diagnostics {
            diagnostic.place.iter_mut().for_each(inner);
            diagnostic.also.iter_mut().for_each(|(place, _)| inner(place));
        }
        self
    }

    /// With the lines meant, as a terminal shows them.
    pub fn render(&self, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Never => Renderer::plain(),
            Colour::Always => Renderer::styled(),
        };
        let drawn: Vec<String> = self.diagnostics.iter().map(|diagnostic| self.drawn(&renderer, diagnostic)).collect();
        drawn.join("\n\n")
    }

    fn drawn(&self, renderer: &Renderer, diagnostic: &Diagnostic) -> String {
        let mark = match diagnostic.level {
            Level::Error => Mark::ERROR,
            Level::Warning => Mark::WARNING,
            Level::Note => Mark::NOTE,
        };
        let mut group = mark.primary_title(shown(&diagnostic.message)).id(diagnostic.code).elements(
            // Typed empty list: elements follow below.
            Vec::<annotate_snippets::Message<'_>>::new(),
        );
        if let Some(place) = &diagnostic.place {
            if let Some(snippet) = self.snippet(place, AnnotationKind::Primary, None) {
                group = group.element(snippet);
            } else {
                group = group.element(annotate_snippets::Origin::path(shown(&place.file)));
            }
        }
        for (place, why) in &diagnostic.also {
            if let Some(snippet) = self.snippet(place, AnnotationKind::Context, Some(why)) {
                group = group.element(snippet);
            }
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Mark::HELP.message(shown(help)));
        }
        renderer.render(&[group])
    }

    fn snippet<'a>(
        &'a self,
        place: &'a Place,
        kind: AnnotationKind,
        label: Option<&'a str>,
    ) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
        let file = self.sources.files().get(place.number)?;
        if place.line == 0 {
            return None;
        }
        // Only the lines around the place: a catalog of megabytes is not drawn again for every error.
        let (from, to) = place.bytes;
        let before = file.text.get(..from)?;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = file.text.get(to.max(from)..)?.find('\n').map_or(file.text.len(), |at| to.max(from) + at);
        let line = file.text.get(start..end)?;
        let span = from - start..(to.max(from + 1) - start).min(line.len().max(from - start));
        let span = if line.is_char_boundary(span.end) { span } else { from - start..line.len() };
        let number = usize::try_from(place.line).unwrap_or(1);
        let mut annotation = kind.span(span);
        if let Some(label) = label {
            annotation = annotation.label(shown(label));
        }
        Some(Snippet::source(line.to_owned()).line_start(number).path(place.file.to_string()).annotation(annotation))
    }
}

/// Texts come from files that somebody else may have written: control signs don't reach a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Whether to draw with colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    Always,
    /// For a file or a pipe.
    Never,
}

/// One line for each.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.diagnostics.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}
