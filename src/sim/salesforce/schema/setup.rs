//! Objects an administrator fills and the API only reads.

use super::{Field, Kind, Object, field, number, picklist, sized, text, with_system};

pub(super) fn objects() -> Vec<Object> {
    let object = |names, own| Object::new(names, with_system(own)).setup();
    vec![
        object(["User", "User", "Users", "005"], user()),
        object(["Group", "Group", "Groups", "00G"], group()),
        object(
            ["RecordType", "Record Type", "Record Types", "012"],
            record_type(),
        ),
        object(
            ["Organization", "Organization", "Organizations", "00D"],
            organization(),
        ),
        object(
            ["CurrencyType", "Currency Type", "Currency Types", "01L"],
            currency_type(),
        ),
    ]
}

fn user() -> Vec<Field> {
    vec![
        sized("Username", Kind::Text, 80).lookup(),
        text("LastName", 80).required(),
        text("FirstName", 40),
        sized("Name", Kind::PersonName, 121).read_only(),
        sized("Email", Kind::Email, 128).lookup(),
        text("Alias", 8),
        field("IsActive", Kind::Boolean),
        picklist("UserType", &["Standard"]),
        text("FederationIdentifier", 512),
        text("TimeZoneSidKey", 40),
        text("LocaleSidKey", 40),
    ]
}

fn group() -> Vec<Field> {
    vec![
        text("Name", 40),
        text("DeveloperName", 80),
        picklist("Type", &["Queue", "Regular"]),
        sized("Email", Kind::Email, 255),
    ]
}

fn record_type() -> Vec<Field> {
    vec![
        text("Name", 80),
        text("DeveloperName", 80),
        text("SobjectType", 40),
        field("IsActive", Kind::Boolean),
        text("Description", 255),
    ]
}

fn organization() -> Vec<Field> {
    vec![
        text("Name", 80),
        text("OrganizationType", 40),
        field("IsSandbox", Kind::Boolean),
        text("InstanceName", 5),
        text("TimeZoneSidKey", 40),
        text("LanguageLocaleKey", 40),
        text("DefaultLocaleSidKey", 40),
    ]
}

fn currency_type() -> Vec<Field> {
    vec![
        text("IsoCode", 3),
        number("ConversionRate", Kind::Double, 18, 6),
        number("DecimalPlaces", Kind::Int, 1, 0),
        field("IsActive", Kind::Boolean),
        field("IsCorporate", Kind::Boolean),
    ]
}
