//! Scenarios about plans that are carried out and runs that are taken back. The command that dies
//! is given again, as a person would, and then the daily sync goes on.

use tandem::sync::{Frozen, Mode};

use super::Scenario;
use super::changes::values;
use super::picture::Picture;
use crate::undo;
use crate::world::World;
use crate::{PEOPLE, linked};

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("apply a plan", || Box::pin(planned()), applied)
            .working(|world| Box::pin(carry_out(world))),
        Scenario::new("undo a run", || Box::pin(to_be_undone()), undone)
            .working(|world| Box::pin(carry_out(world))),
    ]
}

/// Carries the plan out to its end, and then goes on as a sync.
async fn carry_out(world: &mut World) {
    world.settle().await;
    if !matches!(world.mode, Mode::Write) {
        world.close().await;
        world.mode = Mode::Write;
        // A start whose reply is lost is given again.
        while world.start().await.is_err() {
            world.pass(31_000);
        }
        world.settle().await;
    }
}

/// A plan of an update on each side and of a new record, and an edit that came after it.
async fn planned() -> World {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("FirstName", "Adele")]);
    let bo = [("email", "bo@example.com"), ("lastname", "Berg")];
    world.add_hubspot("contacts", &bo);
    world.close().await;
    world.mode = Mode::Observe;
    world.open().await;
    world.settle().await;
    let planned = world.engine().tally().planned.rows().cloned().collect();
    world.close().await;
    world.mode = Mode::Apply(Frozen::new(planned));
    world
}

fn applied(world: &World, picture: &Picture) {
    assert_eq!(world.salesforce_ids("Contact").len(), 2);
    assert_eq!(picture.count("link "), 2);
    assert_eq!(picture.count("letter"), 0);
    let titles = values(world, "jobtitle", "Title");
    assert!(
        titles
            .iter()
            .any(|(here, there)| here == "CEO" && there == "CEO"),
        "{titles:?}"
    );
    let names = values(world, "firstname", "FirstName");
    assert!(
        names
            .iter()
            .any(|(here, there)| here == "Adele" && there == "Adele"),
        "{names:?}"
    );
}

/// A run that wrote two values of a pair, and that is to be taken back.
async fn to_be_undone() -> World {
    let (mut world, hubspot, _) = linked(PEOPLE).await;
    world.close().await;
    world.open().await;
    let run = world.engine().site().run.clone();
    let edits = [("jobtitle", "CEO"), ("firstname", "Adele")];
    world.edit_hubspot("contacts", &hubspot, &edits);
    world.settle().await;
    let (writes, spared) = undo::plan(&world, &undo::of_run(&world, &run)).await;
    assert_eq!((writes.len(), spared.len()), (2, 0));
    world.close().await;
    world.mode = Mode::Apply(Frozen::new(writes));
    world
}

fn undone(world: &World, picture: &Picture) {
    let both = |here: &str, there: &str| vec![(here.to_owned(), there.to_owned())];
    assert_eq!(values(world, "jobtitle", "Title"), both("CEO", "CTO"));
    assert_eq!(
        values(world, "firstname", "FirstName"),
        both("Adele", "Ada")
    );
    assert_eq!(picture.count("hold "), 2);
    assert_eq!(picture.count("letter"), 0);
}
