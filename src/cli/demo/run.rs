//! The course of one demo: seed, connect, first sync, edits in waves, rest, judgement.
//!
//! The service's turns are taken from here, so nothing runs behind the back of the measurements,
//! until the summary is printed: from then on its workers take them.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::{BySide, Side, Timestamp, WorkspaceId};
use crate::retry::LONGEST_WAIT_MILLIS;
use crate::sim::seed::{self, Seeded};

use super::super::data::WORKSPACE;
use super::super::memory::max_rss_bytes;
use super::super::sim::Simulators;
use super::DemoArgs;
use super::canon::Meaning;
use super::edits::{ADA_RULE, Editor, free_targets};
use super::ledger::{Ledger, Partners, View};
use super::outcome::{Outcome, Stepped};
use super::progress::Bar;
use super::reach::Reach;
use super::report::{Calls, Report};
use super::second::{self, Second};
use super::served::{Customer, Pace, Served};
use super::session::Session;
use super::shape;
use super::stay::Stay;
use super::summary::{self, Scene, Story};
use super::trouble::Trouble;
use super::verify::{Claims, verify};

/// How late HubSpot's search shows a change in the demo. Real portals take seconds; the engine's
/// late pass covers that, ten minutes later, and nobody watches a demo that long.
pub const SEARCH_LAG_MS: i64 = 500;

/// How long webhooks are waited for that tell the service of its own writes.
const ECHO_MS: i64 = 200;

/// Edits come in this many waves, with the engine at work between them.
const WAVES: usize = 5;

/// The demo gives up when nothing has moved for this long. With faults, work may rightly wait, and
/// as long as the retry schedule has it.
const PATIENCE_MS: i64 = 120_000;
const PATIENCE_WITH_FAULTS_MS: i64 = LAST_HORIZON_MS + 2 * 60_000;

/// Work that is due later than this does not keep the demo from resting.
const HORIZON_MS: i64 = 3 * 60_000;
/// With faults people type on while work waits for longer than this.
const SHORT_HORIZON_MS: i64 = 3_000;
/// At the end all of it is waited for: a record that met many failures in a row is looked at again
/// after a quarter of an hour at most, and a tenth is added so that not all come at once.
const LAST_HORIZON_MS: i64 = LONGEST_WAIT_MILLIS + LONGEST_WAIT_MILLIS / 10;
/// How often a demo with faults looks again at the end, at most.
const MOST_LAST_LOOKS: usize = 10;

/// How often both sides are looked at again before the engine counts as at rest.
const LAST_LOOKS: usize = 2;

pub struct Run<'a> {
    args: &'a DemoArgs,
    /// The CRMs of the workspace whose course this is, which has the name that commands without the
    /// service work on.
    simulators: &'a Simulators,
    /// Those of the second one.
    others: &'a Simulators,
    workspaces: [WorkspaceId; 2],
    trouble: Trouble<'a>,
    data: &'a Path,
    stop: CancellationToken,
    clock: Clock,
    started: Timestamp,
}

/// What has been learned on the way to the report.
struct Learned<'a> {
    seeded: Seeded,
    second: Second<'a>,
    first: Calls,
    first_outcome: Outcome,
    ledger: Ledger,
    partners: Partners,
    ada_base: Option<String>,
    quiet: bool,
}

/// Somebody who looks after each step.
type Watch<'w> = &'w mut dyn FnMut(Timestamp);

