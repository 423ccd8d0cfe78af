//! I10 and I24: what we delete was deleted by somebody, may be deleted, and was not edited since.

use crate::cast::Deletes;
use crate::shots::{Place, Shots};
use crate::stage::Stage;

use super::place_text;

/// I10. Otherwise an accident in one CRM, or a record that is merely hidden, empties the other.
pub fn proven_allowed_and_few(stage: &mut Stage, place: &Place) -> Result<(), String> {
    let what = place_text(place);
    if stage.cast.deletes != Deletes::Archive {
        return Err(format!("{what} was deleted, which the mapping forbids"));
    }
    let partner = stage.mirror.partner(place.0, &place.1);
    let proven = partner.is_some_and(|id| stage.ledger.was_deleted(place.0.other(), &id));
    if !proven {
        return Err(format!(
            "{what} was deleted although nobody deleted its partner"
        ));
    }
    stage.ledger.ours.insert(place.clone());
    let done = stage.ledger.archived.get_mut(place.0);
    *done += 1;
    if *done > stage.cast.guard {
        return Err(format!(
            "{what} is the delete number {done}, and the guard lets one pass"
        ));
    }
    Ok(())
}

/// I24. Otherwise the work that somebody just did is thrown away by somebody else's delete.
pub fn edit_beats_delete(stage: &mut Stage, before: &Shots, place: &Place) -> Result<(), String> {
    let Some(shot) = before.0.get(place) else {
        return Ok(());
    };
    let link = stage.mirror.link_of(place.0, &place.1);
    let Some(bases) = link.and_then(|link| stage.mirror.bases.get(&link.id)) else {
        return Err(format!(
            "{} was deleted and was never agreed on",
            place_text(place)
        ));
    };
    let moved = bases.values().any(|halves| {
        halves.sides.get(place.0).iter().any(|(field, raw)| {
            let held = shot.fields.get(field.as_str());
            held.is_some_and(|held| held != raw.as_text().unwrap_or_default())
        })
    });
    if !moved {
        return Ok(());
    }
    let decided = stage.mirror.decided.get(place).copied().unwrap_or(0);
    if stage
        .ledger
        .last_edit(place)
        .is_some_and(|seam| seam >= decided)
    {
        // Between our read and our delete; no platform can be asked to delete what is unchanged.
        stage.counts.add("edits overtaken by a delete", 1);
        return Ok(());
    }
    Err(format!(
        "{} was deleted with an edit that nobody had seen",
        place_text(place)
    ))
}
