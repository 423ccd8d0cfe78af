//! An office where people decide on deals: what the tests of contact roles begin with.

use crate::world::{Setup, World};

pub const CONTACTS: &str = r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
match:
  - email: Email
create: both
rules:
  email: Email
  lastname: { to: LastName, default: "(unknown)" }
  jobtitle: Title
associations:
  - hubspot: deals
    label: Decision maker
    salesforce: OpportunityContactRole
    role: Decision Maker
    mapping: deals
"#;

pub const DEALS: &str = r#"
mapping: deals
hubspot: deals
salesforce: Opportunity
conflict: salesforce
match:
  - dealname: Name
create: never
rules:
  dealname: Name
"#;

/// HubSpot's type of contact to deal under the label `Decision maker`.
pub const DECIDES: u32 = 37;
pub const ROLE: &str = "Decision Maker";
/// Ada on both sides and deals on both sides, by number; nothing is tied yet.
pub struct Office {
    pub world: World,
    pub person: (String, String),
    pub deals: Vec<(String, String)>,
}

impl Office {
    /// Not opened yet.
    pub async fn new(setup: Setup, deals: usize) -> Self {
        let world = World::new(setup).await;
        let person = (
            world.add_hubspot(
                "contacts",
                &[("email", "ada@example.com"), ("lastname", "Lind")],
            ),
            world.add_salesforce(
                "Contact",
                &[("Email", "ada@example.com"), ("LastName", "Lind")],
            ),
        );
        let deals = (0..deals)
            .map(|nth| {
                let name = format!("Deal {nth}");
                (hubspot_deal(&world, &name), opportunity(&world, &name))
            })
            .collect();
        Self {
            world,
            person,
            deals,
        }
    }

    /// Linked and at rest.
    pub async fn linked(deals: usize) -> Self {
        let mut office = Self::new(Setup::with(&[CONTACTS, DEALS]), deals).await;
        office.world.open().await;
        office.world.settle().await;
        assert_eq!(office.world.pairs().await.len(), 1 + deals);
        office
    }

    /// Tied on both sides, as agreed.
    pub async fn with_roles(deals: usize) -> Self {
        let mut office = Self::new(Setup::with(&[CONTACTS, DEALS]), deals).await;
        for nth in 0..deals {
            office.label(nth);
            office.give_role(nth);
        }
        office.world.open().await;
        office.world.settle().await;
        office
    }

    pub fn label(&self, nth: usize) {
        let (from, to) = (&self.person.0, &self.deals[nth].0);
        self.world
            .hubspot
            .associate(("contacts", from), ("deals", to), DECIDES)
            .unwrap();
    }

    pub fn unlabel(&self, nth: usize) {
        let (from, to) = (&self.person.0, &self.deals[nth].0);
        self.world
            .hubspot
            .dissociate(("contacts", from), ("deals", to))
            .unwrap();
    }

    pub fn give_role(&self, nth: usize) -> String {
        role(&self.world, &self.person.1, &self.deals[nth].1, ROLE)
    }

    pub fn take_role(&self, nth: usize) {
        for row in rows(&self.world) {
            if row.1 == self.deals[nth].1 && row.2 == ROLE {
                let object = "OpportunityContactRole";
                self.world.salesforce.delete(object, &row.3).unwrap();
            }
        }
    }

    /// The numbers of the deals that Ada decides, on HubSpot and on Salesforce. A row that is there
    /// twice shows twice.
    pub fn decides(&self) -> (Vec<usize>, Vec<usize>) {
        let labelled = labelled(&self.world, &self.person.0);
        let mut there: Vec<usize> = rows(&self.world)
            .iter()
            .filter(|row| row.0 == self.person.1 && row.2 == ROLE)
            .filter_map(|row| self.deals.iter().position(|deal| deal.1 == row.1))
            .collect();
        there.sort_unstable();
        let here = (0..self.deals.len()).filter(|nth| labelled.contains(&self.deals[*nth].0));
        (here.collect(), there)
    }
}

pub fn hubspot_deal(world: &World, name: &str) -> String {
    let stage = ("dealstage", "qualifiedtobuy");
    world.add_hubspot("deals", &[("dealname", name), stage])
}

pub fn opportunity(world: &World, name: &str) -> String {
    let more = [("StageName", "Qualification"), ("CloseDate", "2027-01-31")];
    world.add_salesforce("Opportunity", &[&[("Name", name)], &more[..]].concat())
}

pub fn role(world: &World, contact: &str, deal: &str, role: &str) -> String {
    let fields = [
        ("ContactId", contact),
        ("OpportunityId", deal),
        ("Role", role),
    ];
    world.add_salesforce("OpportunityContactRole", &fields)
}

/// Contact, opportunity, role and id of each live row.
pub fn rows(world: &World) -> Vec<(String, String, String, String)> {
    let object = "OpportunityContactRole";
    let ids = world.salesforce_ids(object).into_iter();
    ids.map(|id| {
        let text = |name: &str| world.sf(object, &id, name);
        (text("ContactId"), text("OpportunityId"), text("Role"), id)
    })
    .collect()
}

/// The deals that a HubSpot contact decides.
pub fn labelled(world: &World, person: &str) -> Vec<String> {
    let ties = world.hubspot.associations("contacts", person, "deals");
    let ties = ties
        .into_iter()
        .filter(|(_, types)| types.contains(&DECIDES));
    ties.map(|(deal, _)| deal).collect()
}
