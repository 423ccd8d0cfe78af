//! Cursors and gates as the store keeps them: text that a disk, an operator or an older version
//! may have changed.

use tandem::crm::{Crms, Question, Span};
use tandem::model::{RecordId, Side, Timestamp};
use tandem::sources::{Pass, PollCursor, ScanCursor};

use crate::mutate::Shape;
use crate::replies::{Exchange, START, names, tame, wait};
use crate::run::Target;
use crate::{hubspot, salesforce};

#[test]
fn no_stored_cursor_breaks_a_source() {
    Target {
        name: "cursor",
        shape: Shape::Json,
        cases: 2_000,
        samples: Vec::new(),
        check,
    }
    .run();
}

const EMPTY: &[u8] = b"x\n200\ncontent-type: application/json\n\n{\"results\":[],\"records\":[],\
    \"done\":true}";

fn check(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    if let Ok(cursor) = serde_json::from_str::<ScanCursor>(&text) {
        let _ = serde_json::to_string(&cursor).unwrap();
    }
    let exchange = Exchange::read(EMPTY);
    let crms = Crms {
        hubspot: hubspot::client(&exchange),
        salesforce: salesforce::client(&exchange),
    };
    if let Ok(cursor) = serde_json::from_str::<PollCursor>(&text) {
        for side in Side::BOTH {
            poll(cursor.clone(), side, &crms)?;
        }
    }
    crms.restore_gates(&text);
    let latest = Timestamp::from_millis(START + 2 * 24 * 3_600_000);
    match crms.ready_at(1, 1) {
        Some(at) if at > latest => Err(format!("a stored gate is closed until {at}")),
        Some(_) | None => Ok(()),
    }
}

/// One poll: the window, the question to the CRM, and the window's end.
fn poll(mut cursor: PollCursor, side: Side, crms: &Crms) -> Result<(), String> {
    let now = Timestamp::from_millis(START);
    let has_bin = side == Side::HubSpot;
    cursor.keep_to(now);
    for _ in 0..3 {
        let reread = cursor.next_reread(now);
        let window = reread.unwrap_or_else(|| cursor.next_window(now, has_bin));
        let span = Span {
            from: Timestamp::from_micros(window.from),
            until: window.to.map(Timestamp::from_micros),
            after: window.after.as_ref().map(|place| {
                (
                    Timestamp::from_micros(place.stamp),
                    RecordId::new(&place.id),
                )
            }),
        };
        let object = match side {
            Side::HubSpot => "contacts",
            Side::Salesforce => "Contact",
        };
        let question = Question {
            object: object.to_owned(),
            span,
            fields: names(&["x"]),
        };
        for page in wait(crms.changed(side, &[question])) {
            if let Err(error) = page {
                tame(&error)?;
            }
        }
        if window.pass == Pass::Bin {
            cursor.finish_bin(None, now);
        } else {
            cursor.finish(&window, now, now);
        }
        let _ = cursor.wants_bin(now, has_bin);
    }
    let again = cursor.next_window(now.plus_millis(60_000), has_bin);
    // Whatever stood there, the next pass looks at the present again.
    if again.from > now.plus_millis(5 * 60_000).micros() {
        return Err(format!("the next pass begins in the future: {again:?}"));
    }
    Ok(())
}
