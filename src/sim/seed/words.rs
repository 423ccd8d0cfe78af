//! Invented names and places, and the ways people write the same thing differently.
//!
//! Only data and formatting; which record gets what is decided elsewhere.

pub(super) const FIRST: [&str; 40] = [
    "Aino", "Amara", "Anton", "Beatriz", "Bilal", "Carla", "Chidi", "Daria", "Deniz", "Elif",
    "Emil", "Esra", "Fatou", "Felix", "Freya", "Goran", "Hana", "Hugo", "Ines", "Ivo", "Jasper",
    "Jorun", "Kaito", "Katya", "Lale", "Linnea", "Mateo", "Maud", "Mina", "Nadia", "Noor", "Oskar",
    "Paloma", "Petra", "Ravi", "Rosa", "Samir", "Tove", "Yuki", "Zofia",
];

pub(super) const LAST: [&str; 40] = [
    "Abara",
    "Albrecht",
    "Almeida",
    "Bakker",
    "Bergman",
    "Castell",
    "Dahl",
    "Demir",
    "Dubois",
    "Eklund",
    "Farkas",
    "Ferreira",
    "Fontaine",
    "Grimaldi",
    "Haddad",
    "Hartmann",
    "Ibsen",
    "Jankowski",
    "Kaplan",
    "Keller",
    "Kowal",
    "Laurent",
    "Lehtinen",
    "Marino",
    "Moreau",
    "Nakano",
    "Novak",
    "Okafor",
    "Olsen",
    "Pereira",
    "Quist",
    "Rahimi",
    "Rossi",
    "Sandoval",
    "Tanaka",
    "Ulrich",
    "Varga",
    "Weiss",
    "Yilmaz",
    "Zeller",
];

const FIRM_FIRST: [&str; 24] = [
    "Alder", "Beacon", "Bluefin", "Cedar", "Copper", "Cobalt", "Drift", "Ember", "Falcon",
    "Granite", "Harbour", "Juniper", "Kestrel", "Lantern", "Maple", "Meridian", "Nimbus",
    "Orchard", "Pinnacle", "Quarry", "Ridge", "Saffron", "Tundra", "Willow",
];

const FIRM_SECOND: [&str; 20] = [
    "Analytics",
    "Bakeries",
    "Bearings",
    "Biotech",
    "Clinics",
    "Coatings",
    "Energy",
    "Foods",
    "Freight",
    "Gear",
    "Glass",
    "Insurance",
    "Labs",
    "Logistics",
    "Media",
    "Optics",
    "Outfitters",
    "Robotics",
    "Software",
    "Textiles",
];

pub(super) const TITLES: [&str; 16] = [
    "Head of Operations",
    "Purchasing Manager",
    "Chief Technology Officer",
    "Sales Engineer",
    "Marketing Lead",
    "Managing Director",
    "Plant Manager",
    "Data Analyst",
    "Product Manager",
    "Office Manager",
    "Supply Chain Planner",
    "Finance Director",
    "Support Lead",
    "Architect",
    "Quality Manager",
    "Founder",
];

/// City and country.
pub(super) const PLACES: [(&str, &str); 8] = [
    ("Berlin", "Germany"),
    ("Hamburg", "Germany"),
    ("Leipzig", "Germany"),
    ("London", "United Kingdom"),
    ("Leeds", "United Kingdom"),
    ("Boston", "United States"),
    ("Denver", "United States"),
    ("Chicago", "United States"),
];

/// The n-th firm: its name, and the domain that belongs to nobody.
pub(super) fn firm(index: usize) -> (String, String) {
    if index == 0 {
        return (
            "Northwind Robotics".to_owned(),
            "northwind-robotics.example.com".to_owned(),
        );
    }
    let first = FIRM_FIRST[index % FIRM_FIRST.len()];
    let second = FIRM_SECOND[index / FIRM_FIRST.len() % FIRM_SECOND.len()];
    let round = index / (FIRM_FIRST.len() * FIRM_SECOND.len());
    let (name, slug) = if round == 0 {
        (format!("{first} {second}"), format!("{first}-{second}"))
    } else {
        (
            format!("{first} {second} {}", round + 1),
            format!("{first}-{second}-{}", round + 1),
        )
    };
    (name, format!("{}.example.com", slug.to_lowercase()))
}

/// A telephone number from the ranges set aside for fiction, written the n-th way. All ways mean
/// the same number.
pub(super) fn phone(country: &str, line: u32, way: u8) -> String {
    let line = line % 1_000;
    match (country, way % 3) {
        ("Germany", 0) => format!("+49 30 23125{line:03}"),
        ("Germany", 1) => format!("+49 (30) 23125-{line:03}"),
        ("Germany", _) => format!("+493023125{line:03}"),
        ("United Kingdom", 0) => format!("+44 20 7946 0{line:03}"),
        ("United Kingdom", 1) => format!("+44-20-7946-0{line:03}"),
        ("United Kingdom", _) => format!("+442079460{line:03}"),
        (_, 0) => format!("+1 202-555-0{:03}", 100 + line % 100),
        (_, 1) => format!("+1 (202) 555-0{:03}", 100 + line % 100),
        (_, _) => format!("+12025550{:03}", 100 + line % 100),
    }
}
