//! People who type into both CRMs while the program is being killed, and what arrives of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tandem::cli::demo::canon::{Meaning, agree};
use tandem::cli::demo::edits::{Editor, Target, free_targets};
use tandem::cli::demo::ledger::{Edit, EditKind, Ledger, Partners, View};
use tandem::cli::demo::outcome::Outcome;
use tandem::clock::Clock;

use crate::arena::Arena;
use crate::child::{How, Run};

const LOOK: Duration = Duration::from_millis(3);
/// Between two runs of `sync --once`, as by an eager cron.
const PAUSE: Duration = Duration::from_millis(500);

/// Edits of one field of one pair in so many minutes, and of one value into it in a whole course.
const TIMES: usize = 3;
const SPAN_MILLIS: i64 = 15 * 60_000;
const REPEATS: usize = 2;

pub struct People<'a> {
    arena: &'a Arena,
    view: View<'a>,
    partners: &'a Partners,
    editor: Editor<'a>,
    pub ledger: Ledger,
    targets: Vec<Target>,
}

impl<'a> People<'a> {
    pub fn new(
        arena: &'a Arena,
        first: &Outcome,
        (meaning, partners): (&'a Meaning, &'a Partners),
        seed: u64,
    ) -> Self {
        let view = arena.view(meaning);
        let targets = free_targets(first, &arena.seeded);
        Self {
            arena,
            view,
            partners,
            editor: Editor::new(view, partners, Clock::System, targets.clone(), seed),
            ledger: Ledger::default(),
            targets,
        }
    }

    pub fn arena(&self) -> &'a Arena {
        self.arena
    }

    pub fn observe(&mut self) {
        let now = Clock::System.now();
        self.ledger.observe(self.view, self.partners, now);
    }

    /// Types `count` edits into pairs whose two records agree: two edits that meet on their way do
    /// so because somebody meant them to.
    pub fn type_some(&mut self, count: usize) {
        self.observe();
        let agreed: Vec<Target> = self
            .targets
            .iter()
            .filter(|target| self.in_step(target) && !self.is_worn(target))
            .cloned()
            .collect();
        self.editor.offer(agreed);
        let before = self.on_their_way();
        let enough = self.ledger.edits.len() + count;
        // Some are creates and removals; whoever waits for an arrival needs values on their way.
        for all in enough..enough + 10 {
            let typed = self.editor.work(all, &mut self.ledger);
            typed.expect("people can type");
            if self.on_their_way() >= before + 2 {
                break;
            }
        }
    }

    /// Somebody has typed into one field of the pair as often as people do. A value that goes on to
    /// change at this pace, or comes back again and again, is held as going back and forth, and
    /// rightly so.
    fn is_worn(&self, target: &Target) -> bool {
        let since = Clock::System.now().plus_millis(-SPAN_MILLIS);
        let mut recent = BTreeMap::new();
        let mut values = BTreeMap::new();
        for edit in &self.ledger.edits {
            let of_pair = edit.id == target.hubspot || edit.id == target.salesforce;
            if let EditKind::Field { rule, meaning, .. } = &edit.kind
                && of_pair
            {
                *recent.entry(rule.name).or_insert(0) += usize::from(edit.at > since);
                *values.entry((rule.name, meaning)).or_insert(0) += 1;
            }
        }
        let often = |times: usize| times >= TIMES;
        recent.into_values().any(often) || values.into_values().any(|times| times >= REPEATS)
    }

    fn on_their_way(&self) -> usize {
        let edits = self.ledger.edits.iter();
        edits.filter(|edit| is_on_its_way(&edit.kind)).count()
    }

    fn in_step(&self, target: &Target) -> bool {
        let pair = self
            .view
            .pair(target.shape, &target.hubspot, &target.salesforce);
        let Some((ours, theirs)) = pair else {
            return false;
        };
        let meaning = self.view.meaning;
        target.shape.rules.iter().all(|rule| {
            let ours = meaning.of_hubspot(self.view.hubspot, target.shape, rule, &ours);
            let theirs = meaning.of_salesforce(rule, &theirs);
            agree(rule, &ours, &theirs)
        })
    }

    /// Types other values into the far ends of edits that are still on their way.
    pub fn compete(&mut self, most: usize) {
        self.observe();
        let on_their_way: Vec<_> = self
            .ledger
            .edits
            .iter()
            .rev()
            .filter(|edit| is_on_its_way(&edit.kind) && self.is_whole(edit))
            .take(most)
            .cloned()
            .collect();
        for edit in on_their_way {
            let typed = self.editor.compete(&edit, &mut self.ledger);
            typed.expect("people can type");
        }
    }

    /// Neither end of the edit was removed.
    fn is_whole(&self, edit: &Edit) -> bool {
        let live = |side, id: &str| self.view.is_live(edit.shape, side, id);
        let partner = edit.partner.as_deref();
        live(edit.side, &edit.id) && partner.is_some_and(|id| live(edit.side.other(), id))
    }

    /// Field edits that the other side has shown.
    pub fn arrived(&self) -> usize {
        let there = |kind: &EditKind| {
            matches!(
                kind,
                EditKind::Field {
                    arrived: Some(_),
                    echo: false,
                    ..
                }
            )
        };
        let edits = self.ledger.edits.iter();
        edits.filter(|edit| there(&edit.kind)).count()
    }

    /// Waits until one more edit shows on its other side. A run of `sync --once` that ends is begun
    /// anew; one that stays must not end.
    pub fn first_arrival(
        &mut self,
        run: &mut Run,
        began: Instant,
        limit: Duration,
    ) -> Result<Duration, String> {
        let before = self.arrived();
        loop {
            self.observe();
            if self.arrived() > before {
                return Ok(began.elapsed());
            }
            if let Some(status) = run.has_ended() {
                if run.how == How::Staying {
                    let said = self.arena.program.last_words();
                    return Err(format!("a run that should stay up ended: {status}: {said}"));
                }
                std::thread::sleep(PAUSE);
                *run = self.arena.program.start(How::Once);
            }
            if began.elapsed() > limit {
                return Err(self.nothing_arrived(limit));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// What was waited for, so that it can be told whether it could have arrived at all.
    fn nothing_arrived(&self, limit: Duration) -> String {
        let edits = self.ledger.edits.iter().rev();
        let waiting = edits.filter(|edit| is_on_its_way(&edit.kind)).take(5);
        let waiting: Vec<String> = waiting
            .map(|edit| format!("{} ({})", edit.describe(), edit.at))
            .collect();
        let seconds = limit.as_secs();
        format!(
            "nothing arrived within {seconds} s; on their way: {}",
            waiting.join("; ")
        )
    }

    /// Watches for a while.
    pub fn watch(&mut self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            self.observe();
            std::thread::sleep(LOOK);
        }
    }
}

fn is_on_its_way(kind: &EditKind) -> bool {
    matches!(kind, EditKind::Field { arrived: None, .. })
}