impl<'a> Run<'a> {
    pub fn new(
        args: &'a DemoArgs,
        [simulators, others]: [&'a Simulators; 2],
        trouble: Trouble<'a>,
        data: &'a Path,
        stop: CancellationToken,
    ) -> Self {
        let clock = Clock::System;
        let started = clock.now();
        Self {
            args,
            simulators,
            others,
            workspaces: [WORKSPACE, second::WORKSPACE].map(WorkspaceId::new),
            trouble,
            data,
            stop,
            clock,
            started,
        }
    }

    pub async fn all(&self) -> anyhow::Result<ExitCode> {
        let (hubspot, salesforce) = (&self.simulators.hubspot, &self.simulators.salesforce);
        let [first, second] = &self.workspaces;
        let records = self.args.records;
        self.say("Two workspaces, each with a portal and an organisation of its own.");
        self.say(&format!(
            "  {:<22}{records} records per object type, partly the same, partly wrong",
            first.as_str()
        ));
        let seeded =
            seed::seed(hubspot, salesforce, records, self.args.seed).map_err(anyhow::Error::msg)?;
        let settled = Second::settle_in(self.others, self.simulators)?;
        let people = settled.people();
        self.say(&format!(
            "  {:<22}{people} people, and a mapping of its own",
            second.as_str()
        ));
        let pace = Pace::of(records, self.args.seed);
        let customers = self.customers();
        let opened = Box::pin(Served::open(self.data, &customers, pace));
        let (opened, ()) = tokio::join!(opened, self.rest(SEARCH_LAG_MS));
        let served = opened?;
        let done = Box::pin(self.with(&served, seeded, settled)).await;
        // Closed in any case: a lease that is let go lets the next run begin at once.
        let closed = Box::pin(served.close()).await;
        let code = done?;
        closed?;
        Ok(code)
    }

    fn customers(&self) -> [Customer<'_>; 2] {
        let [first, second] = &self.workspaces;
        let customer = |ws, simulators| Customer { ws, simulators };
        [
            customer(first, self.simulators),
            customer(second, self.others),
        ]
    }

    async fn with(
        &self,
        served: &Served,
        seeded: Seeded,
        second: Second<'a>,
    ) -> anyhow::Result<ExitCode> {
        let [main, other] = &self.workspaces;
        let session = Session::open(served, vec![main, other], self.stop.clone());
        let session = &mut Box::pin(session).await?;
        self.trouble.begin();
        let quiet = self.first_sync(session, &seeded, &second).await?;
        let first_outcome = session.outcome(main).await?;
        let mut learned = Learned {
            seeded,
            second,
            first: self.calls(),
            partners: Partners::new(&first_outcome.links),
            first_outcome,
            ledger: Ledger::default(),
            ada_base: None,
            quiet,
        };
        if self.args.edits > 0 && !self.stop.is_cancelled() {
            self.edits(session, &mut learned).await?;
        }
        if self.trouble.is_on() && !self.stop.is_cancelled() {
            self.outlast(session, &mut learned).await?;
        }
        if let Some(why) = session.trouble() {
            self.say(&format!("A workspace is not worked on. {why}"));
        }
        let outcome = session.outcome(main).await?;
        let others = session.outcome(other).await?;
        let report = self.judge(outcome, &others, &learned);
        self.tell(&report, &learned, served)?;
        if !self.args.exit && !self.stop.is_cancelled() {
            let stay = Stay {
                served,
                workspaces: &self.workspaces,
                clock: &self.clock,
                quiet: self.args.json,
            };
            stay.until(&self.stop).await;
        }
        let fine = report.converged();
        Ok(if fine {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    async fn first_sync(
        &self,
        session: &mut Session<'_>,
        seeded: &Seeded,
        second: &Second<'_>,
    ) -> anyhow::Result<bool> {
        let counts = seeded.hubspot.values().chain(seeded.salesforce.values());
        let total = counts.sum::<usize>() + second.seeded();
        self.say(&format!("First sync of {total} records."));
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let bar = Bar::new("first sync", total, !self.args.json);
        let horizon = self.horizon();
        let quiet = self
            .until_quiet(session, horizon, Some(&bar), &mut |_| {})
            .await;
        bar.finish();
        // The echoes of these writes belong to the first sync, not to the edits that follow.
        self.meanwhile(session, ECHO_MS, &mut |_| {}).await;
        session.look_again().await?;
        let echoes = self
            .until_quiet(session, horizon, None, &mut |_| {})
            .await?;
        Ok(quiet? & echoes)
    }

    fn horizon(&self) -> i64 {
        if self.trouble.is_on() {
            SHORT_HORIZON_MS
        } else {
            HORIZON_MS
        }
    }

    /// Steps until nothing is due within the horizon; false when patience ran out or somebody
    /// pressed Ctrl-C.
    async fn until_quiet(
        &self,
        session: &mut Session<'_>,
        horizon: i64,
        bar: Option<&Bar>,
        watch: Watch<'_>,
    ) -> anyhow::Result<bool> {
        let patience = if self.trouble.is_on() {
            PATIENCE_WITH_FAULTS_MS
        } else {
            PATIENCE_MS
        };
        let mut moved = self.clock.now();
        let mut told = false;
        while !self.stop.is_cancelled() {
            match session.step().await {
                Stepped::Worked { records, writes } => {
                    let now = self.clock.now();
                    if records > 0 || writes > 0 {
                        moved = now;
                        watch(now);
                    }
                    if let Some(bar) = bar {
                        bar.show(session.progress().await?);
                    }
                }
                Stepped::Wait { millis } => {
                    let due = session.due_in().await?.filter(|due| *due <= horizon);
                    let Some(due) = due else {
                        return Ok(true);
                    };
                    if due > SHORT_HORIZON_MS && !told {
                        told = true;
                        self.say(&waiting(due));
                    }
                    self.rest(millis.clamp(10, 500)).await;
                }
            }
            if self.clock.now().millis_since(moved) > patience {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Works for this long, whether or not there is anything: webhooks bring most of what was
    /// typed before HubSpot's search knows of it.
    async fn meanwhile(&self, session: &mut Session<'_>, millis: i64, watch: Watch<'_>) {
        let until = self.clock.now().plus_millis(millis);
        while self.clock.now() < until && !self.stop.is_cancelled() {
            match session.step().await {
                Stepped::Worked { .. } => watch(self.clock.now()),
                Stepped::Wait { millis } => self.rest(millis).await,
            }
        }
    }

    async fn edits(
        &self,
        session: &mut Session<'_>,
        learned: &mut Learned<'_>,
    ) -> anyhow::Result<()> {
        let count = self.args.edits;
        self.say(&format!("People make {count} edits on both sides."));
        let meaning = Meaning::read(&self.simulators.salesforce, &learned.first_outcome.links);
        let view = self.view(&meaning);
        let targets = free_targets(&learned.first_outcome, &learned.seeded);
        let (partners, seed) = (&learned.partners, self.args.seed);
        let mut editor = Editor::new(view, partners, self.clock.clone(), targets, seed);
        let ledger = &mut learned.ledger;
        if let (Some(ada), true) = (&learned.seeded.heroine, count > 1)
            && partners.of("contacts", Side::HubSpot, &ada.hubspot) == Some(&ada.salesforce)
        {
            learned.ada_base = editor.follow_ada(ada, ledger)?;
        }
        for wave in 1..=WAVES {
            ledger.begin_wave();
            editor.work(count * wave / WAVES, ledger)?;
            if wave == 1 {
                learned.second.edit()?;
            }
            let mut watch = |now| ledger.observe(view, partners, now);
            self.meanwhile(session, SEARCH_LAG_MS, &mut watch).await;
            session.look_again().await?;
            learned.quiet &= self
                .until_quiet(session, self.horizon(), None, &mut watch)
                .await?;
        }
        for _ in 0..LAST_LOOKS {
            if ledger.is_all_there() || self.stop.is_cancelled() {
                break;
            }
            let mut watch = |now| ledger.observe(view, partners, now);
            self.meanwhile(session, SEARCH_LAG_MS, &mut watch).await;
            session.look_again().await?;
            learned.quiet &= self
                .until_quiet(session, self.horizon(), None, &mut watch)
                .await?;
        }
        Ok(())
    }

    /// Waits for everything that faults have put off, and looks again until nothing comes of it.
    async fn outlast(
        &self,
        session: &mut Session<'_>,
        learned: &mut Learned<'_>,
    ) -> anyhow::Result<()> {
        let meaning = Meaning::read(&self.simulators.salesforce, &learned.first_outcome.links);
        let view = self.view(&meaning);
        let (ledger, partners) = (&mut learned.ledger, &learned.partners);
        for look in 1..=MOST_LAST_LOOKS {
            let mut watch = |now| ledger.observe(view, partners, now);
            let quiet = self.until_quiet(session, LAST_HORIZON_MS, None, &mut watch);
            learned.quiet = quiet.await?;
            let over = look > LAST_LOOKS && !self.trouble.is_pending();
            if over || self.stop.is_cancelled() {
                break;
            }
            self.meanwhile(session, SEARCH_LAG_MS, &mut watch).await;
            session.look_again().await?;
        }
        Ok(())
    }

    fn judge(&self, outcome: Outcome, others: &Outcome, learned: &Learned<'_>) -> Report {
        // Taken before the judgement, which holds whole tables in memory.
        let max_rss_bytes = max_rss_bytes();
        let elapsed_ms = self.clock.now().millis_since(self.started);
        let meaning = Meaning::read(&self.simulators.salesforce, &outcome.links);
        let faults = self.trouble.met();
        let findings = verify(
            self.view(&meaning),
            Claims {
                links: &outcome.links,
                holds: &outcome.holds,
                dead_letters: &outcome.dead_letters,
                conflicts: &outcome.conflicts,
                seeded: &learned.seeded,
                ledger: &learned.ledger,
                struck: &faults.records,
            },
        );
        Report {
            records: self.args.records,
            edits: learned.ledger.edits.len(),
            quiet: learned.quiet,
            findings,
            second: learned.second.judge(others),
            faults,
            first: learned.first,
            last: self.calls(),
            first_idle_polls: learned.first_outcome.idle_polls,
            first_changed: learned.first_outcome.links.len(),
            edited: learned.ledger.records(&learned.partners),
            lags: learned.ledger.lags(),
            elapsed_ms,
            max_rss_bytes,
            outcome,
        }
    }

    fn tell(&self, report: &Report, learned: &Learned<'_>, served: &Served) -> anyhow::Result<()> {
        let reach = Reach::of(served, self.customers());
        if self.args.json {
            let mut told = report.json();
            if !self.args.exit {
                told["api"] = reach.json();
            }
            summary::print(&told.to_string())?;
            return Ok(());
        }
        let story = self.story(report, learned);
        let token = self.simulators.salesforce.issue_token();
        let scene = Scene {
            data: self.data,
            reach: (!self.args.exit).then_some(&reach),
            curl: self.simulators.curl_examples(&token),
            seeded: &learned.seeded,
        };
        summary::print(&summary::text(report, story.as_ref(), &scene))
    }

    /// Ada's conflict with what both simulators hold now; `None` when she had none.
    fn story(&self, report: &Report, learned: &Learned<'_>) -> Option<Story> {
        let ada = learned.seeded.heroine.as_ref()?;
        let base = learned.ada_base.as_deref()?;
        let shape = shape::of("contacts")?;
        let rule = shape.rule(ADA_RULE)?;
        let meaning = Meaning::read(&self.simulators.salesforce, &[]);
        let view = self.view(&meaning);
        let now = BySide::from_fn(|side| {
            let id = match side {
                Side::HubSpot => &ada.hubspot,
                Side::Salesforce => &ada.salesforce,
            };
            view.value(shape, rule, side, id).unwrap_or_default()
        });
        Some(Story::of(report, ada, base, now))
    }

    async fn rest(&self, millis: i64) {
        let millis = u64::try_from(millis).unwrap_or(0);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(millis)) => {}
            () = self.stop.cancelled() => {}
        }
    }

    fn view<'v>(&'v self, meaning: &'v Meaning) -> View<'v> {
        View {
            hubspot: &self.simulators.hubspot,
            salesforce: &self.simulators.salesforce,
            meaning,
        }
    }

    fn calls(&self) -> Calls {
        let hubspot = self.simulators.hubspot.counters();
        let salesforce = self.simulators.salesforce.counters();
        let made = hubspot.records_created + salesforce.records_created;
        Calls {
            calls: BySide::new(hubspot.calls, salesforce.total),
            writes: made + hubspot.records_updated + salesforce.records_updated,
            noop_writes: hubspot.noop_updates + salesforce.noop_updates,
        }
    }

    /// News for people goes to stderr, so that stdout is the summary or the JSON alone.
    fn say(&self, news: &str) {
        if !self.args.json {
            eprintln!("{news}");
        }
    }
}

fn waiting(millis: i64) -> String {
    let seconds = millis / 1_000;
    format!(
        "Waiting {seconds} s: what failed is tried again later, and a write whose answer was lost \
         is read once it can no longer land."
    )
}
