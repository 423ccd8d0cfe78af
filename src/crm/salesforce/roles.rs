//! Rows of junction objects: who is tied to whom under which role.
//!
//! They are written like any other record; here they are found by the records they tie.

use super::auth::full_id;
use super::read::literal_lists;
use super::{Salesforce, soql};
use crate::crm::CrmError;
use crate::model::{Raw, Record, RecordId, RoleRead};

/// One tie. Two rows may say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRow {
    pub id: RecordId,
    /// The record that was asked about, and the one it is tied to.
    pub own: RecordId,
    pub far: RecordId,
    pub role: String,
}

impl RoleRow {
    /// Salesforce compares texts without regard to case.
    pub fn is(&self, read: &RoleRead) -> bool {
        self.role.to_lowercase() == read.role.to_lowercase()
    }
}

impl Salesforce {
    /// The live rows of these records in the given roles, which must be of one junction object and
    /// seen from one end. Consistent: a row that was answered for is found.
    pub async fn role_rows(
        &self,
        roles: &[RoleRead],
        ids: &[RecordId],
    ) -> Result<Vec<RoleRow>, CrmError> {
        let Some(first) = roles.first() else {
            return Ok(Vec::new());
        };
        let (object, role) = (first.junction.object, first.junction.role);
        let (own, far) = (first.own, first.far);
        let names: Vec<String> = roles.iter().map(|read| soql::string(&read.role)).collect();
        let names = names.join(",");
        // Text that is no id would fail the whole query, and ties nothing.
        let ids: Vec<String> = ids.iter().filter_map(|id| full_id(id.as_str())).collect();
        let mut rows = Vec::new();
        for ids in literal_lists(&ids) {
            let soql = format!(
                "SELECT Id, {own}, {far}, {role} FROM {object} \
                 WHERE {own} IN ({ids}) AND {role} IN ({names})"
            );
            let found = self.query_whole(&soql).await?;
            rows.extend(found.into_iter().filter_map(|row| role_row(row, first)));
        }
        Ok(rows)
    }
}

/// `None` for a row whose records the connected user may not see.
fn role_row(row: Record, read: &RoleRead) -> Option<RoleRow> {
    let text = |name: &str| row.fields.get(name).and_then(Raw::as_text);
    let id = |name: &str| text(name).and_then(full_id).map(RecordId::new);
    Some(RoleRow {
        own: id(read.own)?,
        far: id(read.far)?,
        role: text(read.junction.role)?.to_owned(),
        id: row.id,
    })
}
