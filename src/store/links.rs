//! Links and what hangs on them, read back: bases, holds, open intents.

use std::collections::BTreeMap;

use crate::model::{
    Bases, Hold, HoldReason, Intent, Link, LinkId, LinkState, MappingName, RecordId, Side,
    WorkspaceId,
};

use super::Store;
use super::db::args;
use super::error::Result;
use super::records::link_ids;
use super::rows::{BasesDb, Counted, HoldDb, IntentDb, LinkDb, ids};
use super::sql::links as sql;

#[derive(Clone, Debug, Default)]
pub struct LinkFilter {
    pub mapping: Option<MappingName>,
    pub state: Option<LinkState>,
}

/// The last hold of a page: the next one starts after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldPlace {
    pub link: LinkId,
    pub rule: String,
}

impl HoldPlace {
    pub fn of(hold: &Hold) -> Self {
        Self {
            link: hold.link.clone(),
            rule: hold.rule.clone(),
        }
    }
}

impl Store {
    /// All links of these records, closed ones too, ordered by id.
    pub async fn links_by_record(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        records: &[RecordId],
    ) -> Result<Vec<Link>> {
        let statement = match side {
            Side::HubSpot => &sql::LINKS_BY_HUBSPOT,
            Side::Salesforce => &sql::LINKS_BY_SALESFORCE,
        };
        let wanted = ids(records.iter().map(RecordId::as_str));
        let args = args![ws.as_str(), mapping.as_str(), wanted];
        self.each(self.db.fetch::<LinkDb>(statement, &args).await?)
    }

    pub async fn links_by_id(&self, ws: &WorkspaceId, links: &[LinkId]) -> Result<Vec<Link>> {
        let args = args![ws.as_str(), link_ids(links)];
        self.each(self.db.fetch::<LinkDb>(&sql::LINKS_BY_ID, &args).await?)
    }

    /// All links of these HubSpot records in any mapping of the group, closed ones too.
    pub async fn links_of_group(
        &self,
        ws: &WorkspaceId,
        group: &str,
        hubspot: &[RecordId],
    ) -> Result<Vec<Link>> {
        let wanted = ids(hubspot.iter().map(RecordId::as_str));
        let args = args![ws.as_str(), group, wanted];
        self.each(self.db.fetch::<LinkDb>(&sql::LINKS_OF_GROUP, &args).await?)
    }

    pub async fn links_page(
        &self,
        ws: &WorkspaceId,
        filter: &LinkFilter,
        after: Option<&LinkId>,
        limit: u32,
    ) -> Result<Vec<Link>> {
        let args = args![
            ws.as_str(),
            filter.mapping.as_ref().map(MappingName::as_str),
            filter.state.map(LinkState::as_str),
            after.map_or("", LinkId::as_str),
            limit,
        ];
        self.each(self.db.fetch::<LinkDb>(&sql::LINKS_PAGE, &args).await?)
    }

    /// Links by state, of one mapping or of all.
    pub async fn count_links(
        &self,
        ws: &WorkspaceId,
        mapping: Option<&MappingName>,
    ) -> Result<BTreeMap<LinkState, u64>> {
        let args = args![ws.as_str(), mapping.map(MappingName::as_str)];
        let counts = self.db.fetch::<Counted>(&sql::LINKS_COUNT, &args).await?;
        self.tally(counts, LinkState::parse)
    }

    /// The bases of links; a link without any is absent.
    pub async fn bases(
        &self,
        ws: &WorkspaceId,
        links: &[LinkId],
    ) -> Result<BTreeMap<LinkId, Bases>> {
        let args = args![ws.as_str(), link_ids(links)];
        let found = self.db.fetch::<BasesDb>(&sql::BASES, &args).await?;
        let pairs: Vec<(LinkId, Bases)> = self.each(found)?;
        Ok(pairs.into_iter().collect())
    }

    pub async fn holds(&self, ws: &WorkspaceId, links: &[LinkId]) -> Result<Vec<Hold>> {
        let args = args![ws.as_str(), link_ids(links)];
        self.each(self.db.fetch::<HoldDb>(&sql::HOLDS, &args).await?)
    }

    pub async fn holds_page(
        &self,
        ws: &WorkspaceId,
        reason: Option<HoldReason>,
        after: Option<&HoldPlace>,
        limit: u32,
    ) -> Result<Vec<Hold>> {
        let (link, rule) = after.map_or(("", ""), |at| (at.link.as_str(), at.rule.as_str()));
        let args = args![
            ws.as_str(),
            reason.map(HoldReason::as_str),
            link,
            rule,
            limit
        ];
        self.each(self.db.fetch::<HoldDb>(&sql::HOLDS_PAGE, &args).await?)
    }

    pub async fn count_holds(&self, ws: &WorkspaceId) -> Result<BTreeMap<HoldReason, u64>> {
        let args = args![ws.as_str()];
        let counts = self.db.fetch::<Counted>(&sql::HOLDS_COUNT, &args).await?;
        self.tally(counts, HoldReason::parse)
    }

    /// The open intents of these links.
    pub async fn intents(&self, ws: &WorkspaceId, links: &[LinkId]) -> Result<Vec<Intent>> {
        let args = args![ws.as_str(), link_ids(links)];
        self.each(self.db.fetch::<IntentDb>(&sql::INTENTS, &args).await?)
    }

    pub async fn open_intents(&self, ws: &WorkspaceId) -> Result<Vec<Intent>> {
        let args = args![ws.as_str()];
        self.each(self.db.fetch::<IntentDb>(&sql::INTENTS_OPEN, &args).await?)
    }
}
